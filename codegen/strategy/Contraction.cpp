//===- Contraction.cpp - How a contraction is blocked ---------------------===//
//
// Registers decide mr x nr, the first-level cache kc, the second-level cache
// mc, the shape the rest.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/Contraction.h"

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/ContractionForm.h"
#include "codegen/strategy/WinogradForm.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

bool isContraction(linalg::GenericOp op) {
  return ContractionForm::of(op).has_value();
}

bool isProduct(linalg::GenericOp op) {
  auto form = ContractionForm::of(op);
  if (!form)
    return false;
  bool window = llvm::any_of(op.getIndexingMapsArray(), [](AffineMap map) {
    return !map.isProjectedPermutation();
  });
  return window || !form->rows.empty() || !form->columns.empty() ||
         !form->sharedLane;
}

/// Stands for an extent that is not known: large enough that blocks are cut.
static constexpr int64_t kManyRows = 4096;

/// What a cache brings at a time.
static constexpr int64_t kLineBytes = 64;

/// Rows that a task has at least, for a right operand of so many bytes: packing
/// a panel costs as much as computing some ten of them, and three times that
/// where the operand comes from beyond the second-level cache.
static int64_t fewestRows(int64_t rightBytes, const Target &target) {
  return rightBytes <= target.l2Bytes / 2 ? 192 : 384;
}

/// Rows that a task has at least where nothing is packed, and the right operand
/// is near.
static constexpr int64_t kFewestUnpacked = 32;

int64_t equalParts(int64_t extent, int64_t most) {
  int64_t parts = llvm::divideCeil(extent, std::max<int64_t>(most, 1));
  return llvm::divideCeil(extent, std::max<int64_t>(parts, 1));
}

/// True if the left operand is contiguous along the rows and not along the
/// reduction, as in a gradient for weights: every step of a tile reads a cache
/// line of its own, and the next tiles what is left of it.
static bool leftRunsAcross(linalg::GenericOp op, const ContractionForm &form) {
  if (form.sharedLane || form.rows.empty() ||
      strideOf(op, form.left, form.rows.back()) != 1)
    return false;
  return llvm::none_of(form.reduction, [&](unsigned loop) {
    return strideOf(op, form.left, loop) == 1;
  });
}

/// The longest run of the reduction along which the left operand is contiguous,
/// and the right one evenly spaced: a window's row of all channels.
static int64_t leftRun(linalg::GenericOp op, const ContractionForm &form) {
  int64_t run = 1;
  std::optional<int64_t> space;
  auto continues = [&](unsigned loop) {
    return form.extents[loop] > 1 && strideOf(op, form.left, loop) == run &&
           (!space || strideOf(op, form.right, loop) == run * *space);
  };
  for (auto next = llvm::find_if(form.reduction, continues);
       next != form.reduction.end();
       next = llvm::find_if(form.reduction, continues)) {
    if (!space && !(space = strideOf(op, form.right, *next)))
      return 1;
    run *= form.extents[*next];
  }
  return run;
}

/// Registers beside those of the panel's vectors for what a tile reads of the
/// left operand: `wide` vectors are multiplied by each element.
static int64_t registersForLeft(int64_t wide, const Target &target) {
  // On AArch64 no instruction loads and multiplies, and NEON's multiply-adds
  // take an element of a register as it is. LLVM's scheduler starts as many
  // loads ahead as hide a load's latency, 5 cycles of two ports, whether or not
  // there are registers for them: without, sums are spilled or moved about.
  constexpr int64_t kInFlight = 5 * 2;
  if (target.isAArch64())
    return llvm::divideCeil(kInFlight, wide);
  // One broadcast, and a spare one where that costs no row.
  return wide == 3 ? 1 : 2;
}

/// The register tile: as many accumulators as registers hold beside the panel's
/// vectors and what is read of the left operand.
static void chooseTile(Blocking &blocking, const ContractionForm &form,
                       const Target &target, int64_t lanes) {
  int64_t extent = form.extents[form.lane];
  if (ShapedType::isDynamic(extent))
    extent = kManyRows;
  int64_t registers = target.vectorRegisters;
  // Vectors that the lane's extent fills, its power-of-two tail included.
  int64_t vectors = extent / lanes + llvm::popcount(uint64_t(extent % lanes));
  if (extent * 2 <= lanes) // one short vector
    vectors = 1;
  if (form.sharedLane) {
    // Both operands are vectors, each used once: nothing to gain from width.
    blocking.nr = std::min<int64_t>(lanes, llvm::bit_floor(uint64_t(extent)));
    blocking.mr = registers / 2;
    return;
  }
  int64_t wide = std::min<int64_t>(registers >= 32 ? 4 : 2, vectors);
  // Tiles of one width, if there is one: 96 = 48 + 48 and not 64 + 32.
  if (vectors % wide != 0 && (extent % lanes == 0 || vectors == 3))
    for (int64_t other : {3, 2})
      if (vectors % other == 0) {
        wide = other;
        break;
      }
  blocking.nr = std::min(wide * lanes, std::max<int64_t>(extent, 1));
  if (blocking.nr < wide * lanes) // with a tail: all of its vectors
    wide = vectors;
  blocking.mr = std::max<int64_t>(
      (registers - wide - registersForLeft(wide, target)) / wide, 1);
}

/// The largest tile of at most mr rows, and more than half of that, that covers
/// a run of rows without a rest and hides the latency of its multiply-adds; mr
/// where there is none. It saves the rest's code, and addresses of rows in
/// several runs.
static int64_t wholeTiles(int64_t run, int64_t mr, int64_t vectors) {
  // Multiply-adds in flight: 4 cycles on two ports, half as many again for
  // loads that come late.
  constexpr int64_t kEnough = 12;
  for (int64_t rows = mr; rows * 2 > mr && rows * vectors >= kEnough; --rows)
    if (run % rows == 0)
      return rows;
  return mr;
}

FailureOr<Attribute> chooseContraction(linalg::GenericOp op,
                                       const Target &target,
                                       std::optional<RegisterTile> tile) {
  std::optional<ContractionForm> form = ContractionForm::of(op);
  if (!form)
    return failure();
  unsigned bits = getElementTypeOrSelf(op.getDpsInits()[0].getType())
                      .getIntOrFloatBitWidth();
  int64_t bytes = bits / 8;
  int64_t lanes = std::max<unsigned>(target.lanes(bits), 1);
  auto known = [](int64_t extent) {
    return ShapedType::isDynamic(extent) ? kManyRows : extent;
  };
  int64_t rows = known(form->product(form->rows));
  int64_t steps = known(form->product(form->reduction));
  int64_t lane = known(form->extents[form->lane]);

  Blocking blocking;
  chooseTile(blocking, *form, target, lanes);
  // Operands contiguous along so many steps of the reduction.
  auto along = [&](unsigned operand, int64_t steps) {
    return llvm::any_of(form->reduction, [&](unsigned loop) {
      return strideOf(op, operand, loop) == 1 &&
             known(form->extents[loop]) >= steps;
    });
  };
  auto dots = [&](int64_t steps) {
    return !form->sharedLane && along(form->left, steps) &&
           along(form->right, steps);
  };
  if (lane == 1 && dots(lanes)) {
    blocking.alongReduction = true;
    blocking.mr = target.vectorRegisters / 2;
  } else if (!form->sharedLane && lane * 2 <= lanes && rows >= 4 &&
             leftRun(op, *form) >= lanes) {
    // Few lanes would leave most of a vector empty.
    blocking.alongReduction = true;
    blocking.nr = lane;
    blocking.mr =
        std::max<int64_t>((target.vectorRegisters - 1) / (lane + 1), 1);
  }
  const int64_t mrMost = blocking.mr;
  if (tile) {
    blocking.mr = tile->mr;
    blocking.nr = tile->nr;
  } else if (!form->sharedLane && !blocking.alongReduction &&
             form->rows.size() > 1) {
    if (int64_t run = form->extents[form->rows.back()];
        !ShapedType::isDynamic(run) && run < 4 * blocking.mr)
      blocking.mr =
          wholeTiles(run, blocking.mr, llvm::divideCeil(blocking.nr, lanes));
  }

  std::optional<int64_t> rightLane = strideOf(op, form->right, form->lane);
  bool contiguous = rightLane == 1;
  blocking.packRight =
      !form->sharedLane &&
      (!contiguous ||
       (lane > 2 * blocking.nr && rows >= 4 * blocking.mr && steps >= 16));

  // The rows of a tile stay in half of the first-level cache while its lanes
  // come from a panel in an eighth of the second; the block of the left operand
  // fills half of that.
  int64_t kcMost = std::min(target.l2Bytes / 8 / (blocking.nr * bytes),
                            target.l1Bytes / 2 / (blocking.mr * bytes));
  if (leftRunsAcross(op, *form))
    kcMost = std::min(kcMost, target.l1Bytes / 2 / kLineBytes);
  kcMost = std::max<int64_t>(kcMost, 128);
  blocking.kc = steps <= kcMost * 3 / 2 ? steps : equalParts(steps, kcMost);
  int64_t l2 = std::max<int64_t>(target.l2Bytes, 128 << 10);
  int64_t step = std::min(blocking.kc, steps) * bytes; // of a row or column
  const int64_t rightBytes = steps * lane * bytes;
  const int64_t fewest = fewestRows(rightBytes, target);
  int64_t mcMost = std::max<int64_t>(l2 / 2 / step, fewest);
  // Multiply-adds that make a task worth starting: some microseconds.
  constexpr int64_t kTaskWork = 1 << 18;
  bool isNear = !blocking.packRight && !leftRunsAcross(op, *form) &&
                rightBytes <= target.l2Bytes / 2;
  int64_t taskRows = std::max(kTaskWork / std::max<int64_t>(steps * lane, 1),
                              isNear ? kFewestUnpacked : fewest);
  blocking.mc = equalParts(rows, std::min({rows, mcMost, taskRows}));
  blocking.mc = llvm::alignTo(blocking.mc, blocking.mr);
  // Few enough lanes that a large product has some tasks.
  int64_t ncMost = std::max<int64_t>(l2 / step, 128);
  blocking.nc = lane <= ncMost
                    ? lane
                    : llvm::alignTo(equalParts(lane, ncMost), blocking.nr);

  // What pads or computes the left operand runs once for each block of lanes.
  bool copied = op->getOperand(form->left).getDefiningOp<memref::AllocOp>();
  if (copied)
    blocking.nc = std::min<int64_t>(lane, 4 * blocking.nc);
  // A long reduction with few rows (a gradient for a kernel) gives one task:
  // two, by lanes if the left operand is read where it is, else by rows.
  if (steps >= kManyRows && rows <= fewest && !form->sharedLane) {
    if (!copied && lane >= 2 * blocking.nr && blocking.nc == lane)
      blocking.nc = llvm::alignTo(llvm::divideCeil(lane, 2), blocking.nr);
    else if (rows >= 12 * mrMost)
      blocking.mc = llvm::alignTo(llvm::divideCeil(rows, 2), blocking.mr);
  }
  // One sample of much work (a convolution at batch 1) should give a few
  // tasks, by lanes where its rows are a block or two.
  int64_t sample = 1;
  for (unsigned loop : form->rows)
    if (!ShapedType::isDynamic(form->extents[loop]))
      sample *= form->extents[loop];
  int64_t rowTasks = llvm::divideCeil(sample, blocking.mc);
  if (sample > 1 && rowTasks < 4 && !form->sharedLane &&
      sample * steps * lane >= kTaskWork)
    blocking.nc = std::min(
        blocking.nc,
        std::max<int64_t>(
            llvm::alignTo(llvm::divideCeil(lane * rowTasks, 4), blocking.nr),
            2 * blocking.nr));
  if (form->sharedLane && steps <= 64) {
    // Little work per element: its block's copy should come from as near as
    // it can, and still have few border rows.
    blocking.nc = std::min(lane, 4 * lanes);
    blocking.mc = std::clamp<int64_t>(l2 / 8 / (blocking.nc * bytes), 1, rows);
  }

  if (form->sharedLane) {
    // The taps of a depthwise kernel's gradient are few: all in one tile.
    int64_t taps = form->product(form->rows);
    blocking.flattenRows =
        !ShapedType::isDynamic(taps) && taps <= target.vectorRegisters - 4;
    if (blocking.flattenRows)
      blocking.mr = std::max<int64_t>(taps, 1);
  } else if (form->rows.size() > 1) {
    int64_t inner = form->extents[form->rows.back()];
    blocking.flattenRows = !ShapedType::isDynamic(inner) &&
                           inner % blocking.mr != 0 && inner < 4 * blocking.mr;
  }
  // A left operand whose rows are contiguous is copied where its steps are
  // pages or large parts of them apart: the copy is read lane / nr times, from
  // few pages and all cache sets.
  if (!form->reduction.empty() && !form->sharedLane) {
    int64_t nearest = std::numeric_limits<int64_t>::max();
    for (unsigned loop : form->reduction)
      nearest = std::min(
          nearest, std::abs(strideOf(op, form->left, loop).value_or(nearest)));
    blocking.copyLeft = nearest != std::numeric_limits<int64_t>::max() &&
                        nearest * bytes >= 1024 && lane >= 4 * blocking.nr &&
                        blocking.packRight;
  }
  if (blocking.alongReduction) {
    blocking.packRight = !along(form->right, lanes);
    // Rows of a tile that lie together are finished together.
    blocking.flattenRows = false;
  }
  // One row: enough lanes that the latency of the multiply-adds is hidden and
  // half of the registers stay free for what they load.
  if (!form->sharedLane && rows == kManyRows && lane > 1) {
    int64_t vectors = target.vectorRegisters / 2;
    if (contiguous)
      blocking.singleRowNr = std::min(vectors * lanes, lane);
    else if (dots(2 * lanes))
      blocking.singleRowNr = std::min(lanes, lane);
  }
  if (auto window = WinogradForm::of(op, *form))
    blocking.winograd =
        chooseWinograd(op.getContext(), *window, blocking.mr, target);
  blocking.serial = kSerialWork;
  return Attribute(blocking.get(op.getContext()));
}

} // namespace cornu::codegen
