//===- NestedGrids.cpp - Grids inside a task ------------------------------===//
//
//   codegen.parallel (%t, %w) to %n {        codegen.parallel (%t, %w) to %n {
//     codegen.parallel (%u, %v) to %m {  ->    scf.for %u = 0 to %m {
//       use(%u, %v)                              use(%u, %w)
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestedGrids.h"

#include "codegen/schedule/NestBuffers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

ParallelOp enclosingGrid(Operation *op) {
  ParallelOp grid;
  for (auto next = op->getParentOfType<ParallelOp>(); next;
       next = next->getParentOfType<ParallelOp>())
    grid = next;
  return grid;
}

Block *stackBlock(Operation *op) {
  if (ParallelOp grid = enclosingGrid(op))
    return grid.getBodyBlock();
  return &op->getParentOfType<func::FuncOp>().getBody().front();
}

static void replaceByLoop(RewriterBase &rewriter, ParallelOp grid,
                          Value worker) {
  Location loc = grid.getLoc();
  rewriter.setInsertionPoint(grid);
  Value zero = arith::ConstantIndexOp::create(rewriter, loc, 0);
  Value one = arith::ConstantIndexOp::create(rewriter, loc, 1);
  auto loop = scf::ForOp::create(rewriter, loc, zero, grid.getCount(), one);
  rewriter.inlineBlockBefore(grid.getBodyBlock(),
                             loop.getBody()->getTerminator(),
                             {loop.getInductionVar(), worker});
  rewriter.eraseOp(grid);
}

/// Places the allocations of a task behind what its stages need for
/// themselves. Blocks of which one runs at a time do not share their part: that
/// would save some KB, and takes 8 % longer on two threads (kws_dscnn, batch
/// 32).
static void placeInWorkspace(RewriterBase &rewriter, ParallelOp grid,
                             int64_t offset) {
  SmallVector<memref::AllocOp> allocs;
  grid.walk([&](memref::AllocOp op) { allocs.push_back(op); });
  if (allocs.empty())
    return;
  Location loc = grid.getLoc();
  rewriter.setInsertionPointToStart(grid.getBodyBlock());
  Value bytes = WorkerWorkspaceOp::create(
      rewriter, loc,
      MemRefType::get({ShapedType::kDynamic}, rewriter.getI8Type()),
      grid.getWorker());
  for (memref::AllocOp alloc : allocs) {
    if (eraseUnused(rewriter, alloc))
      continue;
    Value start = arith::ConstantIndexOp::create(rewriter, loc, offset);
    MemRefType type = alloc.getType();
    offset = llvm::alignTo(offset + byteSize(type), 64);
    replaceAllocation(rewriter, alloc,
                      memref::ViewOp::create(rewriter, loc, type, bytes, start,
                                             ValueRange()));
  }
  requireWorkspace(grid->getParentOfType<func::FuncOp>(), offset);
}

void serializeNestedGrids(RewriterBase &rewriter, func::FuncOp kernel) {
  const int64_t ownBytes = workspaceBytes(kernel);
  for (auto grid : llvm::make_early_inc_range(kernel.getOps<ParallelOp>())) {
    SmallVector<ParallelOp> nested;
    grid.getBody().walk([&](ParallelOp op) { nested.push_back(op); });
    for (ParallelOp op : nested)
      replaceByLoop(rewriter, op, grid.getWorker());
    // Stages of a single task said worker 0.
    grid.getBody().walk([&](WorkerWorkspaceOp op) {
      rewriter.modifyOpInPlace(
          op, [&] { op.getWorkerMutable().assign(grid.getWorker()); });
    });
    // What is in a loop now must not take more stack with each iteration.
    SmallVector<memref::AllocaOp> allocas;
    grid.getBody().walk([&](memref::AllocaOp op) { allocas.push_back(op); });
    for (memref::AllocaOp alloca : allocas)
      if (alloca.getType().hasStaticShape())
        rewriter.moveOpBefore(alloca, grid.getBodyBlock(),
                              grid.getBodyBlock()->begin());
    placeInWorkspace(rewriter, grid, ownBytes);
  }
}

} // namespace cornu::codegen
