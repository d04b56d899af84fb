//===- Finish.cpp - What becomes of a tile's sums -------------------------===//
//
// Stored, or put through the epilogue and then stored, by vectors that are
// neighbours in memory: lanes of a row, rows of a few lanes, or lanes of a few
// rows.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Neighbours in memory
//===----------------------------------------------------------------------===//

/// The rows whose lanes are neighbours in memory, and so few that a vector
/// holds them all; 1 where each row is finished alone.
int64_t ContractionNest::rowsTogether(const RowTile &tile,
                                      const LaneTile &lanes) const {
  const int64_t columns = lanes.columns();
  if (!tile.consecutive || tile.rows.size() < 2 || rowLoops.empty() ||
      output.panelLanes || form.extents[form.lane] != columns)
    return 1;
  const NestLoop &loop = rowLoops.back();
  if (known[2][loop.inner()] != columns || known[2][form.lane] != 1 ||
      (!fusion.epilogue.empty() && loop.loops.size() > 1))
    return 1;
  return std::max<int64_t>(width / columns, 1);
}

/// True if the rows are few, all in the tile, and neighbours in memory: the
/// elements of a lane.
bool ContractionNest::rowsWithinLanes(const RowTile &tile) const {
  const int64_t rows = tile.rows.size();
  if (!tile.consecutive || rows < 2 || rowLoops.empty() || output.panelLanes)
    return false;
  const NestLoop &loop = rowLoops.back();
  return loop.loops.size() == 1 && loop.staticExtent() == rows &&
         known[2][loop.inner()] == 1 && known[2][form.lane] == rows;
}

/// The elements of `vectors`, one after another.
static Value join(OpBuilder &builder, Location loc, ValueRange vectors) {
  if (vectors.size() == 1)
    return vectors.front();
  int64_t count = 0;
  for (Value vector : vectors)
    count += cast<VectorType>(vector.getType()).getNumElements();
  if (vectors.size() == 2 && vectors[0].getType() == vectors[1].getType())
    return vector::ShuffleOp::create(
        builder, loc, vectors[0], vectors[1],
        llvm::to_vector(llvm::seq<int64_t>(0, count)));
  Type element = getElementTypeOrSelf(vectors.front().getType());
  Value result = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(VectorType::get({count}, element)));
  int64_t at = 0;
  for (Value vector : vectors) {
    result = vector::InsertStridedSliceOp::create(builder, loc, vector, result,
                                                  at, int64_t(1));
    at += cast<VectorType>(vector.getType()).getNumElements();
  }
  return result;
}

/// The first elements of all `vectors`, then the second ones, and so on; a
/// scalar is a vector of one.
static Value interleaveVectors(OpBuilder &builder, Location loc,
                               ValueRange vectors) {
  auto type = dyn_cast<VectorType>(vectors.front().getType());
  if (!type)
    return vector::FromElementsOp::create(
        builder, loc,
        VectorType::get({int64_t(vectors.size())}, vectors.front().getType()),
        vectors);
  const int64_t count = vectors.size(), lanes = type.getNumElements();
  SmallVector<Value> parts;
  for (int64_t part = 0; part < count; ++part) {
    // Element i of the part is one of vector (part * lanes + i) % count.
    Value result = vectors[0];
    for (int64_t from = 1; from < count; ++from) {
      SmallVector<int64_t> mask;
      for (int64_t i = 0; i < lanes; ++i) {
        const int64_t place = part * lanes + i;
        const int64_t source = place % count, element = place / count;
        if (source == from)
          mask.push_back(lanes + element);
        else
          mask.push_back(from == 1 && source == 0 ? element : i);
      }
      result =
          vector::ShuffleOp::create(builder, loc, result, vectors[from], mask);
    }
    parts.push_back(result);
  }
  return join(builder, loc, parts);
}

/// Of the accumulators of a tile, those of all rows for vector `number` of the
/// `perRow` that each row has.
static SmallVector<Value> vectorOfRows(ValueRange accumulators, size_t number,
                                       size_t perRow) {
  SmallVector<Value> result;
  for (size_t i = number; i < accumulators.size(); i += perRow)
    result.push_back(accumulators[i]);
  return result;
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

void ContractionNest::storeAccumulators(const RowTile &tile,
                                        const LaneTile &lanes,
                                        ValueRange accumulators) {
  const size_t rows = tile.rows.size(), perRow = lanes.widths.size();
  unsigned next = 0;
  if (sumsInWorkspace) {
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
  SmallVector<Value> offsets = rowOffsets(output, base, tile);
  auto store = [&](Value vector, size_t row, int64_t column) {
    vector::StoreOp::create(
        builder, loc, vector, output.buffer,
        ValueRange{math.add(offsets[row], columnOffset(output, column))});
  };
  if (size_t together = rowsTogether(tile, lanes); together > 1) {
    for (size_t row = 0; row < rows; row += together)
      store(join(builder, loc,
                 accumulators.slice(row * perRow,
                                    std::min(together, rows - row) * perRow)),
            row, 0);
    return;
  }
  if (rowsWithinLanes(tile)) {
    int64_t column = 0;
    for (auto [i, lane] : llvm::enumerate(lanes.widths)) {
      store(interleaveVectors(builder, loc,
                              vectorOfRows(accumulators, i, perRow)),
            0, column);
      column += lane;
    }
    return;
  }
  for (Value offset : offsets) {
    int64_t column = 0;
    for (unsigned lane : lanes.widths) {
      Value at = math.add(offset, columnOffset(output, column));
      storeLanes(accumulators[next++], output.buffer, at,
                 output.strides[form.lane]);
      column += lane;
    }
  }
}

//===----------------------------------------------------------------------===//
// Epilogue
//===----------------------------------------------------------------------===//

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

/// The loops of `epilogue` along the lanes that are `lanes` in the root's.
static Lanes lanesIn(const EpilogueOp &epilogue, AffineMap output,
                     const Lanes &lanes) {
  auto loopOf = [&](int rootLoop) {
    for (auto [loop, dim] : llvm::enumerate(epilogue.outputDims)) {
      auto expr = cast<AffineDimExpr>(output.getResult(dim));
      if (int(expr.getPosition()) == rootLoop)
        return int(loop);
    }
    return -1;
  };
  Lanes result(loopOf(lanes.loop));
  for (const RunLoop &run : lanes.run)
    result.run.push_back({loopOf(run.loop), run.size});
  return result;
}

/// The epilogue on a vector of sums that begins at a row's lane `lane` and runs
/// along `lanes`, which are the root's loops.
void ContractionNest::applyEpilogueAt(const RowPoint &row, Value lane,
                                      Value sum, const Lanes &lanes,
                                      StoreResult store) {
  SmallVector<Value> loopIndices(root.getNumLoops());
  for (unsigned loop : form.batch)
    loopIndices[loop] = ranges[loop].low;
  for (unsigned loop : form.columns)
    loopIndices[loop] = ranges[loop].low;
  for (auto [loop, index] : llvm::zip(rowLoops, row.indices))
    loopIndices[loop.inner()] = index;
  loopIndices[form.lane] = lane;
  const unsigned count = cast<VectorType>(sum.getType()).getNumElements();
  DenseMap<Value, Value> values;
  if (count == 1)
    sum = vector::ExtractOp::create(builder, loc, sum, 0);
  values[root.getDpsInits()[0]] = sum;
  for (EpilogueOp &epilogue : fusion.epilogue) {
    linalg::GenericOp op = epilogue.op;
    SmallVector<Value> loops;
    for (unsigned dim : epilogue.outputDims)
      loops.push_back(loopIndices[cast<AffineDimExpr>(maps[2].getResult(dim))
                                      .getPosition()]);
    Lanes along = lanesIn(epilogue, maps[2], lanes);
    SmallVector<Value> args;
    for (OpOperand &operand : op->getOpOperands()) {
      auto known = values.find(operand.get());
      Type type = getElementTypeOrSelf(operand.get().getType());
      if (!op.isDpsInit(&operand) && known != values.end())
        args.push_back(known->second);
      else if (op.isDpsInit(&operand))
        args.push_back(splat(
            builder, loc,
            arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type)),
            count));
      else
        args.push_back(loadOperand(
            builder, loc, op, operand.getOperandNumber(), loops, along,
            count > 1 ? VectorType::get({count}, type) : VectorType()));
    }
    SmallVector<Value> results =
        emitBody(builder, op, args, loops, along, count);
    for (auto [i, result] : llvm::enumerate(results)) {
      OpOperand *init = op.getDpsInitOperand(i);
      values[init->get()] = result;
      if (!fusion.unstored.contains(init->get()))
        store(epilogue, init->getOperandNumber(), result, loops, along);
    }
  }
}

/// The epilogue where the rows are the elements of a lane: on a vector of each
/// row, whose results are stored interleaved.
void ContractionNest::applyEpilogueWithin(const RowTile &tile,
                                          const LaneTile &lanes,
                                          ValueRange accumulators) {
  struct Result {
    const EpilogueOp *epilogue;
    unsigned operand;
    SmallVector<Value> loops; ///< at the first row
    SmallVector<Value> rows;
  };
  const Lanes all(form.lane, RunLoop{int(rowLoops.back().inner()),
                                     int64_t(tile.rows.size())});
  int64_t column = 0;
  for (auto [i, lane] : llvm::enumerate(lanes.widths)) {
    SmallVector<Result> results;
    Value first = addConstant(builder, loc, lanes.start, column);
    for (auto [row, sum] : llvm::zip(
             tile.rows, vectorOfRows(accumulators, i, lanes.widths.size()))) {
      size_t next = 0;
      applyEpilogueAt(
          row, first, sum, Lanes(form.lane),
          [&](const EpilogueOp &epilogue, unsigned operand, Value value,
              ValueRange loops, const Lanes &) {
            if (next == results.size())
              results.push_back(
                  {&epilogue, operand, SmallVector<Value>(loops), {}});
            results[next++].rows.push_back(value);
          });
    }
    for (const Result &result : results)
      storeOperand(builder, loc, result.epilogue->op, result.operand,
                   interleaveVectors(builder, loc, result.rows), result.loops,
                   lanesIn(*result.epilogue, maps[2], all));
    column += lane;
  }
}

void ContractionNest::applyEpilogue(const RowTile &tile, const LaneTile &lanes,
                                    ValueRange accumulators) {
  const size_t rows = tile.rows.size(), perRow = lanes.widths.size();
  auto store = [&](const EpilogueOp &epilogue, unsigned operand, Value value,
                   ValueRange loops, const Lanes &along) {
    storeOperand(builder, loc, epilogue.op, operand, value, loops, along);
  };
  if (rowsWithinLanes(tile))
    return applyEpilogueWithin(tile, lanes, accumulators);
  if (size_t together = rowsTogether(tile, lanes); together > 1) {
    const Lanes along(rowLoops.back().inner(),
                      RunLoop{int(form.lane), form.extents[form.lane]});
    for (size_t row = 0; row < rows; row += together)
      applyEpilogueAt(
          tile.rows[row], lanes.start,
          join(builder, loc,
               accumulators.slice(row * perRow,
                                  std::min(together, rows - row) * perRow)),
          along, store);
    return;
  }
  const bool pairs = llvm::any_of(fusion.epilogue, isLong);
  unsigned next = 0;
  for (const RowPoint &row : tile.rows) {
    int64_t column = 0;
    for (unsigned group = 0; group < perRow;) {
      unsigned lane = lanes.widths[group], count = 1;
      if (pairs && group + 1 < perRow && lanes.widths[group + 1] == lane)
        count = 2;
      applyEpilogueAt(row, addConstant(builder, loc, lanes.start, column),
                      join(builder, loc, accumulators.slice(next, count)),
                      Lanes(form.lane), store);
      next += count;
      group += count;
      column += int64_t(lane) * count;
    }
  }
}

/// A long epilogue, as a loop over the rows of a tile: the sums wait in memory
/// and leave it the registers.
void ContractionNest::applyEpilogueByRows(const RowTile &tile,
                                          const LaneTile &lanes,
                                          ValueRange accumulators) {
  const int64_t used = workspaceUsed, rows = tile.rows.size();
  const int64_t columns = lanes.columns();
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

} // namespace cornu::codegen
