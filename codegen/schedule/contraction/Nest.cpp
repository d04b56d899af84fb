//===- Nest.cpp - The loops of a contraction around its tiles -------------===//
//
// From the task's index to the register tile:
//
//   task -> (batch, columns, rows block, lane block) -> reduction blocks
//        -> lane tiles -> row tiles
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

ContractionNest::ContractionNest(RewriterBase &rewriter, linalg::GenericOp root,
                                 ContractionForm form, ContractionFusion fusion,
                                 ContractionAttr strategy, unsigned vectorWidth)
    : builder(rewriter), loc(root.getLoc()), math{rewriter, root.getLoc()},
      root(root), form(std::move(form)), fusion(std::move(fusion)),
      strategy(strategy),
      element(getElementTypeOrSelf(root.getDpsInits()[0].getType())),
      width(vectorWidth), maps(root.getIndexingMapsArray()) {}

//===----------------------------------------------------------------------===//
// Small loops
//===----------------------------------------------------------------------===//

void ContractionNest::forRange(Value low, Value high, int64_t step,
                               llvm::function_ref<void(Value)> body) {
  auto first = constantOf(low), last = constantOf(high);
  if (first && last && *first >= *last)
    return;
  if (first && last && *first + step >= *last)
    return body(low);
  auto loop = scf::ForOp::create(builder, loc, low, high, math.constant(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void ContractionNest::ifElse(Value condition, llvm::function_ref<void()> then,
                             llvm::function_ref<void()> otherwise) {
  if (std::optional<int64_t> known = constantOf(condition)) {
    if (*known)
      then();
    else if (otherwise)
      otherwise();
    return;
  }
  auto branch = scf::IfOp::create(builder, loc, condition,
                                  /*withElseRegion=*/bool(otherwise));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  then();
  if (otherwise) {
    builder.setInsertionPointToStart(branch.elseBlock());
    otherwise();
  }
}

Value ContractionNest::allocate(int64_t elements) {
  int64_t bytes = elements * element.getIntOrFloatBitWidth() / 8;
  Value offset = math.constant(workspaceUsed);
  workspaceUsed = llvm::alignTo(workspaceUsed + bytes, 64);
  workspaceNeeded = std::max(workspaceNeeded, workspaceUsed);
  return memref::ViewOp::create(builder, loc,
                                MemRefType::get({elements}, element), workspace,
                                offset, ValueRange());
}

//===----------------------------------------------------------------------===//
// Tasks and blocks
//===----------------------------------------------------------------------===//

void ContractionNest::emitGrid() {
  // One factor of the grid per loop: its extent in blocks.
  Value count = math.constant(1);
  auto factor = [&](Value extent, int64_t step) {
    count = math.mul(count, OpFoldResult(math.ceilDiv(extent, step)));
  };
  for (unsigned loop : form.batch)
    factor(extents[loop], 1);
  for (unsigned loop : form.columns)
    if (loop != innerColumn)
      factor(extents[loop], 1);
  for (NestLoop &loop : rowLoops)
    factor(loop.extent, loop.step);
  factor(extents[form.lane], laneBlock);

  if (constantOf(count) == 1) {
    emitTask(math.constant(0), math.constant(0));
    return;
  }
  Value work = math.constant(1);
  for (Value extent : extents)
    work = math.mul(work, OpFoldResult(extent));
  Value large;
  if (std::optional<int64_t> known = constantOf(work))
    large = arith::ConstantOp::create(
        builder, loc, builder.getBoolAttr(*known >= strategy.getSerial()));
  else
    large = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, work,
                                  math.constant(strategy.getSerial()));
  ParallelOp::create(builder, loc, count, large,
                     [&](OpBuilder &, Location, Value task, Value worker) {
                       emitTask(task, worker);
                     });
}

/// The block that starts at `low`: `step` points, or what is left.
LoopRange ContractionNest::blockRange(Value extent, Value low, int64_t step) {
  LoopRange range;
  range.low = low;
  range.largest = step;
  std::optional<int64_t> known = constantOf(extent);
  if (step == 1 || (known && *known % step == 0)) {
    range.size = math.constant(step);
    return range;
  }
  range.size = math.min(math.constant(step), math.sub(extent, low));
  if (known)
    range.last = *known % step;
  return range;
}

void ContractionNest::startWorkspace(Value worker) {
  workspaceUsed = 0;
  auto bytes = MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
  workspace = WorkerWorkspaceOp::create(builder, loc, bytes, worker);
}

void ContractionNest::emitTask(Value task, Value worker) {
  startWorkspace(worker);

  ranges.assign(root.getNumLoops(), LoopRange());
  rowRanges.assign(rowLoops.size(), LoopRange());
  reductionRanges.assign(reductionLoops.size(), LoopRange());
  auto take = [&](Value extent, int64_t step) {
    Value blocks = math.ceilDiv(extent, step);
    Value block = math.rem(task, blocks);
    task = math.div(task, blocks);
    Value low = math.mul(block, OpFoldResult(builder.getIndexAttr(step)));
    return blockRange(extent, low, step);
  };
  // The innermost factor varies fastest. A grid of one block needs no
  // remainder: ceilDiv and rem fold.
  ranges[form.lane] = take(extents[form.lane], laneBlock);
  for (unsigned i = rowLoops.size(); i-- > 0;) {
    rowRanges[i] = take(rowLoops[i].extent, rowLoops[i].step);
    if (rowLoops[i].loops.size() == 1)
      ranges[rowLoops[i].inner()] = rowRanges[i];
    else
      for (unsigned loop : rowLoops[i].loops)
        ranges[loop] = {math.constant(0), extents[loop], form.extents[loop]};
  }
  for (unsigned loop : llvm::reverse(form.columns))
    ranges[loop] =
        loop == innerColumn
            ? LoopRange{math.constant(0), extents[loop], form.extents[loop]}
            : take(extents[loop], 1);
  for (unsigned loop : llvm::reverse(form.batch))
    ranges[loop] = take(extents[loop], 1);

  if (sumsInWorkspace)
    sums = allocate(rowBlock * laneBlock);
  emitReductionBlocks(0);
}

void ContractionNest::emitReductionBlocks(unsigned level) {
  if (level == reductionLoops.size())
    return emitBlock();
  NestLoop &loop = reductionLoops[level];
  forRange(math.constant(0), loop.extent, loop.step, [&](Value low) {
    LoopRange range = blockRange(loop.extent, low, loop.step);
    reductionRanges[level] = range;
    if (loop.loops.size() == 1)
      ranges[loop.inner()] = range;
    else
      for (unsigned inner : loop.loops)
        ranges[inner] = {math.constant(0), extents[inner], form.extents[inner]};
    emitReductionBlocks(level + 1);
  });
}

Value ContractionNest::isFirstBlock() {
  Value sum = math.constant(0);
  for (LoopRange &range : reductionRanges)
    sum = math.add(sum, range.low);
  if (std::optional<int64_t> known = constantOf(sum))
    return arith::ConstantOp::create(builder, loc,
                                     builder.getBoolAttr(*known == 0));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, sum,
                               math.constant(0));
}

Value ContractionNest::isLastBlock() {
  if (!reductionBlocked)
    return arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  Value last =
      arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  for (auto [loop, range] : llvm::zip(reductionLoops, reductionRanges)) {
    Value end = math.add(range.low, range.size);
    Value here = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       end, loop.extent);
    last = arith::AndIOp::create(builder, loc, last, here);
  }
  return last;
}

void ContractionNest::emitBlock() {
  int64_t used = workspaceUsed;
  LinearView block[2];
  for (unsigned input = 0; input < 2; ++input)
    block[input] = copies[input] ? copyRegion(input) : views[input];
  blockLeft = block[form.left];
  blockRight = block[form.right];
  packing = Packing::None;
  if (strategy.getPackRight() && !form.sharedLane) {
    packing = blockRight.stride(form.lane) == 1 && !strategy.getAlongReduction()
                  ? Packing::WithFirstTile
                  : Packing::Ahead;
    allocatePanel();
  }
  auto tiles = [&] {
    forLaneTiles([&](const LaneTile &lanes) {
      if (packing == Packing::Ahead)
        packPanel(lanes);
      emitRowTiles(lanes);
    });
  };
  if (!innerColumn) {
    tiles();
  } else {
    LoopRange all = ranges[*innerColumn];
    forRange(all.low, all.size, 1, [&](Value column) {
      ranges[*innerColumn] = {column, math.constant(1)};
      tiles();
    });
    ranges[*innerColumn] = all;
  }
  workspaceUsed = used;
}

} // namespace cornu::codegen
