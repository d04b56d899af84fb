//===- NestPoint.cpp - One register tile of a nest ------------------------===//
//
// Points of a tile are numbered vector-major: point = vector * tile + t.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestPoint.h"

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/IndexMath.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

NestTile::NestTile(const Nest &nest, ArrayRef<Value> indices,
                   const Lanes &lanes, unsigned width, unsigned vectors,
                   int tileLoop, unsigned tile)
    : nest(nest), root(nest.root), indices(indices), lanes(lanes), width(width),
      vectors(vectors), tileLoop(tileLoop), tile(tile) {}

void NestTile::place(OpBuilder &builder) {
  Location loc = root.getLoc();
  laneIndices.clear();
  tileIndices.clear();
  if (lanes.loop >= 0)
    for (unsigned v = 0; v < vectors; ++v)
      laneIndices.push_back(addConstant(builder, loc, indices[lanes.loop],
                                        v * width / lanes.runLength()));
  if (tileLoop >= 0)
    for (unsigned t = 0; t < tile; ++t)
      tileIndices.push_back(addConstant(builder, loc, indices[tileLoop], t));
}

void NestTile::setIndex(unsigned loop, Value index) { indices[loop] = index; }

SmallVector<Value> NestTile::pointIndices(unsigned point) const {
  SmallVector<Value> result = indices;
  if (lanes.loop >= 0)
    result[lanes.loop] = laneIndices[point / tile];
  if (tileLoop >= 0)
    result[tileLoop] = tileIndices[point % tile];
  return result;
}

static bool isUsed(linalg::GenericOp op, unsigned operand) {
  return !op.getBody()->getArgument(operand).use_empty();
}

static VectorType vectorType(Value memref, unsigned width) {
  if (width == 1)
    return VectorType();
  return VectorType::get({width}, getElementTypeOrSelf(memref.getType()));
}

/// The guarded index at each lane of a point.
static SmallVector<int64_t> guardedIndices(const Guard &guard,
                                           ArrayRef<Value> at,
                                           const Lanes &lanes, unsigned width) {
  SmallVector<int64_t> result(width, guard.constant);
  for (auto [loop, coefficient] : llvm::enumerate(guard.coefficients))
    if (coefficient)
      for (unsigned lane = 0; lane < width; ++lane)
        result[lane] +=
            coefficient * (*constantOf(at[loop]) + lanes.step(loop, lane));
  return result;
}

llvm::BitVector NestTile::lanesInside(unsigned point) const {
  llvm::BitVector inside(width, true);
  for (const Guard &guard : border)
    for (auto [lane, index] : llvm::enumerate(
             guardedIndices(guard, pointIndices(point), lanes, width)))
      if (index < 0 || index >= guard.extent)
        inside.reset(lane);
  return inside;
}

/// A guarded operand at the border: lanes outside have the element at the edge.
/// Indices are those of an iteration that is inside.
Value NestTile::loadClamped(OpBuilder &builder, unsigned operand,
                            unsigned point) {
  SmallVector<Value> at = pointIndices(point);
  SmallVector<int64_t> offsets = *laneOffsets(root, operand, lanes, width);
  auto type = cast<MemRefType>(root->getOperand(operand).getType());
  SmallVector<int64_t> strides = type.getStridesAndOffset().first;
  for (const Guard &guard : border)
    if (guard.operand == operand)
      for (auto [offset, index] :
           llvm::zip_equal(offsets, guardedIndices(guard, at, lanes, width)))
        offset += strides[guard.dim] *
                  (std::clamp<int64_t>(index, 0, guard.extent - 1) - index);
  int64_t iteration = lanesInside(point).find_first() / lanes.runLength();
  int64_t skipped = iteration * *strideOf(root, operand, lanes.loop);
  for (int64_t &offset : offsets)
    offset -= skipped;
  at[lanes.loop] =
      addConstant(builder, root.getLoc(), at[lanes.loop], iteration);
  return loadElements(builder, root.getLoc(), root, operand, at, offsets);
}

Value NestTile::load(OpBuilder &builder, unsigned operand, unsigned point) {
  if (!isUsed(root, operand))
    return Value();
  // A single point is inside.
  if (width > 1 && llvm::any_of(border, [&](const Guard &guard) {
        return guard.operand == operand;
      }))
    return loadClamped(builder, operand, point);
  AffineMap map = root.getIndexingMapsArray()[operand];
  SmallVector<Value> at = pointIndices(point);
  std::vector<void *> key;
  for (unsigned loop = 0; loop < at.size(); ++loop)
    if (map.isFunctionOfDim(loop))
      key.push_back(at[loop].getAsOpaquePointer());
  auto [it, isNew] = loaded.try_emplace({operand, key});
  if (!isNew)
    return it->second;
  if (loadTransposed(builder, operand, point / tile))
    return loaded[{operand, key}];
  Value value = loadOperand(builder, root.getLoc(), root, operand, at, lanes,
                            vectorType(root->getOperand(operand), width));
  return loaded[{operand, key}] = value;
}

/// Transposes a square of vectors: swaps blocks of 1, 2, 4, ... lanes.
static void transpose(OpBuilder &builder, Location loc,
                      MutableArrayRef<Value> rows) {
  int64_t n = rows.size();
  for (int64_t block = 1; block < n; block *= 2)
    for (int64_t i = 0; i < n; ++i) {
      if (i & block)
        continue;
      SmallVector<int64_t> upper, lower;
      for (int64_t l = 0; l < n; ++l) {
        upper.push_back(l & block ? n + l - block : l);
        lower.push_back(l & block ? n + l : l + block);
      }
      Value a = rows[i], b = rows[i + block];
      rows[i] = vector::ShuffleOp::create(builder, loc, a, b, upper);
      rows[i + block] = vector::ShuffleOp::create(builder, loc, a, b, lower);
    }
}

/// An operand that runs along the tile's loop where the nest runs along the
/// lane: a square of it is loaded along its own rows and turned in registers.
bool NestTile::loadTransposed(OpBuilder &builder, unsigned operand,
                              unsigned vector) {
  linalg::GenericOp op = root;
  if (width == 1 || tile != width || lanes.loop < 0 || tileLoop < 0 ||
      laneAccess(op, operand, tileLoop, width) != LaneAccess::Contiguous ||
      laneAccess(op, operand, lanes, width) != LaneAccess::Strided)
    return false;
  Location loc = op.getLoc();
  SmallVector<Value> rows;
  SmallVector<Value> at = pointIndices(vector * tile);
  Value first = at[lanes.loop];
  for (unsigned i = 0; i < width; ++i) {
    at[lanes.loop] = addConstant(builder, loc, first, i);
    rows.push_back(loadOperand(builder, loc, op, operand, at, tileLoop,
                               vectorType(op->getOperand(operand), width)));
  }
  transpose(builder, loc, rows);
  AffineMap map = op.getIndexingMapsArray()[operand];
  for (unsigned t = 0; t < tile; ++t) {
    SmallVector<Value> point = pointIndices(vector * tile + t);
    std::vector<void *> key;
    for (unsigned loop = 0; loop < point.size(); ++loop)
      if (map.isFunctionOfDim(loop))
        key.push_back(point[loop].getAsOpaquePointer());
    loaded[{operand, key}] = rows[t];
  }
  return true;
}

void NestTile::loadInvariant(OpBuilder &builder) {
  for (unsigned operand = 0; operand < root.getNumDpsInputs(); ++operand) {
    AffineMap map = root.getIndexingMapsArray()[operand];
    bool known = true;
    for (unsigned loop = 0; loop < indices.size(); ++loop)
      known &= indices[loop] || !map.isFunctionOfDim(loop);
    if (known)
      for (unsigned point = 0; point < size(); ++point)
        load(builder, operand, point);
  }
}

Value NestTile::loadOutput(OpBuilder &builder, unsigned output,
                           unsigned point) {
  unsigned operand = root.getNumDpsInputs() + output;
  return loadOperand(builder, root.getLoc(), root, operand, pointIndices(point),
                     lanes, vectorType(root->getOperand(operand), width));
}

SmallVector<Value> NestTile::compute(OpBuilder &builder, unsigned point,
                                     ValueRange outputs) {
  llvm::BitVector inside = lanesInside(point);
  if (inside.none())
    return SmallVector<Value>(outputs);
  SmallVector<Value> args;
  for (unsigned i = 0; i < root.getNumDpsInputs(); ++i)
    args.push_back(load(builder, i, point));
  llvm::append_range(args, outputs);
  SmallVector<Value> results =
      emitBody(builder, root, args, pointIndices(point), lanes, width);
  if (inside.all())
    return results;
  SmallVector<bool> takesPart;
  for (unsigned lane = 0; lane < width; ++lane)
    takesPart.push_back(inside.test(lane));
  Value mask = arith::ConstantOp::create(
      builder, root.getLoc(),
      DenseElementsAttr::get(VectorType::get({width}, builder.getI1Type()),
                             takesPart));
  for (auto [result, output] : llvm::zip_equal(results, outputs))
    result =
        arith::SelectOp::create(builder, root.getLoc(), mask, result, output);
  return results;
}

/// The indices of the loops of `consumer` at the point where it reads what
/// `producer` wrote through `producerMap`.
static SmallVector<Value>
consumerIndices(linalg::GenericOp consumer, AffineMap consumerMap,
                AffineMap producerMap, ArrayRef<Value> producerIndices,
                const Lanes &producerLanes, Lanes &lanes) {
  SmallVector<Value> result(consumer.getNumLoops());
  lanes = producerLanes;
  lanes.loop = -1;
  for (auto [to, from] :
       llvm::zip(consumerMap.getResults(), producerMap.getResults())) {
    auto loop = dyn_cast<AffineDimExpr>(to);
    auto source = dyn_cast<AffineDimExpr>(from);
    if (!loop || !source)
      continue;
    result[loop.getPosition()] = producerIndices[source.getPosition()];
    const int sourceLoop = source.getPosition();
    if (sourceLoop == producerLanes.loop)
      lanes.loop = loop.getPosition();
    for (auto [run, producerRun] : llvm::zip(lanes.run, producerLanes.run))
      if (sourceLoop == producerRun.loop)
        run.loop = loop.getPosition();
  }
  return result;
}

void NestTile::finish(OpBuilder &builder, unsigned point, ValueRange results) {
  SmallVector<Value> at = pointIndices(point);

  /// A value in registers, and how it is indexed in its buffer.
  struct InRegister {
    linalg::GenericOp op;
    unsigned operand;
    SmallVector<Value> indices;
    Lanes lanes;
    Value value;
  };
  llvm::SmallMapVector<Value, InRegister, 4> registers;
  auto publish = [&](linalg::GenericOp op, ArrayRef<Value> indices,
                     const Lanes &lanes, ValueRange values) {
    for (auto [i, value] : llvm::enumerate(values)) {
      unsigned operand = op.getNumDpsInputs() + i;
      Value buffer = op->getOperand(operand);
      registers[buffer] = {op, operand, SmallVector<Value>(indices), lanes,
                           value};
      if (!nest.dead.contains(buffer))
        storeOperand(builder, op.getLoc(), op, operand, value, indices, lanes);
    }
  };
  publish(root, at, lanes, results);
  for (linalg::GenericOp epilogue : nest.epilogues) {
    SmallVector<AffineMap> maps = epilogue.getIndexingMapsArray();
    SmallVector<Value> indices;
    Lanes epilogueLanes;
    for (unsigned i = 0; i < epilogue.getNumDpsInputs(); ++i) {
      auto it = registers.find(epilogue->getOperand(i));
      if (it == registers.end())
        continue;
      InRegister &source = it->second;
      indices = consumerIndices(
          epilogue, maps[i], source.op.getIndexingMapsArray()[source.operand],
          source.indices, source.lanes, epilogueLanes);
      break;
    }
    // A buffer of one row does not show the rows, which are the first loops of
    // every stage.
    for (unsigned row = 0;
         row < std::min<unsigned>(nest.strategy.getRows(), indices.size());
         ++row)
      if (!indices[row])
        indices[row] = at[row];
    assert(indices.size() == epilogue.getNumLoops() &&
           "an epilogue reads a result of the nest");
    SmallVector<Value> args;
    for (unsigned i = 0; i < epilogue->getNumOperands(); ++i) {
      auto it = registers.find(epilogue->getOperand(i));
      bool isInput = i < epilogue.getNumDpsInputs();
      if (!isUsed(epilogue, i))
        args.push_back(Value());
      else if (isInput && it != registers.end())
        args.push_back(it->second.value);
      else
        args.push_back(loadOperand(builder, epilogue.getLoc(), epilogue, i,
                                   indices, epilogueLanes,
                                   vectorType(epilogue->getOperand(i), width)));
    }
    publish(epilogue, indices, epilogueLanes,
            emitBody(builder, epilogue, args, indices, epilogueLanes, width));
  }
}

} // namespace cornu::codegen
