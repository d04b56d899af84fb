//===- NestEmitter.h - The loops of one nest --------------------*- C++ -*-===//
//
// What the parts of NestLoops share: the loops from the outside in
// (NestLoops.cpp), and those of a reduction, whose accumulators are in
// registers (NestReductions.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTEMITTER_H
#define CORNU_CODEGEN_SCHEDULE_NESTEMITTER_H

#include "codegen/schedule/NestGuards.h"
#include "codegen/schedule/NestLoops.h"
#include "codegen/schedule/NestPoint.h"

namespace cornu::codegen {

/// Emits one nest, whose loops run over `ranges`.
class NestEmitter {
public:
  NestEmitter(const Nest &nest, llvm::ArrayRef<NestRange> ranges)
      : nest(nest), op(nest.root), loc(op.getLoc()), ranges(ranges),
        indices(op.getNumLoops()), guards(guardsOf(op)),
        types(op.getIteratorTypesArray()), lanes(lanesOf(nest, ranges)),
        width(nest.strategy.getWidth()), vectors(nest.strategy.getVectors()),
        tileLoop(nest.strategy.getTileLoop()), tile(nest.strategy.getTile()) {
    for (unsigned loop = 0; loop < ranges.size(); ++loop)
      if (ranges[loop].isFixed())
        indices[loop] = ranges[loop].lower;
    if (lanes.loop >= 0 && ranges[lanes.loop].isFixed())
      lanes = {};
    if (lanes.loop < 0)
      width = vectors = 1;
    for (const RunLoop &run : lanes.run)
      indices[run.loop] = ranges[run.loop].lower;
    if (tileLoop >= 0 && ranges[tileLoop].isFixed())
      tileLoop = -1;
    if (tileLoop < 0)
      tile = 1;
  }

  void emit(mlir::OpBuilder &builder) {
    llvm::SmallVector<unsigned> outer;
    for (unsigned loop = 0; loop < ranges.size(); ++loop)
      if (!ranges[loop].isFixed() && !lanes.runAlong(loop) &&
          static_cast<int>(loop) != tileLoop &&
          types[loop] == mlir::utils::IteratorType::parallel)
        outer.push_back(loop);
    emitOuter(builder, outer);
  }

private:
  bool isReduction(int loop) const {
    return loop >= 0 && types[loop] == mlir::utils::IteratorType::reduction;
  }

  void emitOuter(mlir::OpBuilder &builder, llvm::ArrayRef<unsigned> outer);
  void emitTileLoop(mlir::OpBuilder &builder);
  void throughBorder(mlir::OpBuilder &builder, unsigned loop,
                     llvm::function_ref<void(NestRange, bool)> run);
  bool canMask(llvm::ArrayRef<Guard> atBorder, llvm::ArrayRef<Guard> others);
  void emitLane(mlir::OpBuilder &builder, unsigned tileSize);
  void emitLane(mlir::OpBuilder &builder, unsigned tileSize, NestRange range,
                bool isInside);
  void emitTile(mlir::OpBuilder &builder, unsigned laneWidth,
                unsigned laneVectors, unsigned tileSize);
  void emitMapTile(mlir::OpBuilder &builder, NestTile &tile);
  void emitReduceTile(mlir::OpBuilder &builder, unsigned laneWidth,
                      unsigned laneVectors, unsigned tileSize);
  void emitUpdateTile(mlir::OpBuilder &builder, NestTile &tile);
  void emitFold(mlir::OpBuilder &builder);
  Carried reductionLoops(
      mlir::OpBuilder &builder, llvm::ArrayRef<unsigned> loops,
      mlir::ValueRange carried,
      llvm::function_ref<Carried(mlir::OpBuilder &, mlir::ValueRange)> body);
  llvm::SmallVector<unsigned> innerReductions(int except, int alsoExcept) const;
  mlir::Value initialValue(mlir::OpBuilder &builder, NestTile &tile,
                           unsigned output, unsigned point);

  const Nest &nest;
  mlir::linalg::GenericOp op;
  mlir::Location loc;
  llvm::ArrayRef<NestRange> ranges;
  llvm::SmallVector<mlir::Value> indices;
  llvm::SmallVector<Guard> guards;
  /// Guards that fail in some lanes of the present vectors.
  llvm::ArrayRef<Guard> border;
  llvm::SmallVector<mlir::utils::IteratorType> types;
  Lanes lanes;
  unsigned width, vectors;
  int tileLoop;
  unsigned tile;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTEMITTER_H
