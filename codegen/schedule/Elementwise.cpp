//===- Elementwise.cpp - A linalg body on vectors -------------------------===//
//
// Loads and stores of the operands of linalg.generic at a point of its loops:
//
//   %x = vector.load %arg0[%i, %j] : memref<?x64xf32>, vector<8xf32>
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Elementwise.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cornu::codegen {

/// The loop indices of lane `i`.
static SmallVector<Value> atLane(OpBuilder &builder, Location loc,
                                 ValueRange loopIndices, const Lanes &lanes,
                                 unsigned i) {
  SmallVector<Value> indices(loopIndices);
  for (auto [loop, index] : llvm::enumerate(indices))
    if (lanes.runAlong(loop))
      index = addConstant(builder, loc, index, lanes.step(loop, i));
  return indices;
}

Value splat(OpBuilder &builder, Location loc, Value value, unsigned width) {
  if (width == 1 || isa<VectorType>(value.getType()))
    return value;
  auto type = VectorType::get({width}, value.getType());
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant)))
    return arith::ConstantOp::create(builder, loc,
                                     DenseElementsAttr::get(type, constant));
  return vector::BroadcastOp::create(builder, loc, type, value);
}

/// Loads the vectors that hold the elements, and picks from one after the
/// other.
Value loadElements(OpBuilder &builder, Location loc, linalg::GenericOp op,
                   unsigned operand, ValueRange loopIndices,
                   ArrayRef<int64_t> offsets) {
  const unsigned width = offsets.size();
  ShuffledLoads loads = shuffledLoads(offsets);
  auto loaded = VectorType::get(
      {loads.width}, getElementTypeOrSelf(op->getOperand(operand).getType()));
  SmallVector<Value> indices =
      operandIndices(builder, loc, op, operand, loopIndices);
  Value first = indices.back();
  auto load = [&](unsigned n) -> Value {
    indices.back() = addConstant(builder, loc, first, loads.firsts[n]);
    return vector::LoadOp::create(builder, loc, loaded, op->getOperand(operand),
                                  indices);
  };
  // The first vector that has it.
  auto ownerOf = [&](int64_t offset) {
    return llvm::find_if(loads.firsts,
                         [&](int64_t first) {
                           return offset < first + int64_t(loads.width);
                         }) -
           loads.firsts.begin();
  };
  Value result = load(0);
  const unsigned count = loads.firsts.size();
  for (unsigned n = std::min(1u, count - 1); n < count; ++n) {
    Value next = n == 0 ? result : load(n);
    SmallVector<int64_t> mask(n + 1 == count ? width : loads.width, 0);
    for (auto [lane, offset] : llvm::enumerate(offsets)) {
      unsigned owner = ownerOf(offset);
      int64_t at = offset - loads.firsts[owner];
      if (owner == n)
        mask[lane] = n == 0 ? at : loads.width + at;
      else if (owner < n)
        mask[lane] = n == 1 ? at : lane;
    }
    result = vector::ShuffleOp::create(builder, loc, result, next, mask);
  }
  return result;
}

Value loadOperand(OpBuilder &builder, Location loc, linalg::GenericOp op,
                  unsigned operand, ValueRange loopIndices, const Lanes &lanes,
                  VectorType type) {
  Value source = op->getOperand(operand);
  unsigned width = type ? type.getNumElements() : 1;
  if (!isa<MemRefType>(source.getType()))
    return splat(builder, loc, source, width);
  LaneAccess access =
      width == 1 ? LaneAccess::Uniform : laneAccess(op, operand, lanes, width);
  switch (access) {
  case LaneAccess::Uniform: {
    Value scalar = memref::LoadOp::create(
        builder, loc, source,
        operandIndices(builder, loc, op, operand, loopIndices));
    return splat(builder, loc, scalar, width);
  }
  case LaneAccess::Contiguous:
    return vector::LoadOp::create(
        builder, loc, type, source,
        operandIndices(builder, loc, op, operand, loopIndices));
  case LaneAccess::Shuffled:
    return loadElements(builder, loc, op, operand, loopIndices,
                        *laneOffsets(op, operand, lanes, width));
  case LaneAccess::Strided: {
    SmallVector<Value> elements;
    for (unsigned i = 0; i < width; ++i)
      elements.push_back(memref::LoadOp::create(
          builder, loc, source,
          operandIndices(builder, loc, op, operand,
                         atLane(builder, loc, loopIndices, lanes, i))));
    return vector::FromElementsOp::create(builder, loc, type, elements);
  }
  }
  llvm_unreachable("all kinds of access are handled");
}

void storeOperand(OpBuilder &builder, Location loc, linalg::GenericOp op,
                  unsigned operand, Value value, ValueRange loopIndices,
                  const Lanes &lanes) {
  Value target = op->getOperand(operand);
  auto type = dyn_cast<VectorType>(value.getType());
  if (!type) {
    memref::StoreOp::create(
        builder, loc, value, target,
        operandIndices(builder, loc, op, operand, loopIndices));
    return;
  }
  if (laneAccess(op, operand, lanes, type.getNumElements()) ==
      LaneAccess::Contiguous) {
    vector::StoreOp::create(
        builder, loc, value, target,
        operandIndices(builder, loc, op, operand, loopIndices));
    return;
  }
  for (unsigned i = 0, e = type.getNumElements(); i < e; ++i)
    memref::StoreOp::create(
        builder, loc, vector::ExtractOp::create(builder, loc, value, i), target,
        operandIndices(builder, loc, op, operand,
                       atLane(builder, loc, loopIndices, lanes, i)));
}

SmallVector<unsigned> lanePieces(int64_t extent, unsigned width) {
  SmallVector<unsigned> pieces;
  for (unsigned piece = width; extent > 0; piece /= 2)
    for (; extent >= piece; extent -= piece)
      pieces.push_back(piece);
  return pieces;
}

} // namespace cornu::codegen
