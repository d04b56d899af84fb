//===- indexing.cpp - Derivatives of lookups ------------------------------===//

#include "passes/graph/Derivatives.h"

using namespace mlir;

namespace cornu::graph {

static Gradients gather(nn::GatherOp op, const Rule &r) {
  return {r.make<nn::ScatterAddOp>(op.getTable().getType(), op.getIndices(),
                                   r.gradient),
          Value()};
}

static Gradients scatterAdd(nn::ScatterAddOp op, const Rule &r) {
  return {Value(), r.make<nn::GatherOp>(r.gradient, op.getIndices())};
}

void attachIndexingDerivatives(MLIRContext *context) {
  attachRule<nn::GatherOp, gather>(context);
  attachRule<nn::ScatterAddOp, scatterAdd>(context);
  attachZero<nn::RandomUniformOp>(context);
}

} // namespace cornu::graph
