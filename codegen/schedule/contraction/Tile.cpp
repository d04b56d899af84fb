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

void ContractionNest::emitTile(const RowTile &tile, const LaneTile &lanes) {
  Accumulators accumulators =
      reduceTile(tile, lanes, startAccumulators(tile, lanes));
  ifElse(
      isLastBlock(), [&] { finishTile(tile, lanes, accumulators); },
      [&] { storeAccumulators(tile, lanes, accumulators); });
}

} // namespace cornu::codegen
