//===- pooling.cpp - Derivatives of reductions of windows -----------------===//
//
// sum_pool and sum_pool_gradient are each other's transposes, and so are
// max_pool_scatter and max_pool_gather for fixed positions of the maxima.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Derivatives.h"

using namespace mlir;

namespace cornu::graph {

static Gradients sumPool(nn::SumPoolOp op, const Rule &r) {
  return {r.make<nn::SumPoolGradientOp>(op.getInput().getType(), r.gradient,
                                        op.getWindow(), op.getStrides(),
                                        op.getPadding())};
}

static Gradients sumPoolGradient(nn::SumPoolGradientOp op, const Rule &r) {
  return {r.make<nn::SumPoolOp>(r.gradient, op.getWindow(), op.getStrides(),
                                op.getPadding())};
}

static Gradients maxPool(nn::MaxPoolOp op, const Rule &r) {
  return {r.make<nn::MaxPoolScatterOp>(op.getInput().getType(), op.getInput(),
                                       r.gradient, op.getWindow(),
                                       op.getStrides(), op.getPadding())};
}

static Gradients maxPoolScatter(nn::MaxPoolScatterOp op, const Rule &r) {
  return {Value(),
          r.make<nn::MaxPoolGatherOp>(op.getInput(), r.gradient, op.getWindow(),
                                      op.getStrides(), op.getPadding())};
}

static Gradients maxPoolGather(nn::MaxPoolGatherOp op, const Rule &r) {
  return {Value(), r.make<nn::MaxPoolScatterOp>(
                       op.getInput().getType(), op.getInput(), r.gradient,
                       op.getWindow(), op.getStrides(), op.getPadding())};
}

void attachPoolingDerivatives(MLIRContext *context) {
  attachRule<nn::SumPoolOp, sumPool>(context);
  attachRule<nn::SumPoolGradientOp, sumPoolGradient>(context);
  attachRule<nn::MaxPoolOp, maxPool>(context);
  attachRule<nn::MaxPoolScatterOp, maxPoolScatter>(context);
  attachRule<nn::MaxPoolGatherOp, maxPoolGather>(context);
}

} // namespace cornu::graph
