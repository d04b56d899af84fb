//===- Profile.h - Entries that say which kernel comes next -----*- C++ -*-===//
//
// Before each call of a kernel, an entry compiled for profiling asks
//
//   if (cornu_profile_hook) cornu_profile_hook(7);
//
// where 7 is the row of the call in the descriptor's table, so that a program
// without symbols can name its kernels (cornu_profile of model.h).
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_PROFILE_H
#define CORNU_CODEGEN_EMIT_PROFILE_H

#include "mlir/IR/BuiltinOps.h"
#include "passes/buffer/KernelWork.h"
#include <string>
#include <vector>

namespace cornu::codegen {

/// What the descriptor says of kernels and of the places that call them.
struct ProfileTable {
  struct Kernel {
    std::string name, strategy, layers;
  };
  struct Call {
    size_t kernel;
    std::string entry;
    /// Zero where it is not known.
    buffer::Work work;
  };
  std::vector<Kernel> kernels;
  std::vector<Call> calls;
  int64_t flopsPerCycle = 0;
};

/// The name of the global that holds the hook.
inline constexpr llvm::StringLiteral profileHookName = "cornu_profile_hook";

/// Adds the hook to a module of entries and kernels, and its calls to the
/// entries; returns the table whose rows they name.
ProfileTable addProfileHook(mlir::ModuleOp module);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_PROFILE_H
