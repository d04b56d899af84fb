//===- ElementwiseBody.cpp - A linalg body on vectors ---------------------===//
//
// %0 = arith.addf %x, %bias fastmath<contract> : vector<8xf32>
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Elementwise.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

namespace {
/// A value of the scalar body at `width` lanes. Either a vector, or a scalar
/// that lane i sees as scalar + i * stride.
struct LaneValue {
  Value value;
  int64_t stride = 0;
  bool isVector() const { return isa<VectorType>(value.getType()); }
  bool isUniform() const { return !isVector() && stride == 0; }
};

class BodyEmitter {
public:
  BodyEmitter(OpBuilder &builder, linalg::GenericOp op, ValueRange loopIndices,
              const Lanes &lanes, unsigned width)
      : builder(builder), op(op), loopIndices(loopIndices), lanes(lanes),
        width(width) {}

  SmallVector<Value> emit(ValueRange args);

private:
  LaneValue lookup(Value scalar);
  LaneValue indexOf(linalg::IndexOp index);
  Value asVector(Location loc, LaneValue value);
  bool emitQuotient(Operation &operation);
  bool emitIndexArithmetic(Operation &operation);
  void emitLoad(memref::LoadOp load);
  void emitOnVectors(Operation &operation);

  OpBuilder &builder;
  linalg::GenericOp op;
  ValueRange loopIndices;
  const Lanes &lanes;
  unsigned width;
  DenseMap<Value, LaneValue> values;
};
} // namespace

LaneValue BodyEmitter::lookup(Value scalar) {
  auto it = values.find(scalar);
  // Values from outside the body are the same for all lanes.
  return it == values.end() ? LaneValue{scalar} : it->second;
}

LaneValue BodyEmitter::indexOf(linalg::IndexOp index) {
  const int loop = index.getDim();
  Value first = loopIndices[loop];
  if (width == 1 || !lanes.runAlong(loop))
    return {first};
  if (lanes.runLength() == 1)
    return {first, 1};
  SmallVector<Attribute> steps;
  for (unsigned lane = 0; lane < width; ++lane)
    steps.push_back(builder.getIndexAttr(lanes.step(loop, lane)));
  auto type = VectorType::get({width}, first.getType());
  Location loc = index.getLoc();
  return {arith::AddIOp::create(
      builder, loc, splat(builder, loc, first, width),
      arith::ConstantOp::create(builder, loc,
                                DenseElementsAttr::get(type, steps)))};
}

Value BodyEmitter::asVector(Location loc, LaneValue value) {
  Value vector = splat(builder, loc, value.value, width);
  if (value.stride == 0)
    return vector;
  SmallVector<Attribute> steps;
  Type type = value.value.getType();
  for (unsigned i = 0; i < width; ++i)
    steps.push_back(builder.getIntegerAttr(type, i * value.stride));
  Value iota = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(cast<VectorType>(vector.getType()), steps));
  return arith::AddIOp::create(builder, loc, vector, iota);
}

/// True if `value` is known to be a multiple of `factor`, a power of two.
static bool isMultipleOf(Value value, int64_t factor) {
  IntegerAttr constant;
  if (matchPattern(value, m_Constant(&constant)))
    return constant.getValue().getSExtValue() % factor == 0;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop =
        dyn_cast_or_null<scf::ForOp>(argument.getOwner()->getParentOp());
    return loop && loop.getInductionVar() == value &&
           isMultipleOf(loop.getLowerBound(), factor) &&
           isMultipleOf(loop.getStep(), factor);
  }
  Operation *op = value.getDefiningOp();
  if (isa<arith::AddIOp, arith::SubIOp>(op))
    return isMultipleOf(op->getOperand(0), factor) &&
           isMultipleOf(op->getOperand(1), factor);
  if (isa<arith::MulIOp>(op))
    return isMultipleOf(op->getOperand(0), factor) ||
           isMultipleOf(op->getOperand(1), factor);
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp, arith::ExtUIOp,
          arith::ExtSIOp, arith::TruncIOp>(op))
    return isMultipleOf(op->getOperand(0), factor);
  return false;
}

/// i / 4 is the same for four lanes that begin at a multiple of four: what
/// follows from it (a block of random numbers) is computed once.
bool BodyEmitter::emitQuotient(Operation &operation) {
  IntegerAttr attr;
  if (!isa<arith::ShRUIOp, arith::DivUIOp>(operation) ||
      !matchPattern(operation.getOperand(1), m_Constant(&attr)))
    return false;
  LaneValue dividend = lookup(operation.getOperand(0));
  int64_t divisor = attr.getValue().getZExtValue();
  if (isa<arith::ShRUIOp>(operation))
    divisor = divisor < 32 ? int64_t(1) << divisor : int64_t(1) << 32;
  if (dividend.isVector() || dividend.stride != 1 ||
      !llvm::isPowerOf2_64(divisor) || !llvm::isPowerOf2_32(width) ||
      divisor < width || !isMultipleOf(dividend.value, width))
    return false;
  IRMapping map;
  map.map(operation.getOperand(0), dividend.value);
  values[operation.getResult(0)] = {
      builder.clone(operation, map)->getResult(0)};
  return true;
}

/// Sums and constant products of lane indices stay a scalar with a stride, so
/// that a load at such an index is one vector load.
bool BodyEmitter::emitIndexArithmetic(Operation &operation) {
  if (isa<arith::IndexCastOp, arith::IndexCastUIOp>(operation)) {
    LaneValue source = lookup(operation.getOperand(0));
    if (source.isVector() || source.stride == 0)
      return false;
    IRMapping map;
    map.map(operation.getOperand(0), source.value);
    values[operation.getResult(0)] = {
        builder.clone(operation, map)->getResult(0), source.stride};
    return true;
  }
  if (!isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(operation))
    return false;
  LaneValue lhs = lookup(operation.getOperand(0));
  LaneValue rhs = lookup(operation.getOperand(1));
  if (lhs.isVector() || rhs.isVector())
    return false;
  int64_t stride;
  if (isa<arith::AddIOp>(operation)) {
    stride = lhs.stride + rhs.stride;
  } else if (isa<arith::SubIOp>(operation)) {
    stride = lhs.stride - rhs.stride;
  } else {
    IntegerAttr factor;
    if (rhs.stride == 0 && matchPattern(rhs.value, m_Constant(&factor)))
      stride = lhs.stride * factor.getInt();
    else if (lhs.stride == 0 && matchPattern(lhs.value, m_Constant(&factor)))
      stride = rhs.stride * factor.getInt();
    else
      return false;
  }
  IRMapping map;
  map.map(operation.getOperand(0), lhs.value);
  map.map(operation.getOperand(1), rhs.value);
  values[operation.getResult(0)] = {builder.clone(operation, map)->getResult(0),
                                    stride};
  return true;
}

void BodyEmitter::emitLoad(memref::LoadOp load) {
  Location loc = load.getLoc();
  SmallVector<LaneValue> indices;
  bool uniform = true, contiguous = true;
  for (auto [i, index] : llvm::enumerate(load.getIndices())) {
    LaneValue value = lookup(index);
    bool last = i + 1 == load.getIndices().size();
    uniform &= value.isUniform();
    contiguous &=
        value.isUniform() || (last && !value.isVector() && value.stride == 1);
    indices.push_back(value);
  }
  SmallVector<Value> scalars;
  for (LaneValue index : indices)
    scalars.push_back(index.value);
  if (uniform) {
    values[load] = {
        memref::LoadOp::create(builder, loc, load.getMemRef(), scalars)};
    return;
  }
  auto type = VectorType::get({width}, load.getType());
  if (contiguous && isInnermostContiguous(load.getMemRefType()) &&
      !load.getType().isInteger(1)) {
    values[load] = {
        vector::LoadOp::create(builder, loc, type, load.getMemRef(), scalars)};
    return;
  }
  SmallVector<Value> elements;
  for (unsigned i = 0; i < width; ++i) {
    for (auto [scalar, index] : llvm::zip(scalars, indices))
      scalar = index.isVector()
                   ? vector::ExtractOp::create(builder, loc, index.value, i)
                         .getResult()
                   : addConstant(builder, loc, index.value, i * index.stride);
    elements.push_back(
        memref::LoadOp::create(builder, loc, load.getMemRef(), scalars));
  }
  values[load] = {vector::FromElementsOp::create(builder, loc, type, elements)};
}

void BodyEmitter::emitOnVectors(Operation &operation) {
  Location loc = operation.getLoc();
  SmallVector<Value> operands;
  for (Value operand : operation.getOperands())
    operands.push_back(asVector(loc, lookup(operand)));
  SmallVector<Type> types;
  for (Type type : operation.getResultTypes())
    types.push_back(VectorType::get({width}, type));
  OperationState state(loc, operation.getName(), operands, types,
                       operation.getAttrs());
  state.propertiesAttr = operation.getPropertiesAsAttribute();
  Operation *vectorized = builder.create(state);
  for (auto [scalar, vector] :
       llvm::zip(operation.getResults(), vectorized->getResults()))
    values[scalar] = {vector};
}

SmallVector<Value> BodyEmitter::emit(ValueRange args) {
  Block *body = op.getBody();
  for (auto [argument, value] : llvm::zip(body->getArguments(), args)) {
    if (!value) // an operand that the body does not use
      continue;
    // A broadcast is known to be uniform.
    auto broadcast = value.getDefiningOp<vector::BroadcastOp>();
    if (broadcast && !isa<VectorType>(broadcast.getSource().getType()))
      values[argument] = {broadcast.getSource()};
    else
      values[argument] = {value};
  }
  for (Operation &operation : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(operation)) {
      values[index] = indexOf(index);
      continue;
    }
    if (auto load = dyn_cast<memref::LoadOp>(operation)) {
      emitLoad(load);
      continue;
    }
    bool uniform = llvm::all_of(operation.getOperands(), [&](Value operand) {
      return lookup(operand).isUniform();
    });
    if (uniform) {
      IRMapping map;
      for (auto &[scalar, value] : values)
        map.map(scalar, value.value);
      Operation *clone = builder.clone(operation, map);
      for (auto [scalar, result] :
           llvm::zip(operation.getResults(), clone->getResults()))
        values[scalar] = {result};
    } else if (!emitQuotient(operation) && !emitIndexArithmetic(operation)) {
      emitOnVectors(operation);
    }
    // Let multiplications and additions fuse. Conversions may have no flags.
    Value result = operation.getNumResults() ? operation.getResult(0) : Value();
    if (!result)
      continue;
    Operation *emitted = values[result].value.getDefiningOp();
    auto floating = dyn_cast_or_null<arith::ArithFastMathInterface>(emitted);
    if (!floating || !floating.getFastMathFlagsAttr())
      continue;
    emitted->setAttr(
        floating.getFastMathAttrName(),
        arith::FastMathFlagsAttr::get(
            op.getContext(), floating.getFastMathFlagsAttr().getValue() |
                                 arith::FastMathFlags::contract));
  }
  SmallVector<Value> results;
  for (Value value : body->getTerminator()->getOperands())
    results.push_back(asVector(op.getLoc(), lookup(value)));
  return results;
}

SmallVector<Value> emitBody(OpBuilder &builder, linalg::GenericOp op,
                            ValueRange args, ValueRange loopIndices,
                            const Lanes &lanes, unsigned width) {
  return BodyEmitter(builder, op, loopIndices, lanes, width).emit(args);
}

bool isVectorizable(linalg::GenericOp op) {
  return llvm::all_of(
      op.getBody()->without_terminator(), [](Operation &operation) {
        return isa<linalg::IndexOp, memref::LoadOp>(operation) ||
               (OpTrait::hasElementwiseMappableTraits(&operation) &&
                operation.getNumRegions() == 0) ||
               operation.hasTrait<OpTrait::ConstantLike>();
      });
}

} // namespace cornu::codegen
