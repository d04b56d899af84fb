//===- Reduce.cpp - The reduction of a register tile ----------------------===//
//
// The loops of the reduction around the multiply-adds of a tile, in three
// forms: rows broadcast times lanes; windows of a depthwise convolution; and
// vectors along the reduction.
//
//   %acc:12 = scf.for %k ... iter_args(...) { ... 12 x vector.fma ... }
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace cornu::codegen {

/// One step of the reduction: every accumulator gets one multiply-add. What is
/// read at `right` is stored at `filled`, if there is a panel to fill.
ContractionNest::Accumulators ContractionNest::step(ValueRange left,
                                                    Value right, Value filled,
                                                    const LaneTile &lanes,
                                                    Accumulators accumulators) {
  SmallVector<Value> columns;
  int64_t column = 0;
  for (unsigned lane : lanes.widths) {
    OpFoldResult stride = tileRight.strides[form.lane];
    columns.push_back(loadLanes(
        tileRight.buffer, math.add(right, columnOffset(tileRight, column)),
        stride, lane));
    if (filled)
      vector::StoreOp::create(
          builder, loc, columns.back(), filledPanel->buffer,
          ValueRange{addConstant(builder, loc, filled, column)});
    column += lane;
  }
  unsigned next = 0;
  for (Value offset : left) {
    Value scalar;
    if (!form.sharedLane)
      scalar = memref::LoadOp::create(builder, loc, blockLeft.buffer,
                                      ValueRange{offset});
    column = 0;
    for (auto [lane, vector] : llvm::zip(lanes.widths, columns)) {
      Value factor;
      if (form.sharedLane) {
        OpFoldResult stride = blockLeft.strides[form.lane];
        factor =
            loadLanes(blockLeft.buffer,
                      math.add(offset, math.mul(math.constant(column), stride)),
                      stride, lane);
      } else {
        factor = vector::BroadcastOp::create(
            builder, loc, VectorType::get({lane}, element), scalar);
      }
      accumulators[next] = vector::FMAOp::create(builder, loc, factor, vector,
                                                 accumulators[next]);
      ++next;
      column += lane;
    }
  }
  return accumulators;
}

/// True if the reduction from loop `level` on runs on vectors along its
/// innermost loop.
bool ContractionNest::runsAlong(unsigned level) {
  if (!strategy.getAlongReduction() || form.sharedLane ||
      level >= reductionLoops.size())
    return false;
  unsigned inner = reductionLoops.back().inner();
  if (blockLeft.stride(inner) != 1 || tileRight.stride(inner) != 1)
    return false;
  // Where it is not known what is left of vectors, it is added lane by lane:
  // not in each outer step.
  return level + 1 == reductionLoops.size() ||
         constantOf(reductionRanges.back().size);
}

/// The left operand's offsets of the rows, `index` further in a reduction loop.
SmallVector<Value> ContractionNest::moved(ValueRange left, unsigned loop,
                                          Value index, const RowTile &tile) {
  Value distance = math.mul(index, blockLeft.strides[loop]);
  SmallVector<Value> offsets;
  for (Value offset : left)
    offsets.push_back(math.add(offset, distance));
  if (tile.consecutive && !rowLoops.empty()) {
    // One register for all rows: their distances are constants.
    if (auto stride = blockLeft.stride(rowLoops.back().inner()))
      for (size_t r = 1; r < offsets.size(); ++r)
        offsets[r] = addConstant(builder, loc, offsets[0], r * *stride);
  }
  return offsets;
}

/// Adds to `partial` the products of vectors of `steps` elements at these
/// offsets: one for each row and lane. What they lack to full ones is zero.
ContractionNest::Accumulators
ContractionNest::addProducts(ValueRange left, Value right, int64_t columns,
                             unsigned steps, Accumulators partial) {
  auto type = VectorType::get({steps}, element);
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  auto load = [&](Value buffer, Value offset) -> Value {
    Value vector =
        vector::LoadOp::create(builder, loc, type, buffer, ValueRange{offset});
    if (steps == width)
      return vector;
    SmallVector<int64_t> mask;
    for (unsigned i = 0; i < width; ++i)
      mask.push_back(std::min(i, steps));
    return vector::ShuffleOp::create(builder, loc, vector, zero, mask);
  };
  SmallVector<Value> factors;
  for (Value offset : left)
    factors.push_back(load(blockLeft.buffer, offset));
  for (int64_t column = 0; column < columns; ++column) {
    Value vector =
        load(tileRight.buffer,
             math.add(right, math.mul(math.constant(column),
                                      tileRight.strides[form.lane])));
    for (auto [row, factor] : llvm::enumerate(factors)) {
      Value &sum = partial[row * columns + column];
      sum = vector::FMAOp::create(builder, loc, factor, vector, sum);
    }
  }
  return partial;
}

/// Adds to `partial` the products of vectors along the innermost loop, in the
/// loops from `level` on; what is left of a size that is not known is not
/// among them.
ContractionNest::Accumulators
ContractionNest::addVectors(unsigned level, ValueRange left, Value right,
                            const RowTile &tile, int64_t columns,
                            Accumulators partial) {
  const LoopRange &range = reductionRanges[level];
  unsigned loop = reductionLoops[level].inner();
  bool last = level + 1 == reductionLoops.size();
  Value size = range.size;
  if (last)
    size = math.mul(math.div(size, math.constant(width)),
                    OpFoldResult(builder.getIndexAttr(width)));
  auto addAt = [&](Value index, unsigned steps, Accumulators sums) {
    return addProducts(
        moved(left, loop, index, tile),
        math.add(right, math.mul(index, tileRight.strides[loop])), columns,
        steps, std::move(sums));
  };
  auto nest =
      scf::ForOp::create(builder, loc, range.low, math.add(range.low, size),
                         math.constant(last ? width : 1), partial);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(nest.getBody());
    Value index = nest.getInductionVar();
    Accumulators carried(nest.getRegionIterArgs());
    scf::YieldOp::create(
        builder, loc,
        last ? addAt(index, width, carried)
             : addVectors(
                   level + 1, moved(left, loop, index, tile),
                   math.add(right, math.mul(index, tileRight.strides[loop])),
                   tile, columns, carried));
  }
  Accumulators sums(nest.getResults());
  std::optional<int64_t> steps = constantOf(range.size);
  if (!last || !steps)
    return sums;
  int64_t done = *steps / width * width;
  for (unsigned piece : lanePieces(*steps - done, width)) {
    sums = addAt(addConstant(builder, loc, range.low, done), piece,
                 std::move(sums));
    done += piece;
  }
  return sums;
}

/// The sum of the elements of each of `vectors`, as one vector. Two by two they
/// become one, whose even lanes hold the first's sums and whose odd ones the
/// second's: `width` sums take width - 1 additions.
static Value sumEach(OpBuilder &builder, Location loc, ValueRange vectors,
                     int64_t width) {
  SmallVector<Value> level(vectors);
  const int64_t count = level.size();
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(level.front().getType()));
  level.resize(llvm::bit_ceil(uint64_t(count)), zero);
  for (int64_t distance = 1; distance < width; distance *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < width; ++lane) {
      bool second = lane & distance;
      low.push_back(second ? width + lane - distance : lane);
      high.push_back(second ? width + lane : lane + distance);
    }
    SmallVector<Value> next;
    // A vector alone is added to itself.
    for (size_t i = 0; i < level.size(); i += 2) {
      Value a = level[i], b = level[std::min(i + 1, level.size() - 1)];
      next.push_back(arith::AddFOp::create(
          builder, loc, vector::ShuffleOp::create(builder, loc, a, b, low),
          vector::ShuffleOp::create(builder, loc, a, b, high)));
    }
    level = next;
  }
  return vector::ExtractStridedSliceOp::create(builder, loc, level.front(),
                                               int64_t(0), count, int64_t(1));
}

/// The reduction loops from `level` on, on vectors along the innermost: for
/// each row and lane an accumulator whose elements are summed up at the end.
ContractionNest::Accumulators
ContractionNest::reduceVectors(unsigned level, ValueRange left, Value right,
                               const RowTile &tile, const LaneTile &lanes,
                               Accumulators accumulators) {
  const int64_t columns = lanes.columns(), rows = tile.rows.size();
  Value zero = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(VectorType::get({width}, element)));
  Accumulators partial = addVectors(level, left, right, tile, columns,
                                    Accumulators(rows * columns, zero));
  // As many rows' lanes at a time as a vector holds.
  SmallVector<unsigned> pieces;
  for (int64_t row = 0; row < rows; ++row)
    llvm::append_range(pieces, lanes.widths);
  for (size_t piece = 0, next = 0; piece < pieces.size();) {
    size_t end = piece, count = 0;
    while (end < pieces.size() && count + pieces[end] <= width)
      count += pieces[end++];
    Value sums =
        sumEach(builder, loc, ValueRange(partial).slice(next, count), width);
    next += count;
    for (int64_t at = 0; piece < end; ++piece) {
      Value total = vector::ExtractStridedSliceOp::create(
          builder, loc, sums, at, int64_t(pieces[piece]), int64_t(1));
      at += pieces[piece];
      accumulators[piece] =
          arith::AddFOp::create(builder, loc, accumulators[piece], total);
    }
  }
  const LoopRange &range = reductionRanges.back();
  if (constantOf(range.size))
    return accumulators;
  // What is left of the reduction, lane by lane.
  Value whole = math.mul(math.div(range.size, math.constant(width)),
                         OpFoldResult(builder.getIndexAttr(width)));
  auto rest = scf::ForOp::create(builder, loc, math.add(range.low, whole),
                                 math.add(range.low, range.size),
                                 math.constant(1), accumulators);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(rest.getBody());
  Value index = rest.getInductionVar();
  SmallVector<Value> offsets;
  for (Value offset : left)
    offsets.push_back(math.add(offset, index));
  scf::YieldOp::create(builder, loc,
                       step(offsets, math.add(right, index), Value(), lanes,
                            Accumulators(rest.getRegionIterArgs())));
  return Accumulators(rest.getResults());
}

/// The most steps of a window that are unrolled.
static constexpr int64_t kWindow = 8;

/// True if rows of the left operand are vectors that neighbouring rows and
/// steps of the innermost reduction loop share: a depthwise convolution.
bool ContractionNest::isShortWindow(const RowTile &tile) {
  if (!form.sharedLane || !tile.consecutive || rowLoops.empty() ||
      reductionLoops.empty())
    return false;
  std::optional<int64_t> steps = constantOf(reductionRanges.back().size);
  return steps && *steps <= kWindow &&
         blockLeft.stride(rowLoops.back().inner()) &&
         blockLeft.stride(reductionLoops.back().inner()) &&
         constantOf(tileRight.strides[reductionLoops.back().inner()]);
}

/// The innermost reduction loop unrolled, in the order of the left operand's
/// addresses: each of its vectors is loaded once for all steps that read it.
ContractionNest::Accumulators
ContractionNest::slideWindow(Value left, Value right, const RowTile &tile,
                             const LaneTile &lanes, Accumulators accumulators) {
  unsigned loop = reductionLoops.back().inner();
  const LoopRange &range = reductionRanges.back();
  int64_t rowStride = *blockLeft.stride(rowLoops.back().inner());
  int64_t stepStride = *blockLeft.stride(loop);
  OpFoldResult leftLane = blockLeft.strides[form.lane];
  OpFoldResult rightLane = tileRight.strides[form.lane];
  left = math.add(left, math.mul(range.low, blockLeft.strides[loop]));
  right = math.add(right, math.mul(range.low, tileRight.strides[loop]));
  struct Use {
    int64_t address, step, row;
  };
  SmallVector<Use> uses;
  int64_t steps = *constantOf(range.size), rows = tile.rows.size();
  for (int64_t step = 0; step < steps; ++step)
    for (int64_t row = 0; row < rows; ++row)
      uses.push_back({row * rowStride + step * stepStride, step, row});
  llvm::sort(uses, [](const Use &a, const Use &b) {
    return std::tie(a.address, a.step) < std::tie(b.address, b.step);
  });
  int64_t column = 0;
  for (auto [i, lane] : llvm::enumerate(lanes.widths)) {
    SmallVector<Value> factors;
    for (int64_t step = 0; step < steps; ++step) {
      Value offset =
          math.add(math.add(right, math.mul(math.constant(step),
                                            tileRight.strides[loop])),
                   math.mul(math.constant(column), rightLane));
      factors.push_back(loadLanes(tileRight.buffer, offset, rightLane, lane));
    }
    std::optional<int64_t> loaded;
    Value vector;
    for (const Use &use : uses) {
      if (loaded != use.address) {
        Value offset = math.add(addConstant(builder, loc, left, use.address),
                                math.mul(math.constant(column), leftLane));
        vector = loadLanes(blockLeft.buffer, offset, leftLane, lane);
        loaded = use.address;
      }
      Value &accumulator = accumulators[use.row * lanes.widths.size() + i];
      accumulator = vector::FMAOp::create(builder, loc, vector,
                                          factors[use.step], accumulator);
    }
    column += lane;
  }
  return accumulators;
}

/// The loops of the reduction from `level` on; `left`, `right` and `filled` are
/// the offsets at which the outer ones stand.
ContractionNest::Accumulators
ContractionNest::reduce(unsigned level, ValueRange left, Value right,
                        Value filled, const RowTile &tile,
                        const LaneTile &lanes, Accumulators accumulators) {
  if (level == reductionLoops.size())
    return step(left, right, filled, lanes, std::move(accumulators));
  unsigned loop = reductionLoops[level].inner();
  const LoopRange &range = reductionRanges[level];
  bool last = level + 1 == reductionLoops.size();
  if (!filled && runsAlong(level))
    return reduceVectors(level, left, right, tile, lanes,
                         std::move(accumulators));
  if (last && isShortWindow(tile))
    return slideWindow(left[0], right, tile, lanes, std::move(accumulators));
  auto body = [&](Value index, ValueRange carried) {
    return reduce(
        level + 1, moved(left, loop, index, tile),
        math.add(right, math.mul(index, tileRight.strides[loop])),
        filled ? math.add(filled, math.mul(index, filledPanel->strides[loop]))
               : filled,
        tile, lanes, Accumulators(carried));
  };
  std::optional<int64_t> steps = constantOf(range.size);
  if (steps == 1)
    return body(range.low, accumulators);
  if (steps && *steps <= kWindow && isShortWindow(tile)) {
    for (int64_t i = 0; i < *steps; ++i)
      accumulators =
          body(addConstant(builder, loc, range.low, i), accumulators);
    return accumulators;
  }
  auto nest = scf::ForOp::create(builder, loc, range.low,
                                 math.add(range.low, range.size),
                                 math.constant(1), accumulators);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  scf::YieldOp::create(builder, loc,
                       body(nest.getInductionVar(), nest.getRegionIterArgs()));
  return Accumulators(nest.getResults());
}

/// The whole reduction of a tile that reads the right operand in `right`.
ContractionNest::Accumulators
ContractionNest::reduceFrom(const LinearView &right, const RowTile &tile,
                            const LaneTile &lanes, Accumulators accumulators) {
  tileRight = right;
  Value leftBase = fixedOffset(blockLeft);
  if (form.sharedLane)
    leftBase =
        math.add(leftBase, math.mul(lanes.start, blockLeft.strides[form.lane]));
  auto start = [&](const LinearView &view) {
    return math.add(fixedOffset(view),
                    math.mul(lanes.start, view.strides[form.lane]));
  };
  return reduce(0, rowOffsets(blockLeft, leftBase, tile), start(right),
                filledPanel ? start(*filledPanel) : Value(), tile, lanes,
                std::move(accumulators));
}

/// The reduction of a tile from the operand or its panel, whichever is there.
ContractionNest::Accumulators
ContractionNest::reduceTile(const RowTile &tile, const LaneTile &lanes,
                            Accumulators accumulators) {
  auto operand = [&](Accumulators sums) {
    return reduceFrom(blockRight, tile, lanes, std::move(sums));
  };
  if (strategy.getPanels())
    return reduceFrom(givenPanels(lanes), tile, lanes, std::move(accumulators));
  if (packing == Packing::None)
    return operand(std::move(accumulators));
  LinearView panel = panelView(lanes);
  auto fromPanel = [&](Accumulators sums) {
    return reduceFrom(panel, tile, lanes, std::move(sums));
  };
  if (packing == Packing::Ahead)
    return fromPanel(std::move(accumulators));
  // Few rows need no panel.
  if (int64_t(tile.rows.size()) == rowBlock)
    return operand(std::move(accumulators));
  auto either = [&](Value condition, auto then, auto otherwise) {
    auto branch = scf::IfOp::create(
        builder, loc, TypeRange(ValueRange(accumulators)), condition,
        /*withElseRegion=*/true);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(builder, loc, then(accumulators));
    builder.setInsertionPointToStart(branch.elseBlock());
    scf::YieldOp::create(builder, loc, otherwise(accumulators));
    return Accumulators(branch.getResults());
  };
  if (tile.isRest)
    return either(panelFilled, fromPanel, operand);
  auto filling = [&](Accumulators sums) {
    filledPanel = panel;
    sums = operand(std::move(sums));
    filledPanel.reset();
    return sums;
  };
  Value slot = tile.rows.front().slot;
  if (std::optional<int64_t> known = constantOf(slot))
    return *known == 0 ? filling(std::move(accumulators))
                       : fromPanel(std::move(accumulators));
  Value isFirst = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        slot, math.constant(0));
  return either(isFirst, filling, fromPanel);
}

} // namespace cornu::codegen
