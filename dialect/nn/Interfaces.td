//===- Interfaces.td - Interfaces of nn ops ----------------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_INTERFACES
#define CORNU_DIALECT_NN_INTERFACES

include "mlir/IR/OpBase.td"

def NN_DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::cornu::nn";
  let description = [{
    An op that can build its vector-Jacobian product out of nn ops.

    For `y = f(x)` and a scalar L, the gradient of L for x is
    `dL/dx = (dL/dy) J`, where J is the Jacobian of f. The rule receives dL/dy
    for each result and returns dL/dx for each operand, as nn IR inserted at
    the builder's position. Because the rule is nn IR, gradients are
    simplified and fused like everything else, and can be differentiated again.

    The rules stand in passes/graph/derivatives, one file per op family, and
    are attached to the ops as external models.
  }];
  let methods = [
    InterfaceMethod<[{
      Returns one gradient per operand, null where the operand has none (an
      integer operand, or one that the op does not depend on smoothly).
      `resultGradients` has one value per result, null where the result does
      not reach the scalar. `needed[i]` tells whether the gradient of operand i
      is wanted; a rule may leave the others null.
    }],
    "::llvm::SmallVector<::mlir::Value>", "buildGradients",
    (ins "::mlir::OpBuilder &":$builder,
         "::mlir::ValueRange":$resultGradients,
         "::llvm::ArrayRef<bool>":$needed)>
  ];
}

#endif // CORNU_DIALECT_NN_INTERFACES
