//===- Partition.h - Modules that are compiled at the same time -----------===//
//
// LLVM compiles a module on one thread. Large kernels stand alone: each goes,
// with the functions that only it uses, to one of several modules, which are
// optimized and compiled at the same time and linked again.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_PARTITION_H
#define CORNU_CODEGEN_EMIT_PARTITION_H

#include "llvm/ADT/StringRef.h"
#include "llvm/IR/Module.h"
#include <memory>
#include <vector>

namespace cornu::codegen {

/// Splits the module into at most `count` parts of about the same number of
/// instructions. Functions that parts call in each other become hidden symbols
/// that begin with `prefix`. One part, the module itself, if it is small.
std::vector<std::unique_ptr<llvm::Module>>
partition(std::unique_ptr<llvm::Module> module, unsigned count,
          llvm::StringRef prefix);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_PARTITION_H
