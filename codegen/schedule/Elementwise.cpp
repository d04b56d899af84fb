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

bool isInnermostContiguous(MemRefType type) {
  if (type.getRank() == 0)
    return true;
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) &&
         (strides.back() == 1 || type.getShape().back() == 1);
}

/// True if `expr` is d_lane + (something without the lane).
static bool isUnitStride(AffineExpr expr, int lane) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return static_cast<int>(dim.getPosition()) == lane;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary || expr.getKind() != AffineExprKind::Add)
    return false;
  AffineExpr lhs = binary.getLHS(), rhs = binary.getRHS();
  return (isUnitStride(lhs, lane) && !rhs.isFunctionOfDim(lane)) ||
         (isUnitStride(rhs, lane) && !lhs.isFunctionOfDim(lane));
}

LaneAccess laneAccess(linalg::GenericOp op, unsigned operand, int lane) {
  if (lane < 0)
    return LaneAccess::Uniform;
  AffineMap map = op.getIndexingMapsArray()[operand];
  if (!map.isFunctionOfDim(lane))
    return LaneAccess::Uniform;
  auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
  // In memory a boolean is a byte, in a vector it is a bit.
  if (!type || !isInnermostContiguous(type) ||
      type.getElementType().isInteger(1) ||
      !isUnitStride(map.getResults().back(), lane))
    return LaneAccess::Strided;
  for (AffineExpr expr : map.getResults().drop_back())
    if (expr.isFunctionOfDim(lane))
      return LaneAccess::Strided;
  return LaneAccess::Contiguous;
}

/// The loop indices of lane `i`.
static SmallVector<Value> atLane(OpBuilder &builder, Location loc,
                                 ValueRange loopIndices, int lane, unsigned i) {
  SmallVector<Value> indices(loopIndices);
  indices[lane] = addConstant(builder, loc, indices[lane], i);
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

Value loadOperand(OpBuilder &builder, Location loc, linalg::GenericOp op,
                  unsigned operand, ValueRange loopIndices, int lane,
                  VectorType type) {
  Value source = op->getOperand(operand);
  unsigned width = type ? type.getNumElements() : 1;
  if (!isa<MemRefType>(source.getType()))
    return splat(builder, loc, source, width);
  LaneAccess access =
      width == 1 ? LaneAccess::Uniform : laneAccess(op, operand, lane);
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
  case LaneAccess::Strided: {
    SmallVector<Value> elements;
    for (unsigned i = 0; i < width; ++i)
      elements.push_back(memref::LoadOp::create(
          builder, loc, source,
          operandIndices(builder, loc, op, operand,
                         atLane(builder, loc, loopIndices, lane, i))));
    return vector::FromElementsOp::create(builder, loc, type, elements);
  }
  }
  llvm_unreachable("all kinds of access are handled");
}

void storeOperand(OpBuilder &builder, Location loc, linalg::GenericOp op,
                  unsigned operand, Value value, ValueRange loopIndices,
                  int lane) {
  Value target = op->getOperand(operand);
  auto type = dyn_cast<VectorType>(value.getType());
  if (!type) {
    memref::StoreOp::create(
        builder, loc, value, target,
        operandIndices(builder, loc, op, operand, loopIndices));
    return;
  }
  if (laneAccess(op, operand, lane) == LaneAccess::Contiguous) {
    vector::StoreOp::create(
        builder, loc, value, target,
        operandIndices(builder, loc, op, operand, loopIndices));
    return;
  }
  for (unsigned i = 0, e = type.getNumElements(); i < e; ++i)
    memref::StoreOp::create(
        builder, loc, vector::ExtractOp::create(builder, loc, value, i), target,
        operandIndices(builder, loc, op, operand,
                       atLane(builder, loc, loopIndices, lane, i)));
}

SmallVector<unsigned> lanePieces(int64_t extent, unsigned width) {
  SmallVector<unsigned> pieces;
  for (unsigned piece = width; extent > 0; piece /= 2)
    for (; extent >= piece; extent -= piece)
      pieces.push_back(piece);
  return pieces;
}

} // namespace cornu::codegen
