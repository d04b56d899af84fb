//===- Autodiff.h - Reverse-mode differentiation of nn IR -------*- C++ -*-===//
//
// Walks a block of nn ops backward and lets each op's rule (Derivatives.h)
// turn the gradient of its results into gradients of its operands. All of it
// is nn IR in the same block, so it can be simplified, fused, and
// differentiated again. Example:
//
//   %y = nn.multiply %x, %x          buildGradients({%l, 1}, {%x}) appends
//   %l = nn.reduce sum [0] %y   ->   %g = nn.broadcast %one like %x
//                                    %a = nn.multiply %g, %x   (left operand)
//                                    %b = nn.multiply %g, %x   (right operand)
//                                    %dx = nn.add %a, %b
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_AUTODIFF_H
#define CORNU_PASSES_GRAPH_AUTODIFF_H

#include "dialect/nn/NN.h"

namespace cornu::graph {

/// A value and the gradient of the scalar for it.
struct Seed {
  mlir::Value value, gradient;
};

/// Appends at the builder's position the gradients for `variables` of the
/// scalar of which the `seeds` tell the gradients for some values. All values
/// are defined in the block of the builder's position, before it (block
/// arguments included). The result has one value per variable, of the
/// variable's type, null where no seed depends on the variable. Reports an op
/// without a derivative at its location, and fails.
///
/// nn.scan ops on the way are replaced by ones with further results.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
buildGradients(mlir::OpBuilder &builder, llvm::ArrayRef<Seed> seeds,
               llvm::ArrayRef<mlir::Value> variables);

/// The gradients of `scalar` (a tensor of rank 0), zeros where it does not
/// depend on a variable.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
buildGradients(mlir::OpBuilder &builder, mlir::Value scalar,
               llvm::ArrayRef<mlir::Value> variables);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_AUTODIFF_H
