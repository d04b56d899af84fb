//===- Derivatives.h - The vector-Jacobian products of nn ops ---*- C++ -*-===//
//
// Each differentiable op has a rule: from the gradient of its result it builds
// the gradients of its operands. derivatives/<family>.cpp holds the rules of
// one op family as a table:
//
//   static Gradients tanh(nn::TanhOp op, const Rule &rule) {
//     Value y = op.getResult();
//     return {rule.multiply(rule.gradient, ... 1 - y^2 ...)};
//   }
//   ...
//   attachRule<nn::TanhOp, tanh>(context);
//
// A rule may read the op's operands and results. It returns a gradient of
// exactly the operand's type, or null for none. At kinks the value is the one
// of Keras on JAX: relu 0 at 0, |x| +1 at 0, maximum half to each of two equal
// operands, reductions to max equally among ties, max pooling to the first.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_DERIVATIVES_H
#define CORNU_PASSES_GRAPH_DERIVATIVES_H

#include "passes/graph/Math.h"

namespace cornu::graph {

using Gradients = llvm::SmallVector<mlir::Value>;

/// Attaches the rules of all families to the nn ops of a context.
void registerDerivatives(mlir::DialectRegistry &registry);

/// Sums `gradient` over the dimensions along which a tensor of `operandType`
/// was repeated by broadcasting, so that it gets that type.
mlir::Value unbroadcast(const Math &math, mlir::Value gradient,
                        mlir::Type operandType);

/// What a rule works with.
struct Rule : Math {
  Rule(mlir::OpBuilder &builder, mlir::Location loc,
       mlir::ValueRange resultGradients, llvm::ArrayRef<bool> needed)
      : Math(builder, loc), gradients(resultGradients),
        gradient(resultGradients.empty() ? mlir::Value()
                                         : resultGradients.front()),
        needed(needed) {}

  /// The gradients of the results; null where a result does not matter.
  mlir::ValueRange gradients;
  /// The gradient of the first result.
  mlir::Value gradient;
  /// Which operands want a gradient.
  llvm::ArrayRef<bool> needed;

  mlir::Value unbroadcast(mlir::Value gradient, mlir::Value operand) const {
    return graph::unbroadcast(*this, gradient, operand.getType());
  }
};

/// Gives `Op` the derivative `rule`.
template <typename Op, Gradients (*rule)(Op, const Rule &)>
struct Derivative
    : nn::DifferentiableOpInterface::ExternalModel<Derivative<Op, rule>, Op> {
  llvm::SmallVector<mlir::Value>
  buildGradients(mlir::Operation *op, mlir::OpBuilder &builder,
                 mlir::ValueRange resultGradients,
                 llvm::ArrayRef<bool> needed) const {
    return rule(llvm::cast<Op>(op),
                Rule(builder, op->getLoc(), resultGradients, needed));
  }
};

template <typename Op, Gradients (*rule)(Op, const Rule &)>
void attachRule(mlir::MLIRContext *context) {
  Op::template attachInterface<Derivative<Op, rule>>(*context);
}

/// The rule of ops that are constant almost everywhere (floor, sign, ...).
template <typename Op> Gradients zeroDerivative(Op op, const Rule &) {
  return Gradients(op->getNumOperands());
}

template <typename... Ops> void attachZero(mlir::MLIRContext *context) {
  (attachRule<Ops, zeroDerivative<Ops>>(context), ...);
}

void attachElementwiseDerivatives(mlir::MLIRContext *context);
void attachShapeDerivatives(mlir::MLIRContext *context);
void attachReductionDerivatives(mlir::MLIRContext *context);
void attachContractionDerivatives(mlir::MLIRContext *context);
void attachConvolutionDerivatives(mlir::MLIRContext *context);
void attachPoolingDerivatives(mlir::MLIRContext *context);
void attachIndexingDerivatives(mlir::MLIRContext *context);
void attachControlDerivatives(mlir::MLIRContext *context);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_DERIVATIVES_H
