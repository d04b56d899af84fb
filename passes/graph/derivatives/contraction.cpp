//===- contraction.cpp - Derivative of the contraction --------------------===//

#include "passes/graph/Derivatives.h"

using namespace mlir;

namespace cornu::graph {

// For c = "A,B->C" of a and b: da = "C,B->A" of g and b, db = "A,C->B" of a
// and g. Each letter of an operand stands in the other or in the result, so
// that these are contractions again.
static Gradients contract(nn::ContractOp op, const Rule &r) {
  std::string a = op.getLhsLabels().str(), b = op.getRhsLabels().str(),
              c = op.getResultLabels().str();
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] =
        r.make<nn::ContractOp>(r.builder.getStringAttr(c + "," + b + "->" + a),
                               r.gradient, op.getRhs());
  if (r.needed[1])
    gradients[1] =
        r.make<nn::ContractOp>(r.builder.getStringAttr(a + "," + c + "->" + b),
                               op.getLhs(), r.gradient);
  return gradients;
}

void attachContractionDerivatives(MLIRContext *context) {
  attachRule<nn::ContractOp, contract>(context);
}

} // namespace cornu::graph
