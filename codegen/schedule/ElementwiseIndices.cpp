//===- ElementwiseIndices.cpp - Where an operand lies in memory -----------===//
//
// x[2 * oh + kh - 1, c] at oh = 3, kh = %k:   x[%k + 5, %c]
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Elementwise.h"

#include "mlir/IR/Matchers.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace cornu::codegen {

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

} // namespace cornu::codegen
