//===- Elementwise.cpp - A linalg body on vectors -------------------------===//
//
// Loads, stores and bodies of linalg.generic at a point of its loops:
//
//   %x = vector.load %arg0[%i, %j] : memref<?x64xf32>, vector<8xf32>
//   %0 = arith.addf %x, %bias fastmath<contract> : vector<8xf32>
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Elementwise.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Indices
//===----------------------------------------------------------------------===//

/// `value` as base + constant; the base is null for a constant.
static std::pair<Value, int64_t> splitConstant(Value value) {
  IntegerAttr attr;
  if (matchPattern(value, m_Constant(&attr)))
    return {Value(), attr.getInt()};
  if (auto add = value.getDefiningOp<arith::AddIOp>())
    if (matchPattern(add.getRhs(), m_Constant(&attr)))
      return {add.getLhs(), attr.getInt()};
  return {value, 0};
}

Value addConstant(OpBuilder &builder, Location loc, Value value,
                  int64_t constant) {
  auto [base, offset] = splitConstant(value);
  offset += constant;
  if (!base)
    return arith::ConstantIndexOp::create(builder, loc, offset);
  if (offset == 0)
    return base;
  return arith::AddIOp::create(
      builder, loc, base, arith::ConstantIndexOp::create(builder, loc, offset));
}

namespace {
/// sum of coefficient * value, plus a constant.
struct LinearIndex {
  llvm::SmallMapVector<Value, int64_t, 4> terms;
  int64_t constant = 0;

  void add(const LinearIndex &other, int64_t factor) {
    for (auto [value, coefficient] : other.terms)
      terms[value] += coefficient * factor;
    constant += other.constant * factor;
  }
};
} // namespace

static Value materialize(OpBuilder &builder, Location loc,
                         const LinearIndex &index) {
  Value sum;
  for (auto [value, coefficient] : index.terms) {
    if (coefficient == 0)
      continue;
    Value term = value;
    if (coefficient != 1)
      term = arith::MulIOp::create(
          builder, loc, value,
          arith::ConstantIndexOp::create(builder, loc, coefficient));
    sum = sum ? arith::AddIOp::create(builder, loc, sum, term) : term;
  }
  if (!sum)
    return arith::ConstantIndexOp::create(builder, loc, index.constant);
  return addConstant(builder, loc, sum, index.constant);
}

/// Evaluates `expr` over the loops. Products of constants and sums stay
/// linear; divisions are computed and become a term of their own.
static LinearIndex evaluate(OpBuilder &builder, Location loc, AffineExpr expr,
                            ValueRange loopIndices) {
  LinearIndex result;
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    result.constant = constant.getValue();
    return result;
  }
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    auto [base, offset] = splitConstant(loopIndices[dim.getPosition()]);
    if (base)
      result.terms[base] = 1;
    result.constant = offset;
    return result;
  }
  auto binary = cast<AffineBinaryOpExpr>(expr);
  LinearIndex lhs = evaluate(builder, loc, binary.getLHS(), loopIndices);
  LinearIndex rhs = evaluate(builder, loc, binary.getRHS(), loopIndices);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    result.add(lhs, 1);
    result.add(rhs, 1);
    return result;
  case AffineExprKind::Mul:
    assert(rhs.terms.empty() && "index maps have no symbols");
    result.add(lhs, rhs.constant);
    return result;
  default:
    break;
  }
  Value left = materialize(builder, loc, lhs);
  Value right = materialize(builder, loc, rhs);
  Value value;
  if (expr.getKind() == AffineExprKind::FloorDiv)
    value = arith::FloorDivSIOp::create(builder, loc, left, right);
  else if (expr.getKind() == AffineExprKind::CeilDiv)
    value = arith::CeilDivSIOp::create(builder, loc, left, right);
  else
    // Indices are not negative, so the remainder is the modulus.
    value = arith::RemUIOp::create(builder, loc, left, right);
  result.terms[value] = 1;
  return result;
}

SmallVector<Value> operandIndices(OpBuilder &builder, Location loc,
                                  linalg::GenericOp op, unsigned operand,
                                  ValueRange loopIndices) {
  AffineMap map = op.getIndexingMapsArray()[operand];
  SmallVector<Value> indices;
  for (AffineExpr expr : map.getResults())
    indices.push_back(
        materialize(builder, loc, evaluate(builder, loc, expr, loopIndices)));
  return indices;
}

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

/// True where neighbours in the last dimension are neighbours in memory.
static bool isInnermostContiguous(MemRefType type) {
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

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

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
              int lane, unsigned width)
      : builder(builder), op(op), loopIndices(loopIndices), lane(lane),
        width(width) {}

  SmallVector<Value> emit(ValueRange args);

private:
  LaneValue lookup(Value scalar);
  Value asVector(Location loc, LaneValue value);
  bool emitQuotient(Operation &operation);
  bool emitIndexArithmetic(Operation &operation);
  void emitLoad(memref::LoadOp load);
  void emitOnVectors(Operation &operation);

  OpBuilder &builder;
  linalg::GenericOp op;
  ValueRange loopIndices;
  int lane;
  unsigned width;
  DenseMap<Value, LaneValue> values;
};
} // namespace

LaneValue BodyEmitter::lookup(Value scalar) {
  auto it = values.find(scalar);
  // Values from outside the body are the same for all lanes.
  return it == values.end() ? LaneValue{scalar} : it->second;
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
      int dim = index.getDim();
      values[index] = {loopIndices[dim], width > 1 && dim == lane ? 1 : 0};
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
                            ValueRange args, ValueRange loopIndices, int lane,
                            unsigned width) {
  return BodyEmitter(builder, op, loopIndices, lane, width).emit(args);
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

SmallVector<unsigned> lanePieces(int64_t extent, unsigned width) {
  SmallVector<unsigned> pieces;
  for (unsigned piece = width; extent > 0; piece /= 2)
    for (; extent >= piece; extent -= piece)
      pieces.push_back(piece);
  return pieces;
}

} // namespace cornu::codegen
