//===- Partition.h - Modules that are compiled at the same time -----------===//
//
// LLVM compiles a module on one thread. Large kernels stand alone: each goes,
// with the functions that only it uses, to one of several modules, which are
// translated, optimized and compiled at the same time and linked again.
//
// The module is cut in MLIR, where ops move for nothing: one in LLVM's IR has
// to be copied for each part, and written out and read again to change its
// context, weights included.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_PARTITION_H
#define CORNU_CODEGEN_EMIT_PARTITION_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <vector>

namespace cornu::codegen {

/// Splits a module of llvm ops into at most `count` parts of about the same
/// number of ops, which are moved there. Functions that parts call in each
/// other become hidden symbols that begin with `prefix`. No parts, and the
/// module as it was, if it is small.
std::vector<mlir::OwningOpRef<mlir::ModuleOp>>
partition(mlir::ModuleOp module, unsigned count, llvm::StringRef prefix);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_PARTITION_H
