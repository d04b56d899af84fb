//===- Tile.cpp - The register tile of a contraction ----------------------===//
//
// mr x (nr / width) accumulators, carried by the loops of the reduction:
//
//   %acc:12 = scf.for %k ... iter_args(...) {
//     %b0 = vector.load %panel[%k, 0] ...
//     %a0 = vector.broadcast (memref.load %left[%row0 + %k])
//     %0 = vector.fma %a0, %b0, %acc0
//     ...
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Addresses
//===----------------------------------------------------------------------===//

/// The part of an offset that is the same in the whole block: the base and
/// the loops of which a task has one iteration.
Value ContractionNest::fixedOffset(const LinearView &view) {
  Value offset = view.base;
  for (unsigned loop : form.batch)
    offset = math.add(offset, math.mul(ranges[loop].low, view.strides[loop]));
  for (unsigned loop : form.columns)
    offset = math.add(offset, math.mul(ranges[loop].low, view.strides[loop]));
  return offset;
}

SmallVector<Value> ContractionNest::rowOffsets(const LinearView &view,
                                               Value base,
                                               const RowTile &tile) {
  SmallVector<Value> offsets;
  for (auto [r, row] : llvm::enumerate(tile.rows)) {
    if (r > 0 && tile.consecutive && !rowLoops.empty()) {
      if (auto stride = view.stride(rowLoops.back().inner())) {
        offsets.push_back(addConstant(builder, loc, offsets[0], r * *stride));
        continue;
      }
    }
    Value offset = base;
    for (auto [loop, index] : llvm::zip(rowLoops, row.indices))
      offset = math.add(offset, math.mul(index, view.strides[loop.inner()]));
    offsets.push_back(offset);
  }
  return offsets;
}

Value ContractionNest::loadLanes(Value buffer, Value offset,
                                 OpFoldResult stride, unsigned lanes) {
  auto type = VectorType::get({lanes}, element);
  if (constantOf(stride) == 1)
    return vector::LoadOp::create(builder, loc, type, buffer,
                                  ValueRange{offset});
  SmallVector<Value> elements;
  for (unsigned i = 0; i < lanes; ++i)
    elements.push_back(memref::LoadOp::create(
        builder, loc, buffer,
        ValueRange{math.add(offset, math.mul(math.constant(i), stride))}));
  return vector::FromElementsOp::create(builder, loc, type, elements);
}

void ContractionNest::storeLanes(Value vector, Value buffer, Value offset,
                                 OpFoldResult stride) {
  if (constantOf(stride) == 1) {
    vector::StoreOp::create(builder, loc, vector, buffer, ValueRange{offset});
    return;
  }
  for (int64_t i = 0,
               e = cast<VectorType>(vector.getType()).getNumElements();
       i < e; ++i)
    memref::StoreOp::create(
        builder, loc, vector::ExtractOp::create(builder, loc, vector, i),
        buffer,
        ValueRange{math.add(offset, math.mul(math.constant(i), stride))});
}

/// Where the partial sums of a row stand in the workspace.
Value ContractionNest::accumulatorOffset(const RowPoint &row,
                                         const LaneTile &lanes,
                                         unsigned column) {
  Value offset =
      math.mul(row.slot, OpFoldResult(builder.getIndexAttr(laneBlock)));
  Value start = math.sub(lanes.start, ranges[form.lane].low);
  return addConstant(builder, loc, math.add(offset, start), column);
}

//===----------------------------------------------------------------------===//
// Accumulators
//===----------------------------------------------------------------------===//

ContractionNest::Accumulators
ContractionNest::startAccumulators(const RowTile &tile, const LaneTile &lanes) {
  SmallVector<Type> types;
  for (size_t r = 0; r < tile.rows.size(); ++r)
    for (unsigned lane : lanes.widths)
      types.push_back(VectorType::get({lane}, element));
  auto zeros = [&] {
    Accumulators result;
    for (Type type : types)
      result.push_back(arith::ConstantOp::create(builder, loc,
                                                 builder.getZeroAttr(type)));
    return result;
  };
  auto fromOutput = [&] {
    Accumulators result;
    Value base = math.add(fixedOffset(output),
                          math.mul(lanes.start, output.strides[form.lane]));
    for (Value offset : rowOffsets(output, base, tile)) {
      int64_t column = 0;
      for (unsigned lane : lanes.widths) {
        Value at = math.add(offset, math.mul(math.constant(column),
                                             output.strides[form.lane]));
        result.push_back(
            loadLanes(output.buffer, at, output.strides[form.lane], lane));
        column += lane;
      }
    }
    return result;
  };
  auto fromWorkspace = [&] {
    Accumulators result;
    for (const RowPoint &row : tile.rows) {
      int64_t column = 0;
      for (unsigned lane : lanes.widths) {
        result.push_back(
            loadLanes(sums, accumulatorOffset(row, lanes, column),
                      builder.getIndexAttr(1), lane));
        column += lane;
      }
    }
    return result;
  };
  auto initial = [&] { return fusion.startsAtZero ? zeros() : fromOutput(); };
  if (!reductionBlocked)
    return initial();
  if (!sumsInWorkspace && !fusion.startsAtZero)
    return fromOutput();
  Value first = isFirstBlock();
  if (std::optional<int64_t> known = constantOf(first); known && *known)
    return initial();
  auto branch = scf::IfOp::create(builder, loc, types, first,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  scf::YieldOp::create(builder, loc, initial());
  builder.setInsertionPointToStart(branch.elseBlock());
  scf::YieldOp::create(builder, loc,
                       sumsInWorkspace ? fromWorkspace() : fromOutput());
  return Accumulators(branch.getResults());
}

/// One step of the reduction: every accumulator gets one multiply-add.
ContractionNest::Accumulators
ContractionNest::step(ValueRange left, Value right, const RowTile &tile,
                      const LaneTile &lanes, Accumulators accumulators) {
  SmallVector<Value> columns;
  int64_t column = 0;
  for (unsigned lane : lanes.widths) {
    OpFoldResult stride = tileRight.strides[form.lane];
    columns.push_back(loadLanes(
        tileRight.buffer,
        math.add(right, math.mul(math.constant(column), stride)), stride,
        lane));
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
        factor = loadLanes(
            blockLeft.buffer,
            math.add(offset, math.mul(math.constant(column), stride)), stride,
            lane);
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

/// The innermost reduction loop on vectors along it: for each row and lane an
/// accumulator whose elements are summed up at the end. A transposition turns
/// `width` sums into one addition each.
ContractionNest::Accumulators
ContractionNest::reduceVectors(ValueRange left, Value right,
                               const RowTile &tile, const LaneTile &lanes,
                               Accumulators accumulators) {
  const LoopRange &range = reductionRanges.back();
  auto type = VectorType::get({width}, element);
  int64_t columns = 0;
  for (unsigned lane : lanes.widths)
    columns += lane;
  int64_t rows = tile.rows.size();
  OpFoldResult laneStride = tileRight.strides[form.lane];

  Value whole = math.mul(math.div(range.size, math.constant(width)),
                         OpFoldResult(builder.getIndexAttr(width)));
  Value middle = math.add(range.low, whole);
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(type));
  SmallVector<Value> partial(rows * columns, zero);
  auto loop = scf::ForOp::create(builder, loc, range.low, middle,
                                 math.constant(width), partial);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    Value index = loop.getInductionVar();
    SmallVector<Value> next, factors;
    for (Value offset : left)
      factors.push_back(vector::LoadOp::create(
          builder, loc, type, blockLeft.buffer,
          ValueRange{math.add(offset, index)}));
    SmallVector<Value> carried(loop.getRegionIterArgs());
    for (int64_t column = 0; column < columns; ++column) {
      Value offset = math.add(math.add(right, index),
                              math.mul(math.constant(column), laneStride));
      Value vector = vector::LoadOp::create(
          builder, loc, type, tileRight.buffer, ValueRange{offset});
      for (int64_t row = 0; row < rows; ++row) {
        Value &sum = carried[row * columns + column];
        sum = vector::FMAOp::create(builder, loc, factors[row], vector, sum);
      }
    }
    scf::YieldOp::create(builder, loc, carried);
  }
  unsigned next = 0, at = 0;
  for (int64_t row = 0; row < rows; ++row)
    for (unsigned lane : lanes.widths) {
      auto sums = llvm::to_vector(
          ValueRange(loop.getResults()).slice(next, lane));
      next += lane;
      Value total;
      if (lane == width && lane > 1) {
        sums = transpose(builder, loc, sums);
        for (size_t step = 1; step < sums.size(); step *= 2)
          for (size_t i = 0; i + step < sums.size(); i += 2 * step)
            sums[i] = arith::AddFOp::create(builder, loc, sums[i],
                                            sums[i + step]);
        total = sums[0];
      } else {
        for (Value &sum : sums)
          sum = vector::ReductionOp::create(builder, loc,
                                            vector::CombiningKind::ADD, sum,
                                            arith::FastMathFlags::reassoc);
        total = vector::FromElementsOp::create(
            builder, loc, VectorType::get({lane}, element), sums);
      }
      accumulators[at] =
          arith::AddFOp::create(builder, loc, accumulators[at], total);
      ++at;
    }
  // What is left of the reduction, lane by lane.
  auto rest = scf::ForOp::create(builder, loc, middle,
                                 math.add(range.low, range.size),
                                 math.constant(1), accumulators);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(rest.getBody());
  Value index = rest.getInductionVar();
  SmallVector<Value> offsets;
  for (Value offset : left)
    offsets.push_back(math.add(offset, index));
  scf::YieldOp::create(builder, loc,
                       step(offsets, math.add(right, index), tile, lanes,
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
                             const LaneTile &lanes,
                             Accumulators accumulators) {
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
      Value offset = math.add(
          math.add(right, math.mul(math.constant(step),
                                   tileRight.strides[loop])),
          math.mul(math.constant(column), rightLane));
      factors.push_back(
          loadLanes(tileRight.buffer, offset, rightLane, lane));
    }
    std::optional<int64_t> loaded;
    Value vector;
    for (const Use &use : uses) {
      if (loaded != use.address) {
        Value offset =
            math.add(addConstant(builder, loc, left, use.address),
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

/// The loops of the reduction from `level` on; `left` and `right` are the
/// offsets at which the outer ones stand.
ContractionNest::Accumulators
ContractionNest::reduce(unsigned level, ValueRange left, Value right,
                        const RowTile &tile, const LaneTile &lanes,
                        Accumulators accumulators) {
  if (level == reductionLoops.size())
    return step(left, right, tile, lanes, std::move(accumulators));
  unsigned loop = reductionLoops[level].inner();
  const LoopRange &range = reductionRanges[level];
  bool last = level + 1 == reductionLoops.size();
  if (last && strategy.getAlongReduction() && !form.sharedLane &&
      blockLeft.stride(loop) == 1 && tileRight.stride(loop) == 1)
    return reduceVectors(left, right, tile, lanes, std::move(accumulators));
  if (last && isShortWindow(tile))
    return slideWindow(left[0], right, tile, lanes, std::move(accumulators));
  auto body = [&](Value index, ValueRange carried) {
    Value leftStep = math.mul(index, blockLeft.strides[loop]);
    SmallVector<Value> offsets;
    for (Value offset : left)
      offsets.push_back(math.add(offset, leftStep));
    if (tile.consecutive && !rowLoops.empty()) {
      // One register for all rows: their distances are constants.
      if (auto stride = blockLeft.stride(rowLoops.back().inner()))
        for (size_t r = 1; r < offsets.size(); ++r)
          offsets[r] = addConstant(builder, loc, offsets[0], r * *stride);
    }
    return reduce(level + 1, offsets,
                  math.add(right, math.mul(index, tileRight.strides[loop])),
                  tile, lanes, Accumulators(carried));
  };
  std::optional<int64_t> steps = constantOf(range.size);
  if (steps == 1)
    return body(range.low, accumulators);
  if (steps && *steps <= kWindow && isShortWindow(tile)) {
    for (int64_t i = 0; i < *steps; ++i)
      accumulators = body(addConstant(builder, loc, range.low, i),
                          accumulators);
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

//===----------------------------------------------------------------------===//
// Stores
//===----------------------------------------------------------------------===//

void ContractionNest::storeAccumulators(const RowTile &tile,
                                        const LaneTile &lanes,
                                        ValueRange accumulators) {
  if (sumsInWorkspace) {
    unsigned next = 0;
    for (const RowPoint &row : tile.rows) {
      int64_t column = 0;
      for (unsigned lane : lanes.widths) {
        storeLanes(accumulators[next++], sums,
                   accumulatorOffset(row, lanes, column),
                   builder.getIndexAttr(1));
        column += lane;
      }
    }
    return;
  }
  Value base = math.add(fixedOffset(output),
                        math.mul(lanes.start, output.strides[form.lane]));
  unsigned next = 0;
  for (Value offset : rowOffsets(output, base, tile)) {
    int64_t column = 0;
    for (unsigned lane : lanes.widths) {
      Value at = math.add(offset, math.mul(math.constant(column),
                                           output.strides[form.lane]));
      storeLanes(accumulators[next++], output.buffer, at,
                 output.strides[form.lane]);
      column += lane;
    }
  }
}

void ContractionNest::applyEpilogue(const RowTile &tile, const LaneTile &lanes,
                                    ValueRange accumulators) {
  Value rootOutput = root.getDpsInits()[0];
  AffineMap outMap = maps[2];
  unsigned rank = outMap.getNumResults();
  unsigned next = 0;
  for (const RowPoint &row : tile.rows) {
    SmallVector<Value> loopIndices(root.getNumLoops());
    for (unsigned loop : form.batch)
      loopIndices[loop] = ranges[loop].low;
    for (unsigned loop : form.columns)
      loopIndices[loop] = ranges[loop].low;
    for (auto [loop, index] : llvm::zip(rowLoops, row.indices))
      loopIndices[loop.inner()] = index;
    int64_t column = 0;
    for (unsigned lane : lanes.widths) {
      loopIndices[form.lane] =
          addConstant(builder, loc, lanes.start, column);
      column += lane;
      SmallVector<Value> point;
      for (AffineExpr expr : outMap.getResults())
        point.push_back(
            loopIndices[cast<AffineDimExpr>(expr).getPosition()]);
      DenseMap<Value, Value> values;
      Value sum = accumulators[next++];
      if (lane == 1)
        sum = vector::ExtractOp::create(builder, loc, sum, 0);
      values[rootOutput] = sum;
      for (EpilogueOp &epilogue : fusion.epilogue) {
        linalg::GenericOp op = epilogue.op;
        SmallVector<Value> loops;
        int laneLoop = -1;
        for (auto [loop, dim] : llvm::enumerate(epilogue.outputDims)) {
          loops.push_back(point[dim]);
          if (dim == rank - 1)
            laneLoop = loop;
        }
        SmallVector<Value> args;
        for (OpOperand &operand : op->getOpOperands()) {
          auto known = values.find(operand.get());
          Type type = getElementTypeOrSelf(operand.get().getType());
          if (!op.isDpsInit(&operand) && known != values.end())
            args.push_back(known->second);
          else if (op.isDpsInit(&operand))
            args.push_back(
                splat(builder, loc,
                      arith::ConstantOp::create(builder, loc,
                                                builder.getZeroAttr(type)),
                      lane));
          else
            args.push_back(loadOperand(
                builder, loc, op, operand.getOperandNumber(), loops, laneLoop,
                lane > 1 ? VectorType::get({lane}, type) : VectorType()));
        }
        SmallVector<Value> results =
            emitBody(builder, op, args, loops, laneLoop, lane);
        for (auto [i, result] : llvm::enumerate(results)) {
          OpOperand *init = op.getDpsInitOperand(i);
          values[init->get()] = result;
          if (!fusion.unstored.contains(init->get()))
            storeOperand(builder, loc, op, init->getOperandNumber(), result,
                         loops, laneLoop);
        }
      }
    }
  }
}

void ContractionNest::emitTile(const RowTile &tile, const LaneTile &lanes) {
  Value leftBase = fixedOffset(blockLeft);
  if (form.sharedLane)
    leftBase = math.add(leftBase,
                        math.mul(lanes.start, blockLeft.strides[form.lane]));
  Value right = math.add(fixedOffset(tileRight),
                         math.mul(lanes.start, tileRight.strides[form.lane]));
  Accumulators accumulators =
      reduce(0, rowOffsets(blockLeft, leftBase, tile), right, tile, lanes,
             startAccumulators(tile, lanes));
  ifElse(
      isLastBlock(),
      [&] {
        if (!fusion.outputUnused) {
          bool inWorkspace = sumsInWorkspace;
          sumsInWorkspace = false;
          storeAccumulators(tile, lanes, accumulators);
          sumsInWorkspace = inWorkspace;
        }
        applyEpilogue(tile, lanes, accumulators);
      },
      [&] { storeAccumulators(tile, lanes, accumulators); });
}

} // namespace cornu::codegen
