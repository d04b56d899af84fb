//===- control.cpp - Derivative of nn.scan --------------------------------===//

#include "passes/graph/derivatives/ScanDerivative.h"

using namespace mlir;

namespace cornu::graph {

static Gradients scan(nn::ScanOp op, const Rule &rule) {
  return ScanDerivative(op, rule).build();
}

void attachControlDerivatives(MLIRContext *context) {
  attachRule<nn::ScanOp, scan>(context);
}

} // namespace cornu::graph
