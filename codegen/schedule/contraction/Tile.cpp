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
#include "mlir/Dialect/Math/IR/Math.h"
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

/// How far the tile that starts at lane `start` of the root is from lane 0.
Value ContractionNest::laneOffset(const LinearView &view, Value start) {
  if (!view.panelLanes)
    return math.mul(start, view.strides[form.lane]);
  auto times = [&](Value value, int64_t factor) {
    return math.mul(value, OpFoldResult(builder.getIndexAttr(factor)));
  };
  if (strategy.getNr() == view.panelLanes)
    return times(start, view.panelDistance / view.panelLanes);
  Value lanes = math.constant(view.panelLanes);
  return math.add(times(math.div(start, lanes), view.panelDistance),
                  math.rem(start, lanes));
}

/// How far the lane `column` of a tile is from the tile's first.
Value ContractionNest::columnOffset(const LinearView &view, int64_t column) {
  if (view.panelLanes)
    return math.constant(column / view.panelLanes * view.panelDistance +
                         column % view.panelLanes);
  return math.mul(math.constant(column), view.strides[form.lane]);
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
  for (int64_t i = 0, e = cast<VectorType>(vector.getType()).getNumElements();
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
      result.push_back(
          arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type)));
    return result;
  };
  auto fromOutput = [&] {
    Accumulators result;
    Value base = math.add(fixedOffset(output), laneOffset(output, lanes.start));
    for (Value offset : rowOffsets(output, base, tile)) {
      int64_t column = 0;
      for (unsigned lane : lanes.widths) {
        Value at = math.add(offset, columnOffset(output, column));
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
        result.push_back(loadLanes(sums, accumulatorOffset(row, lanes, column),
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
  Value base = math.add(fixedOffset(output), laneOffset(output, lanes.start));
  unsigned next = 0;
  for (Value offset : rowOffsets(output, base, tile)) {
    int64_t column = 0;
    for (unsigned lane : lanes.widths) {
      Value at = math.add(offset, columnOffset(output, column));
      storeLanes(accumulators[next++], output.buffer, at,
                 output.strides[form.lane]);
      column += lane;
    }
  }
}

/// True if an epilogue computes functions: chains of tens of operations, of
/// which a processor sees hardly two at a time. Neighbouring vectors go through
/// it side by side, as one of twice the width, so that they hide each other's
/// latency.
static bool isLong(const EpilogueOp &epilogue) {
  linalg::GenericOp op = epilogue.op;
  return llvm::any_of(op.getBody()->without_terminator(), [](Operation &inner) {
    return isa<math::ErfOp, math::ExpOp, math::ExpM1Op, math::TanhOp,
               math::LogOp, math::Log1pOp>(inner);
  });
}

void ContractionNest::applyEpilogue(const RowTile &tile, const LaneTile &lanes,
                                    ValueRange accumulators) {
  Value rootOutput = root.getDpsInits()[0];
  AffineMap outMap = maps[2];
  unsigned rank = outMap.getNumResults();
  unsigned next = 0;
  bool pairs = llvm::any_of(fusion.epilogue, isLong);
  for (const RowPoint &row : tile.rows) {
    SmallVector<Value> loopIndices(root.getNumLoops());
    for (unsigned loop : form.batch)
      loopIndices[loop] = ranges[loop].low;
    for (unsigned loop : form.columns)
      loopIndices[loop] = ranges[loop].low;
    for (auto [loop, index] : llvm::zip(rowLoops, row.indices))
      loopIndices[loop.inner()] = index;
    int64_t column = 0;
    for (unsigned group = 0; group < lanes.widths.size();) {
      unsigned lane = lanes.widths[group];
      Value sum = accumulators[next++];
      if (pairs && group + 1 < lanes.widths.size() &&
          lanes.widths[group + 1] == lane) {
        sum = vector::ShuffleOp::create(
            builder, loc, sum, accumulators[next++],
            llvm::to_vector(llvm::seq<int64_t>(0, 2 * lane)));
        ++group;
        lane *= 2;
      }
      ++group;
      loopIndices[form.lane] = addConstant(builder, loc, lanes.start, column);
      column += lane;
      SmallVector<Value> point;
      for (AffineExpr expr : outMap.getResults())
        point.push_back(loopIndices[cast<AffineDimExpr>(expr).getPosition()]);
      DenseMap<Value, Value> values;
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
            args.push_back(splat(builder, loc,
                                 arith::ConstantOp::create(
                                     builder, loc, builder.getZeroAttr(type)),
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

/// A long epilogue, as a loop over the rows of a tile: the sums wait in memory
/// and leave it the registers.
void ContractionNest::applyEpilogueByRows(const RowTile &tile,
                                          const LaneTile &lanes,
                                          ValueRange accumulators) {
  int64_t used = workspaceUsed, rows = tile.rows.size(), columns = 0;
  for (unsigned lane : lanes.widths)
    columns += lane;
  Value waiting = allocate(rows * columns);
  for (int64_t row = 0, at = 0, next = 0; row < rows; ++row)
    for (unsigned lane : lanes.widths) {
      vector::StoreOp::create(builder, loc, accumulators[next++], waiting,
                              ValueRange{math.constant(at)});
      at += lane;
    }
  forRange(math.constant(0), math.constant(rows), 1, [&](Value row) {
    Value at = math.mul(row, columns);
    Accumulators sums;
    int64_t column = 0;
    for (unsigned lane : lanes.widths) {
      sums.push_back(loadLanes(waiting, addConstant(builder, loc, at, column),
                               builder.getIndexAttr(1), lane));
      column += lane;
    }
    RowTile one;
    one.rows.push_back(tile.rows.front());
    Value &index = one.rows.front().indices.back();
    index = math.add(index, row);
    applyEpilogue(one, lanes, sums);
  });
  workspaceUsed = used;
}

/// Stores sums that are complete, or what the epilogue makes of them.
void ContractionNest::finishTile(const RowTile &tile, const LaneTile &lanes,
                                 ValueRange accumulators) {
  if (!fusion.outputUnused) {
    bool inWorkspace = sumsInWorkspace;
    sumsInWorkspace = false;
    storeAccumulators(tile, lanes, accumulators);
    sumsInWorkspace = inWorkspace;
  }
  if (tile.consecutive && tile.rows.size() > 1 &&
      lanes.widths.front() == width && llvm::any_of(fusion.epilogue, isLong))
    applyEpilogueByRows(tile, lanes, accumulators);
  else
    applyEpilogue(tile, lanes, accumulators);
}

void ContractionNest::emitTile(const RowTile &tile, const LaneTile &lanes) {
  Accumulators accumulators =
      reduceTile(tile, lanes, startAccumulators(tile, lanes));
  ifElse(
      isLastBlock(), [&] { finishTile(tile, lanes, accumulators); },
      [&] { storeAccumulators(tile, lanes, accumulators); });
}

} // namespace cornu::codegen
