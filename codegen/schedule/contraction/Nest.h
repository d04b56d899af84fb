//===- Nest.h - The loop nest of a contraction ------------------*- C++ -*-===//
//
// Emits one contraction as tasks of register tiles:
//
//   codegen.parallel over batch, columns, blocks of rows, blocks of the lane
//     for each block of the reduction            kc
//       copy the operands' regions               if padded or computed
//       for each tile of the lane                nr
//         pack the right operand in a panel      if that pays
//         for each tile of rows                  mr
//           load or zero mr x nr accumulators
//           for k: broadcast mr, load nr, fused multiply-add
//           store them, or apply the epilogue and store that
//
// Plan.cpp sets up, Nest.cpp and Tiles.cpp hold the loops, Copy.cpp and
// Panels.cpp the copies, Tile.cpp the register tile and Reduce.cpp what runs
// inside it. Winograd*.cpp have a version of their own.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CONTRACTION_NEST_H
#define CORNU_CODEGEN_SCHEDULE_CONTRACTION_NEST_H

#include "codegen/IR/Codegen.h"
#include "codegen/schedule/Lanes.h"
#include "codegen/schedule/contraction/Fusion.h"
#include "codegen/schedule/contraction/Views.h"
#include "codegen/strategy/WinogradForm.h"
#include <numeric>

namespace cornu::codegen {

struct TransformMatrix;
struct WinogradSource;
struct WinogradSquare;

/// The part of one loop of the root that a block covers.
struct LoopRange {
  mlir::Value low, size;
  int64_t largest = 1; ///< upper bound of `size`
  /// What `size` is in the last block, where that is known; it is `largest`
  /// in all others.
  std::optional<int64_t> last = std::nullopt;

  /// The values that `size` takes, where they are known.
  llvm::SmallVector<int64_t, 2> sizes() const {
    if (std::optional<int64_t> known = constantOf(size))
      return {*known};
    return last ? llvm::SmallVector<int64_t, 2>{largest, *last}
                : llvm::SmallVector<int64_t, 2>{};
  }
};

/// One accumulator row: the index of each row loop of the nest, and its place
/// among the rows of the block.
struct RowPoint {
  llvm::SmallVector<mlir::Value> indices;
  mlir::Value slot;
};

/// The rows of a tile. If `consecutive`, row r differs from row 0 by r in the
/// index of the innermost row loop only.
struct RowTile {
  llvm::SmallVector<RowPoint> rows;
  bool consecutive = false;
  /// Smaller than a full tile, perhaps after full ones and perhaps not.
  bool isRest = false;
};

/// How the panel of the right operand that a tile of lanes reads comes about.
enum class Packing {
  None,          ///< the operand is read where it is
  Ahead,         ///< before the rows' tiles: transposed, or gathered
  WithFirstTile, ///< the first tile reads the operand, and stores what it read
};

/// The lanes of a tile: vectors of the given widths from `start` on.
struct LaneTile {
  mlir::Value start;
  llvm::SmallVector<unsigned> widths;
  /// Among the lanes that are no full panel, where the right operand lies in
  /// panels.
  bool inLastPanel = false;

  int64_t columns() const {
    return std::accumulate(widths.begin(), widths.end(), int64_t(0));
  }
};

/// `count` vectors of `count` elements: vector i of the result holds element
/// i of each.
llvm::SmallVector<mlir::Value> transpose(mlir::OpBuilder &builder,
                                         mlir::Location loc,
                                         llvm::SmallVector<mlir::Value> rows);

class ContractionNest {
public:
  ContractionNest(mlir::RewriterBase &rewriter, mlir::linalg::GenericOp root,
                  ContractionForm form, ContractionFusion fusion,
                  ContractionAttr strategy, unsigned vectorWidth);
  mlir::LogicalResult emit();

private:
  // Plan.cpp, and Nest.cpp: the loops from the task down to the tile.
  void prepare();
  void plan();
  mlir::LogicalResult emitVersions();
  void emitSingleRow(unsigned loop);
  void hoistOperands();
  void emitGrid();
  void startWorkspace(mlir::Value worker);
  void emitTask(mlir::Value task, mlir::Value worker);
  void emitReductionBlocks(unsigned level);
  void emitBlock();
  void forRange(mlir::Value low, mlir::Value high, int64_t step,
                llvm::function_ref<void(mlir::Value)> body);
  void ifElse(mlir::Value condition, llvm::function_ref<void()> then,
              llvm::function_ref<void()> otherwise);
  LoopRange blockRange(mlir::Value extent, mlir::Value low, int64_t step);
  mlir::Value isFirstBlock();
  mlir::Value isLastBlock();
  mlir::Value allocate(int64_t elements);

  // Tiles.cpp: a block in register tiles.
  void forLaneTiles(llvm::function_ref<void(const LaneTile &)> body);
  void emitRowTiles(const LaneTile &lanes);
  void forRowTiles(mlir::Value total, llvm::ArrayRef<int64_t> totals,
                   const LaneTile &lanes,
                   llvm::function_ref<void(mlir::Value, int64_t)> body);
  mlir::Value keepForRest(mlir::Value left, mlir::Value whole, int64_t tile,
                          int64_t next);
  llvm::SmallVector<unsigned> laneWidths(int64_t extent) const;

  // Copy.cpp, and Panels.cpp: the right operand's
  LinearView copyRegion(unsigned input);
  void allocatePanel();
  void packPanel(const LaneTile &lanes);
  void packSteps(unsigned level, mlir::Value source, mlir::Value target,
                 const LaneTile &lanes);
  void packStep(mlir::Value source, mlir::Value target, const LaneTile &lanes);
  void packTransposed(mlir::Value source, mlir::Value target,
                      const LaneTile &lanes);
  void packAlong(mlir::Value source, mlir::Value target, const LaneTile &lanes);
  int64_t panelLaneStride() const;
  int64_t panelStride(unsigned level, const LaneTile &lanes) const;
  LinearView panelView(const LaneTile &lanes);
  void layInPanels(LinearView &view, unsigned number, int64_t width);
  LinearView givenPanels(const LaneTile &lanes);
  void forSpan(mlir::Value low, mlir::Value high,
               llvm::function_ref<void(mlir::Value, unsigned)> body);

  // Winograd.cpp
  struct Winograd;
  mlir::FailureOr<bool>
  emitWinogradVersion(llvm::function_ref<void()> otherwise);
  std::optional<Winograd> planWinograd();
  void startWinograd();
  void forTasks(mlir::Value tasks, llvm::function_ref<void(mlir::Value)> body);
  void emitWinograd(Winograd &plan);
  void cutSquares(const Winograd &plan, mlir::Value &squares,
                  mlir::Value &parts);
  void takeLanes(Winograd &plan, mlir::Value number, mlir::Value parts);
  void allocatePoints(Winograd &plan);
  mlir::Value startSquares(Winograd &plan, mlir::Value first, mlir::Value most);
  std::pair<mlir::Value, mlir::Value> firstParts(const Winograd &plan,
                                                 mlir::Value point);
  void multiplyPoint(const Winograd &plan, mlir::Value point,
                     mlir::Value count);
  llvm::SmallVector<mlir::Value>
  multiplyTile(const Winograd &plan, mlir::Value point, mlir::Value row,
               mlir::Value panel, unsigned vectors);
  void forPanels(const Winograd &plan,
                 llvm::function_ref<void(mlir::Value, int64_t)> body);
  llvm::SmallVector<mlir::Value>
  addTerms(const Winograd &plan, int64_t rows, mlir::Value right,
           mlir::Value terms,
           llvm::function_ref<mlir::Value(mlir::Value, int64_t)> leftAt,
           llvm::function_ref<mlir::Value(mlir::Value)> rightAt,
           mlir::ValueRange sums);
  // WinogradKernel.cpp
  void transformKernel(Winograd &plan);
  void transformChannels(const Winograd &plan, mlir::Value first, int64_t down,
                         int64_t across);
  llvm::SmallVector<mlir::Value> transformPart(const Winograd &plan,
                                               mlir::Value offset,
                                               mlir::OpFoldResult stride,
                                               unsigned count, int64_t down,
                                               int64_t across);
  // WinogradSquares.cpp
  WinogradSource squaresIn(const Winograd &plan, unsigned number);
  mlir::Value patchOf(const Winograd &plan, mlir::Value square);
  llvm::SmallVector<mlir::Value> squareIndices(const Winograd &plan,
                                               mlir::Value number,
                                               llvm::ArrayRef<int64_t> perAxis);
  llvm::SmallVector<mlir::Value>
  squareOrigin(const Winograd &plan, const WinogradSource &source,
               llvm::ArrayRef<mlir::Value> loops);
  WinogradSquare copySquare(const WinogradSource &source,
                            llvm::ArrayRef<mlir::Value> origin);
  WinogradSquare findSquare(const WinogradSource &source,
                            llvm::ArrayRef<mlir::Value> origin);
  void transformInto(const Winograd &plan, const WinogradSource &source,
                     llvm::ArrayRef<mlir::Value> loops,
                     const TransformMatrix &matrix, mlir::Value target,
                     mlir::Value number, int64_t row, int64_t step);
  mlir::Value isBelow(mlir::Value index, int64_t bound);
  mlir::Value zeroOf(unsigned lanes);
  void forOverlapping(int64_t extent,
                      llvm::function_ref<void(mlir::Value, unsigned)> body);
  void finishSums(const Winograd &plan, llvm::ArrayRef<mlir::Value> sums,
                  int64_t side, llvm::ArrayRef<mlir::Value> high,
                  llvm::ArrayRef<mlir::Value> first,
                  llvm::ArrayRef<unsigned> moved, mlir::Value lane);
  void finishSquare(const Winograd &plan, mlir::Value place);
  // WinogradGradient.cpp
  void emitWinogradGradient(Winograd &plan);
  void addProducts(const Winograd &plan, mlir::Value point, mlir::Value count,
                   mlir::Value at);
  void addTile(const Winograd &plan, mlir::Value left, mlir::Value right,
               mlir::Value out, int64_t rows, unsigned vectors,
               mlir::Value count);
  void finishTaps(const Winograd &plan, mlir::Value channel, mlir::Value lane,
                  mlir::Value sums);

  // Tile.cpp, Reduce.cpp and Finish.cpp
  void emitTile(const RowTile &tile, const LaneTile &lanes);
  void finishTile(const RowTile &tile, const LaneTile &lanes,
                  mlir::ValueRange accumulators);
  using Accumulators = llvm::SmallVector<mlir::Value>;
  Accumulators startAccumulators(const RowTile &tile, const LaneTile &lanes);
  Accumulators reduceTile(const RowTile &tile, const LaneTile &lanes,
                          Accumulators accumulators);
  Accumulators reduceFrom(const LinearView &right, const RowTile &tile,
                          const LaneTile &lanes, Accumulators accumulators);
  Accumulators reduce(unsigned level, mlir::ValueRange left, mlir::Value right,
                      mlir::Value filled, const RowTile &tile,
                      const LaneTile &lanes, Accumulators accumulators);
  Accumulators step(mlir::ValueRange left, mlir::Value right,
                    mlir::Value filled, const LaneTile &lanes,
                    Accumulators accumulators);
  llvm::SmallVector<mlir::Value> moved(mlir::ValueRange left, unsigned loop,
                                       mlir::Value index, const RowTile &tile);
  bool runsAlong(unsigned level);
  Accumulators addProducts(mlir::ValueRange left, mlir::Value right,
                           int64_t columns, unsigned steps,
                           Accumulators partial);
  Accumulators addVectors(unsigned level, mlir::ValueRange left,
                          mlir::Value right, const RowTile &tile,
                          int64_t columns, Accumulators partial);
  Accumulators reduceVectors(unsigned level, mlir::ValueRange left,
                             mlir::Value right, const RowTile &tile,
                             const LaneTile &lanes, Accumulators accumulators);
  bool isShortWindow(const RowTile &tile);
  Accumulators slideWindow(mlir::Value left, mlir::Value right,
                           const RowTile &tile, const LaneTile &lanes,
                           Accumulators accumulators);
  int64_t rowsTogether(const RowTile &tile, const LaneTile &lanes) const;
  bool rowsWithinLanes(const RowTile &tile) const;
  void storeAccumulators(const RowTile &tile, const LaneTile &lanes,
                         mlir::ValueRange accumulators);
  void applyEpilogue(const RowTile &tile, const LaneTile &lanes,
                     mlir::ValueRange accumulators);
  using StoreResult =
      llvm::function_ref<void(const EpilogueOp &, unsigned, mlir::Value,
                              mlir::ValueRange, const Lanes &)>;
  void applyEpilogueAt(const RowPoint &row, mlir::Value lane, mlir::Value sum,
                       const Lanes &lanes, StoreResult store);
  void applyEpilogueWithin(const RowTile &tile, const LaneTile &lanes,
                           mlir::ValueRange accumulators);
  void applyEpilogueByRows(const RowTile &tile, const LaneTile &lanes,
                           mlir::ValueRange accumulators);
  llvm::SmallVector<mlir::Value>
  rowOffsets(const LinearView &view, mlir::Value base, const RowTile &tile);
  mlir::Value fixedOffset(const LinearView &view);
  mlir::Value laneOffset(const LinearView &view, mlir::Value start);
  mlir::Value columnOffset(const LinearView &view, int64_t column);
  mlir::Value loadLanes(mlir::Value buffer, mlir::Value offset,
                        mlir::OpFoldResult stride, unsigned width);
  void storeLanes(mlir::Value vector, mlir::Value buffer, mlir::Value offset,
                  mlir::OpFoldResult stride);
  mlir::Value accumulatorOffset(const RowPoint &row, const LaneTile &lanes,
                                unsigned column);

  mlir::RewriterBase &builder;
  mlir::Location loc;
  IndexMath math;
  mlir::linalg::GenericOp root;
  ContractionForm form;
  ContractionFusion fusion;
  ContractionAttr strategy;
  mlir::Type element;
  unsigned width; ///< elements of a full vector

  llvm::SmallVector<mlir::Value> extents; ///< of the root's loops
  llvm::SmallVector<mlir::AffineMap> maps;
  llvm::SmallVector<NestLoop> rowLoops, reductionLoops;
  bool copies[2] = {false, false};
  KnownStrides known[3];
  LinearView views[2], output;
  /// Whether tiles stay within the innermost row loop.
  bool rowTilesInRun = false;
  /// Whether a reduction block is not the whole reduction.
  bool reductionBlocked = false;
  /// Partial sums live in the workspace and not in the output.
  bool sumsInWorkspace = false;
  int64_t laneBlock = 0, rowBlock = 0;
  /// A columns loop inside the blocks, which all its iterations read.
  std::optional<unsigned> innerColumn;

  // State of the block being emitted.
  mlir::Value workspace;
  int64_t workspaceUsed = 0, workspaceNeeded = 0;
  llvm::SmallVector<LoopRange> ranges;          ///< of the root's loops
  llvm::SmallVector<LoopRange> rowRanges;       ///< of rowLoops
  llvm::SmallVector<LoopRange> reductionRanges; ///< of reductionLoops
  LinearView blockLeft, blockRight;
  Packing packing = Packing::None;
  mlir::Value panel;       ///< of the right operand, for the lanes at hand
  mlir::Value panelFilled; ///< by a tile before those of a rest
  int64_t panelSteps = 0;  ///< of the reduction in a panel
  LinearView tileRight;    ///< blockRight, or its panel
  /// The panel where a tile stores what it reads of the right operand.
  std::optional<LinearView> filledPanel;
  mlir::Value sums; ///< partial sums in the workspace
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_NEST_H
