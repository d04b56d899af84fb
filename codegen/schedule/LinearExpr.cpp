//===- LinearExpr.cpp - Indices that are linear in the loops --------------===//

#include "codegen/schedule/LinearExpr.h"

using namespace mlir;

namespace cornu::codegen {

static bool accumulate(AffineExpr expr, int64_t factor, LinearExpr &result) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    result.coefficients[dim.getPosition()] += factor;
    return true;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
    result.constant += factor * constant.getValue();
    return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (expr.getKind() == AffineExprKind::Add)
    return accumulate(binary.getLHS(), factor, result) &&
           accumulate(binary.getRHS(), factor, result);
  if (expr.getKind() != AffineExprKind::Mul)
    return false;
  if (auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS()))
    return accumulate(binary.getLHS(), factor * constant.getValue(), result);
  if (auto constant = dyn_cast<AffineConstantExpr>(binary.getLHS()))
    return accumulate(binary.getRHS(), factor * constant.getValue(), result);
  return false;
}

std::optional<LinearExpr> LinearExpr::of(AffineExpr expr, unsigned loops) {
  LinearExpr result;
  result.coefficients.assign(loops, 0);
  if (!accumulate(expr, 1, result))
    return std::nullopt;
  return result;
}

std::optional<SmallVector<LinearExpr>> linearResults(AffineMap map) {
  SmallVector<LinearExpr> results;
  for (AffineExpr expr : map.getResults()) {
    std::optional<LinearExpr> linear = LinearExpr::of(expr, map.getNumDims());
    if (!linear)
      return std::nullopt;
    results.push_back(*linear);
  }
  return results;
}

KnownStrides knownStrides(MemRefType type, AffineMap map) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)))
    return KnownStrides(map.getNumDims(), std::nullopt);
  KnownStrides result(map.getNumDims(), 0);
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    std::optional<LinearExpr> linear = LinearExpr::of(expr, map.getNumDims());
    for (unsigned loop = 0; loop < result.size(); ++loop) {
      if (!(linear ? linear->moves(loop) : expr.isFunctionOfDim(loop)))
        continue;
      if (!linear || ShapedType::isDynamic(strides[dim]))
        result[loop] = std::nullopt;
      else if (result[loop])
        *result[loop] += linear->coefficients[loop] * strides[dim];
    }
  }
  return result;
}

std::optional<int64_t> strideOf(linalg::GenericOp op, unsigned operand,
                                unsigned loop) {
  auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
  if (!type)
    return std::nullopt;
  return knownStrides(type, op.getIndexingMapsArray()[operand])[loop];
}

} // namespace cornu::codegen
