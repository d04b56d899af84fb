//===- NestGeneralization.cpp - All ops as generics and fills -------------===//
//
// linalg.map, memref.copy, named ops -> linalg.generic or linalg.fill
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/NestFusion.h"

#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

/// Moves allocations and everything that has no effect to the front of each
/// block, so that nests can move freely behind them.
static void hoistDefinitions(func::FuncOp kernel) {
  SmallVector<Block *> blocks;
  kernel.walk([&](Block *block) {
    if (!isa<linalg::LinalgOp>(block->getParentOp()))
      blocks.push_back(block);
  });
  for (Block *block : blocks) {
    llvm::SmallDenseSet<Operation *> staying;
    Operation *front = nullptr; // the last op that has moved
    for (Operation &op :
         llvm::make_early_inc_range(block->without_terminator())) {
      bool movable = isa<memref::AllocOp>(op) ||
                     (isMemoryEffectFree(&op) && op.getNumRegions() == 0);
      for (Value operand : op.getOperands())
        if (Operation *source = operand.getDefiningOp())
          movable &= !staying.count(source);
      if (!movable) {
        staying.insert(&op);
        continue;
      }
      if (front)
        op.moveAfter(front);
      else
        op.moveBefore(block, block->begin());
      front = &op;
    }
  }
}

void generalizeOps(RewriterBase &rewriter, func::FuncOp kernel) {
  SmallVector<Operation *> ops;
  kernel.walk([&](Operation *op) {
    if (isa<memref::CopyOp>(op) ||
        (isa<linalg::LinalgOp>(op) &&
         !isa<linalg::GenericOp, linalg::FillOp>(op)))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    rewriter.setInsertionPoint(op);
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      auto type = cast<MemRefType>(copy.getSource().getType());
      AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
      SmallVector<utils::IteratorType> parallel(type.getRank(),
                                                utils::IteratorType::parallel);
      linalg::GenericOp::create(
          rewriter, copy.getLoc(), copy.getSource(), copy.getTarget(),
          ArrayRef<AffineMap>{identity, identity}, parallel,
          [](OpBuilder &builder, Location loc, ValueRange args) {
            linalg::YieldOp::create(builder, loc, args[0]);
          });
      rewriter.eraseOp(op);
      continue;
    }
    // A map that only yields a constant is a fill.
    if (auto map = dyn_cast<linalg::MapOp>(op)) {
      Value yielded = map.getBody()->getTerminator()->getOperand(0);
      if (map.getInputs().empty() &&
          yielded.getParentBlock() != map.getBody()) {
        linalg::FillOp::create(rewriter, op->getLoc(), yielded, map.getInit());
        rewriter.eraseOp(op);
        continue;
      }
    }
    (void)linalg::generalizeNamedOp(rewriter, cast<linalg::LinalgOp>(op));
  }
  // A buffer must not stay for its size alone.
  SmallVector<memref::DimOp> dims;
  kernel.walk([&](memref::DimOp op) { dims.push_back(op); });
  for (memref::DimOp dim : dims) {
    rewriter.setInsertionPoint(dim);
    if (auto index = dim.getConstantIndex())
      rewriter.replaceOp(dim, rewriter.createOrFold<memref::DimOp>(
                                  dim.getLoc(), dim.getSource(), *index));
  }
  hoistDefinitions(kernel);
  // A generic that only yields a constant is a fill.
  SmallVector<linalg::GenericOp> generics;
  kernel.walk([&](linalg::GenericOp op) { generics.push_back(op); });
  for (linalg::GenericOp op : generics) {
    Value yielded = op.getBody()->getTerminator()->getOperand(0);
    if (op->getNumOperands() != 1 || yielded.getParentBlock() == op.getBody() ||
        !op.getIndexingMapsArray()[0].isPermutation())
      continue;
    rewriter.setInsertionPoint(op);
    linalg::FillOp::create(rewriter, op.getLoc(), yielded, op.getDpsInits()[0]);
    rewriter.eraseOp(op);
  }
}

} // namespace cornu::codegen
