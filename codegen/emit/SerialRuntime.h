//===- SerialRuntime.h - An object links alone ------------------*- C++ -*-===//
#ifndef CORNU_CODEGEN_EMIT_SERIALRUNTIME_H
#define CORNU_CODEGEN_EMIT_SERIALRUNTIME_H

#include "codegen/target/Target.h"

namespace cornu::codegen {

/// Adds the weak definitions of parallel.h's functions, which run tasks one
/// after another; a thread pool that is linked takes their place.
void addSerialRuntime(mlir::ModuleOp module, const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_SERIALRUNTIME_H
