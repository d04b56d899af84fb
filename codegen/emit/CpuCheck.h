//===- CpuCheck.h - Is this the CPU the code was made for? ----------------===//
#ifndef CORNU_CODEGEN_EMIT_CPUCHECK_H
#define CORNU_CODEGEN_EMIT_CPUCHECK_H

#include "codegen/target/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace cornu::codegen {

/// Adds `@cornu_cpu_supported() -> i1` to the module: true if the CPU it runs
/// on has the features of `target`. It asks the CPU once and remembers. Null
/// if every CPU of the architecture has them.
mlir::LLVM::LLVMFuncOp addCpuCheck(mlir::ModuleOp module, const Target &target);

/// Lets a function run on every CPU of the architecture: what is called before
/// the check, or makes it.
void setBaselineCpu(mlir::LLVM::LLVMFuncOp function, const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_CPUCHECK_H
