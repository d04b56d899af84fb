//===- Object.h - LLVM dialect to machine code ----------------------------===//
//
//   llvm::SmallVector<char> object;
//   emitMachineCode(module, {}, object);            // a module of llvm ops
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_OBJECT_H
#define CORNU_CODEGEN_EMIT_OBJECT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>

namespace llvm {
class LLVMContext;
class Module;
} // namespace llvm

namespace cornu::codegen {

struct MachineCodeOptions {
  /// 0..3, as clang's -O.
  unsigned optimizationLevel = 3;
  /// Assembly text instead of an object file.
  bool assembly = false;
};

/// Translates the module to LLVM IR for its `codegen.target` and optimizes it.
/// Null after a diagnostic.
std::unique_ptr<llvm::Module>
translateToLLVMIR(mlir::ModuleOp module, llvm::LLVMContext &context,
                  const MachineCodeOptions &options);

/// An object file, or assembly, in memory.
mlir::LogicalResult emitMachineCode(mlir::ModuleOp module,
                                    const MachineCodeOptions &options,
                                    llvm::SmallVectorImpl<char> &output);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_OBJECT_H
