//===- GivenStrategies.h - Strategies that a kernel was given ---*- C++ -*-===//
//
// A file or a tuner gives strategies to a kernel before its ops have the form
// that they are about:
//
//   func.func private @kernel_3(...) attributes {codegen.given = {
//       from = "F: /kernels/0", strategies = [#codegen.contraction<...>]}}
//
// `codegen-strategy` puts them on the ops in place of its own, one for each op
// in the order of a walk; epilogues of nests have none.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_GIVENSTRATEGIES_H
#define CORNU_CODEGEN_STRATEGY_GIVENSTRATEGIES_H

#include "codegen/target/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace cornu::codegen {

/// Gives strategies to a kernel; messages say that they are from `from`.
void giveStrategies(mlir::func::FuncOp kernel, llvm::StringRef from,
                    llvm::ArrayRef<mlir::Attribute> strategies);

/// The ops of a kernel that have a strategy which can be given, after
/// `codegen-strategy`.
llvm::SmallVector<mlir::linalg::GenericOp>
opsWithStrategies(mlir::func::FuncOp kernel);

/// Replaces the default strategies on the ops of `kernel` by those that it was
/// given, except on the ops in `written`. Fails after an error if one does not
/// suit its op.
mlir::LogicalResult
applyGivenStrategies(mlir::func::FuncOp kernel,
                     const llvm::SmallPtrSetImpl<mlir::Operation *> &written,
                     const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_GIVENSTRATEGIES_H
