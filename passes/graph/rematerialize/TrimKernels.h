//===- TrimKernels.h - Kernels without results that nobody reads *- C++ -*-===//
#ifndef CORNU_PASSES_GRAPH_REMATERIALIZE_TRIMKERNELS_H
#define CORNU_PASSES_GRAPH_REMATERIALIZE_TRIMKERNELS_H

#include "mlir/IR/BuiltinOps.h"

namespace cornu::graph {

/// A call of whose results some are not read calls a kernel that does not
/// compute them; equal kernels become one, and what nobody calls is erased.
void trimKernels(mlir::ModuleOp module);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_REMATERIALIZE_TRIMKERNELS_H
