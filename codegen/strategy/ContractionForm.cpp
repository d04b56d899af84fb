//===- ContractionForm.cpp - The loops of a contraction by role -----------===//
//
// "bi,iu->bu": rows b, lane u, reduction i.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/ContractionForm.h"

using namespace mlir;

namespace cornu::codegen {

/// True for { %p = mulf(in0, in1); yield addf(out, %p) } in any order of
/// operands.
static bool multipliesAndAdds(Block *body) {
  Operation *yield = body->getTerminator();
  if (yield->getNumOperands() != 1 ||
      !llvm::hasNItems(body->without_terminator(), 2))
    return false;
  auto sum = yield->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  Value out = body->getArgument(2);
  Value product = sum.getLhs() == out ? sum.getRhs() : sum.getLhs();
  if (sum.getLhs() != out && sum.getRhs() != out)
    return false;
  auto multiply = product.getDefiningOp<arith::MulFOp>();
  if (!multiply)
    return false;
  Value a = body->getArgument(0), b = body->getArgument(1);
  return (multiply.getLhs() == a && multiply.getRhs() == b) ||
         (multiply.getLhs() == b && multiply.getRhs() == a);
}

static bool movesAny(ArrayRef<LinearExpr> results, unsigned loop) {
  return llvm::any_of(results,
                      [&](const LinearExpr &e) { return e.moves(loop); });
}

/// Lanes that are not worth a vector.
static constexpr int64_t kFewLanes = 8;

/// The loop along the lanes: the last of the output, or, where that is short,
/// another along which one operand can be read in vectors, as the channels in
/// the gradient for a kernel of few filters.
static unsigned laneOf(linalg::GenericOp op, ArrayRef<LinearExpr> a,
                       ArrayRef<LinearExpr> b, ArrayRef<int64_t> extents) {
  ArrayRef<AffineExpr> output = op.getIndexingMapsArray()[2].getResults();
  auto loopOf = [](AffineExpr expr) {
    return cast<AffineDimExpr>(expr).getPosition();
  };
  const unsigned last = loopOf(output.back());
  if (ShapedType::isDynamic(extents[last]) || extents[last] >= kFewLanes)
    return last;
  for (AffineExpr expr : llvm::reverse(output.drop_back())) {
    unsigned loop = loopOf(expr);
    bool inA = movesAny(a, loop), inB = movesAny(b, loop);
    if (ShapedType::isDynamic(extents[loop]) ||
        extents[loop] < 2 * extents[last] || inA == inB)
      continue;
    if (strideOf(op, inA ? 0 : 1, loop) == 1)
      return loop;
  }
  return last;
}

std::optional<ContractionForm> ContractionForm::of(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      !multipliesAndAdds(op.getBody()))
    return std::nullopt;
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<ShapedType>(operand.getType());
    if (!type || !isa<Float32Type, Float64Type>(type.getElementType()))
      return std::nullopt;
  }
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto a = linearResults(maps[0]), b = linearResults(maps[1]);
  if (!a || !b || !maps[2].isProjectedPermutation() ||
      maps[2].getNumResults() == 0)
    return std::nullopt;

  ContractionForm form;
  form.extents = op.getStaticLoopRanges();
  form.lane = laneOf(op, *a, *b, form.extents);
  bool inA = movesAny(*a, form.lane), inB = movesAny(*b, form.lane);
  if (!inA && !inB)
    return std::nullopt;
  form.sharedLane = inA && inB;
  if (inA && !inB)
    std::swap(form.left, form.right);
  ArrayRef<LinearExpr> left = form.left == 0 ? *a : *b;
  ArrayRef<LinearExpr> right = form.left == 0 ? *b : *a;
  for (AffineExpr result : maps[2].getResults()) {
    unsigned loop = cast<AffineDimExpr>(result).getPosition();
    if (loop == form.lane)
      continue;
    bool inLeft = movesAny(left, loop), inRight = movesAny(right, loop);
    if (inLeft && inRight)
      form.batch.push_back(loop);
    else if (inLeft)
      form.rows.push_back(loop);
    else
      form.columns.push_back(loop);
  }
  for (auto [loop, type] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (type == utils::IteratorType::reduction)
      form.reduction.push_back(loop);
    else if (!maps[2].isFunctionOfDim(loop))
      return std::nullopt;
  }
  return form;
}

int64_t ContractionForm::product(ArrayRef<unsigned> loops) const {
  int64_t result = 1;
  for (unsigned loop : loops) {
    if (ShapedType::isDynamic(extents[loop]))
      return ShapedType::kDynamic;
    result *= extents[loop];
  }
  return result;
}

} // namespace cornu::codegen
