//===- Caches.h - Caches and multiply-add units by CPU --------------------===//
//
// LLVM knows a CPU's instructions but not its caches. This table does; the
// host's caches are read from the system.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_TARGET_CACHES_H
#define CORNU_CODEGEN_TARGET_CACHES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/Triple.h"
#include <cstdint>

namespace cornu::codegen {

struct Target;

/// A row of the table: a CPU, or a family if others begin with its name.
struct CpuCaches {
  llvm::StringLiteral cpu;
  int64_t l1Bytes, l2Bytes;
  int64_t l3Bytes; ///< a core's part of it
  unsigned fmaPorts, fmaLatency;
};

/// The row whose name is the longest prefix of `cpu`.
const CpuCaches &cachesOf(const llvm::Triple &triple, llvm::StringRef cpu);

/// Replaces the table's caches by those of the machine this runs on.
void readHostCaches(Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_TARGET_CACHES_H
