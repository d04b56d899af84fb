//===- KernelKey.h - What a kernel computes, as a short text ----*- C++ -*-===//
//
//   kernelKey(kernel)   "8f0c6d1be1a2743c"
//
// A strategy that was found for one kernel is for all kernels of the same key,
// in whatever model they are.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_KERNELKEY_H
#define CORNU_CODEGEN_STRATEGY_KERNELKEY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>

namespace cornu::codegen {

/// A hash of the kernel's code as it comes to `codegen-strategy`, without its
/// name, notes, locations and strategies: 16 hexadecimal digits. It changes
/// with LLVM's way to print IR, as any change to how kernels are made does.
std::string kernelKey(mlir::func::FuncOp kernel);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_KERNELKEY_H
