//===- Combiners.h - How the values of a reduction combine ------*- C++ -*-===//
//
//   y[i] = sum over j of f(x[i, j])     combiner: arith.addf, neutral value: 0
//
// A sum that is added up in several registers combines them at its end, two by
// two: the rounding error grows with the logarithm of their number.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_COMBINERS_H
#define CORNU_CODEGEN_SCHEDULE_COMBINERS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

namespace cornu::codegen {

/// For each output, the operation that combines it with the new value, as in
/// `yield acc + f(inputs)`; null where the body has another form.
llvm::SmallVector<mlir::Operation *> findCombiners(mlir::linalg::GenericOp op);

/// The value that leaves the other operand of `combiner` as it is.
mlir::TypedAttr neutralElement(mlir::Operation *combiner);

/// `a` combined with `b` by the operation of `combiner`.
mlir::Value combine(mlir::OpBuilder &builder, mlir::Operation *combiner,
                    mlir::Value a, mlir::Value b);

/// All of `values`, of which there is one at least, combined two by two.
mlir::Value combineAll(mlir::OpBuilder &builder, mlir::Operation *combiner,
                       llvm::ArrayRef<mlir::Value> values);

/// The lanes of a vector, of which there are a multiple of `run`, combined:
/// every `run`-th with one another. A scalar is itself.
mlir::Value combineLanes(mlir::OpBuilder &builder, mlir::Operation *combiner,
                         mlir::Value value, unsigned run);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_COMBINERS_H
