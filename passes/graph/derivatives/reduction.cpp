//===- reduction.cpp - Derivatives of reductions and softmax --------------===//

#include "passes/graph/Derivatives.h"

using namespace mlir;
using cornu::nn::Predicate;
using cornu::nn::ReductionKind;

namespace cornu::graph {

/// `value`, a result of the reduction or its gradient, with the reduced axes
/// at size 1, so that it broadcasts with the input.
static Value keepAxes(nn::ReduceOp op, Value value, const Rule &r) {
  auto input = nn::tensorType(op.getInput());
  auto shape = nn::reducedShape(input.getShape(), op.getAxes(), true);
  return r.reshape(value,
                   RankedTensorType::get(*shape, nn::elementType(value)));
}

static Value likeInput(nn::ReduceOp op, Value value, const Rule &r) {
  return r.make<nn::BroadcastOp>(op.getInput().getType(), value, op.getInput());
}

/// How many elements are combined into one, as a scalar.
static Value reducedCount(nn::ReduceOp op, const Rule &r) {
  Value input = op.getInput();
  auto type = nn::tensorType(input);
  double count = 1;
  Value dynamic;
  for (int64_t axis : op.getAxes()) {
    if (!type.isDynamicDim(axis)) {
      count *= type.getDimSize(axis);
      continue;
    }
    // nn.batch_size reads the leading dimension.
    if (axis != 0) {
      auto permutation = llvm::to_vector(llvm::seq<int64_t>(0, type.getRank()));
      std::swap(permutation[0], permutation[axis]);
      input = r.make<nn::TransposeOp>(permutation, input);
    }
    dynamic = r.make<nn::BatchSizeOp>(
        RankedTensorType::get({}, type.getElementType()), input);
  }
  if (!dynamic)
    return r.number(input, count);
  return count == 1 ? dynamic : r.multiply(dynamic, count);
}

/// g / ties for each element that equals the extremum.
static Value extremum(nn::ReduceOp op, const Rule &r) {
  Value y = keepAxes(op, op.getResult(), r);
  Value chosen = r.convert(r.compare(Predicate::eq, op.getInput(), y),
                           nn::elementType(r.gradient));
  Value ties = r.sum(chosen, op.getAxes(), /*keepAxes=*/true);
  return r.multiply(chosen, r.divide(keepAxes(op, r.gradient, r), ties));
}

/// g times the product of the other elements, correct with zeros among them.
static Value product(nn::ReduceOp op, const Rule &r) {
  Value x = op.getInput();
  Value one = r.number(x, 1.0), zero = r.number(x, 0.0);
  Value isZero = r.compare(Predicate::eq, x, zero);
  Value zeros = r.sum(r.convert(isZero, nn::elementType(x)), op.getAxes(),
                      /*keepAxes=*/true);
  Value nonZero = r.select(isZero, one, x);
  Value rest = r.make<nn::ReduceOp>(ReductionKind::product, nonZero,
                                    op.getAxes(), /*keepAxes=*/true);
  Value others = r.divide(rest, nonZero);
  Value otherZeros = r.subtract(zeros, r.convert(isZero, nn::elementType(x)));
  Value slope =
      r.select(r.compare(Predicate::eq, otherZeros, zero), others, zero);
  return r.multiply(keepAxes(op, r.gradient, r), slope);
}

static Gradients reduce(nn::ReduceOp op, const Rule &r) {
  switch (op.getKind()) {
  case ReductionKind::sum:
    return {likeInput(op, keepAxes(op, r.gradient, r), r)};
  case ReductionKind::mean: {
    Value share = r.divide(r.gradient, reducedCount(op, r));
    return {likeInput(op, keepAxes(op, share, r), r)};
  }
  case ReductionKind::max:
  case ReductionKind::min:
    return {extremum(op, r)};
  case ReductionKind::product:
    return {product(op, r)};
  case ReductionKind::any:
  case ReductionKind::all:
    return {Value()};
  }
  llvm_unreachable("unknown reduction");
}

// y (g - sum(g y))
static Gradients softmax(nn::SoftmaxOp op, const Rule &r) {
  Value y = op.getResult();
  Value dot = r.sum(r.multiply(r.gradient, y), {op.getAxisAttr().getInt()},
                    /*keepAxes=*/true);
  return {r.multiply(y, r.subtract(r.gradient, dot))};
}

// g - e^y sum(g)
static Gradients logSoftmax(nn::LogSoftmaxOp op, const Rule &r) {
  Value total = r.sum(r.gradient, {op.getAxisAttr().getInt()},
                      /*keepAxes=*/true);
  Value probabilities = r.exp(op.getResult());
  return {r.subtract(r.gradient, r.multiply(probabilities, total))};
}

void attachReductionDerivatives(MLIRContext *context) {
  attachRule<nn::ReduceOp, reduce>(context);
  attachRule<nn::SoftmaxOp, softmax>(context);
  attachRule<nn::LogSoftmaxOp, logSoftmax>(context);
}

} // namespace cornu::graph
