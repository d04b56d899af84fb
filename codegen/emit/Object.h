//===- Object.h - LLVM dialect to machine code ----------------------------===//
//
//   std::vector<MachineCode> objects;
//   emitMachineCode(module, {}, objects);           // a module of llvm ops
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_OBJECT_H
#define CORNU_CODEGEN_EMIT_OBJECT_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SmallVector.h"
#include <memory>
#include <vector>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace cornu::codegen {

struct MachineCodeOptions {
  /// 0..3, as clang's -O.
  unsigned optimizationLevel = 3;
  /// Assembly text instead of an object file.
  bool assembly = false;
  /// Large modules are compiled in up to this many parts at the same time.
  unsigned parts = 1;
};

using MachineCode = llvm::SmallVector<char, 0>;

/// LLVM's passes for kernels, at level 0..3; as emitMachineCode runs them.
void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned level);

/// Object files, one or more, or assembly, in memory.
mlir::LogicalResult emitMachineCode(mlir::ModuleOp module,
                                    const MachineCodeOptions &options,
                                    std::vector<MachineCode> &outputs);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_OBJECT_H
