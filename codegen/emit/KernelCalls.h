//===- KernelCalls.h - Which entries call which kernels ---------*- C++ -*-===//
//
//   for (const KernelCall &call : kernelCalls(module))
//     call.entry, call.kernel, call.work ...
//
// What a report before the program runs and a profile of it name the same.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_KERNELCALLS_H
#define CORNU_CODEGEN_EMIT_KERNELCALLS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/buffer/KernelWork.h"
#include <vector>

namespace cornu::codegen {

struct KernelCall {
  mlir::func::FuncOp entry;
  /// Null for a copy, which an entry does itself.
  mlir::func::FuncOp kernel;
  mlir::Operation *call;
  /// Nothing where it is not a linear function of the batch.
  std::optional<buffer::Work> work;

  /// "kernel_4", "copy"
  llvm::StringRef name() {
    return kernel ? kernel.getName() : llvm::StringRef("copy");
  }
};

/// The calls of kernels, and the copies, in the entries of a module, from the
/// stage of buffers on, entry by entry in the order of the code.
std::vector<KernelCall> kernelCalls(mlir::ModuleOp module);

/// The Keras layers that a kernel comes from; none for null.
std::vector<std::string> layersOf(mlir::func::FuncOp kernel);

/// Removes the attributes that all this is read from: they mean nothing to
/// LLVM.
void dropKernelNotes(mlir::ModuleOp module);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_KERNELCALLS_H
