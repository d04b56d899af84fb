//===- Nest.cpp - The loops of a contraction around its tiles -------------===//
//
// From the task's index to the register tile:
//
//   task -> (batch, columns, rows block, lane block) -> reduction blocks
//        -> lane tiles -> row tiles
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
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

/// Covers [0, total) with tiles of `tile` rows and smaller ones for the rest.
/// A known rest is cut once: where it would be too short to hide the latency
/// of its multiply-adds, the last full tile shares with it.
void ContractionNest::forTiles(Value total, int64_t tile,
                               llvm::function_ref<void(Value, int64_t)> body) {
  if (std::optional<int64_t> rows = constantOf(total)) {
    int64_t full = *rows / tile, rest = *rows % tile;
    SmallVector<int64_t> tails;
    if (rest != 0 && rest * 2 <= tile && full > 0) {
      --full;
      tails = {(tile + rest + 1) / 2, (tile + rest) / 2};
    } else if (rest != 0) {
      tails = {rest};
    }
    forRange(math.constant(0), math.constant(full * tile), tile,
             [&](Value start) { body(start, tile); });
    int64_t start = full * tile;
    for (int64_t tail : tails) {
      body(math.constant(start), tail);
      start += tail;
    }
    return;
  }
  Value start = math.constant(0);
  for (int64_t size = tile; size > 0;
       size = size == tile ? llvm::bit_floor(uint64_t(tile - 1)) : size / 2) {
    Value left = math.sub(total, start);
    Value whole = math.mul(math.div(left, math.constant(size)),
                           OpFoldResult(builder.getIndexAttr(size)));
    Value end = math.add(start, whole);
    forRange(start, end, size, [&](Value at) { body(at, size); });
    start = end;
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

SmallVector<unsigned> ContractionNest::laneWidths(int64_t extent) const {
  return lanePieces(extent, width);
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

/// The points of a block that starts at `low`: `step`, or what is left.
Value ContractionNest::blockSize(Value extent, Value low, int64_t step) {
  std::optional<int64_t> known = constantOf(extent);
  if (step == 1 || (known && *known % step == 0))
    return math.constant(step);
  return math.min(math.constant(step), math.sub(extent, low));
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
    LoopRange range;
    range.low = math.mul(block, OpFoldResult(builder.getIndexAttr(step)));
    range.largest = step;
    range.size = blockSize(extent, range.low, step);
    return range;
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
    ranges[loop] = take(extents[loop], 1);
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
    LoopRange range;
    range.low = low;
    range.largest = loop.step;
    range.size = blockSize(loop.extent, low, loop.step);
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
  bool pack = strategy.getPackRight() && !form.sharedLane;
  if (pack)
    packPanels();
  forLaneTiles([&](const LaneTile &lanes) {
    tileRight = pack ? panelView(lanes) : blockRight;
    emitRowTiles(lanes);
  });
  workspaceUsed = used;
}

void ContractionNest::forLaneTiles(
    llvm::function_ref<void(const LaneTile &)> body) {
  LoopRange lane = ranges[form.lane];
  auto tile = [&](Value start, ArrayRef<unsigned> widths) {
    body({math.add(lane.low, start), SmallVector<unsigned>(widths)});
  };
  int64_t full = strategy.getNr();
  Value whole = math.mul(math.div(lane.size, math.constant(full)),
                         OpFoldResult(builder.getIndexAttr(full)));
  SmallVector<unsigned> fullWidths = laneWidths(full);
  if (lane.largest >= full)
    forRange(math.constant(0), whole, full,
             [&](Value start) { tile(start, fullWidths); });
  if (std::optional<int64_t> size = constantOf(lane.size)) {
    // At most as many vectors as a full tile, so that they fit in registers.
    SmallVector<unsigned> rest = laneWidths(*size % full);
    int64_t start = *size / full * full;
    for (size_t i = 0; i < rest.size(); i += fullWidths.size()) {
      ArrayRef<unsigned> part = ArrayRef<unsigned>(rest).slice(
          i, std::min(fullWidths.size(), rest.size() - i));
      tile(math.constant(start), part);
      for (unsigned lanes : part)
        start += lanes;
    }
    return;
  }
  Value start = whole;
  for (unsigned lanes = llvm::bit_floor(unsigned(full)); lanes > 0;
       lanes /= 2) {
    Value end = math.add(
        start,
        math.mul(math.div(math.sub(lane.size, start), math.constant(lanes)),
                 OpFoldResult(builder.getIndexAttr(lanes))));
    SmallVector<unsigned> widths = laneWidths(lanes);
    forRange(start, end, lanes, [&](Value at) { tile(at, widths); });
    start = end;
  }
}

void ContractionNest::emitRowTiles(const LaneTile &lanes) {
  int64_t size = strategy.getMr();
  unsigned count = rowLoops.size();
  if (count == 0) {
    emitTile({{RowPoint{{}, math.constant(0)}}, true}, lanes);
    return;
  }
  if (count == 1 || rowTilesInRun) {
    // Tiles along the innermost loop, for each point of the others.
    SmallVector<Value> outer;
    std::function<void(unsigned, Value)> nest = [&](unsigned level,
                                                    Value slot) {
      LoopRange &range = rowRanges[level];
      Value first =
          math.mul(slot, OpFoldResult(builder.getIndexAttr(range.largest)));
      if (level + 1 < count) {
        forRange(math.constant(0), range.size, 1, [&](Value i) {
          outer.push_back(math.add(range.low, i));
          nest(level + 1, math.add(first, i));
          outer.pop_back();
        });
        return;
      }
      forTiles(range.size, size, [&](Value start, int64_t rows) {
        RowTile tile;
        tile.consecutive = true;
        Value index = math.add(range.low, start);
        Value place = math.add(first, start);
        for (int64_t r = 0; r < rows; ++r) {
          RowPoint point{outer, addConstant(builder, loc, place, r)};
          point.indices.push_back(addConstant(builder, loc, index, r));
          tile.rows.push_back(point);
        }
        emitTile(tile, lanes);
      });
    };
    nest(0, math.constant(0));
    return;
  }
  Value total = math.constant(1);
  for (LoopRange &range : rowRanges)
    total = math.mul(total, OpFoldResult(range.size));
  forTiles(total, size, [&](Value start, int64_t rows) {
    RowTile tile;
    for (int64_t r = 0; r < rows; ++r) {
      Value slot = addConstant(builder, loc, start, r);
      SmallVector<Value> indices(count);
      Value rest = slot;
      for (unsigned i = count; i-- > 0;) {
        Value inBlock = i == 0 ? rest : math.rem(rest, rowRanges[i].size);
        rest = i == 0 ? rest : math.div(rest, rowRanges[i].size);
        indices[i] = math.add(rowRanges[i].low, inBlock);
      }
      tile.rows.push_back(RowPoint{indices, slot});
    }
    emitTile(tile, lanes);
  });
}

} // namespace cornu::codegen
