//===- Differentiate.cpp - Gradients of a function, as a pass -------------===//

#include "passes/graph/Autodiff.h"
#include "passes/graph/Math.h"
#include "passes/graph/Passes.h"

using namespace mlir;

namespace cornu::graph {

#define GEN_PASS_DEF_DIFFERENTIATE
#include "passes/graph/Passes.h.inc"

namespace {
struct Differentiate : impl::DifferentiateBase<Differentiate> {
  using DifferentiateBase::DifferentiateBase;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    Operation *end = function.getBody().front().getTerminator();
    OpBuilder builder(end);
    Math math(builder, function.getLoc());
    unsigned last = end->getNumOperands() - 1;
    Value scalar =
        again ? math.sumAll(end->getOperand(last)) : end->getOperand(0);
    if (nn::tensorType(scalar).getRank() != 0) {
      function.emitError("the first result is not a scalar");
      return signalPassFailure();
    }
    SmallVector<Value> variables;
    for (Value argument : function.getArguments())
      if (isa<FloatType>(nn::elementType(argument)))
        variables.push_back(argument);
    FailureOr<SmallVector<Value>> gradients =
        buildGradients(builder, scalar, variables);
    if (failed(gradients))
      return signalPassFailure();
    end->insertOperands(end->getNumOperands(), *gradients);
    function.setFunctionType(builder.getFunctionType(
        function.getArgumentTypes(), end->getOperandTypes()));
  }
};
} // namespace

} // namespace cornu::graph
