//===- MergeKernels.h - A tensor computed where it is read ------*- C++ -*-===//
#ifndef CORNU_PASSES_GRAPH_REMATERIALIZE_MERGEKERNELS_H
#define CORNU_PASSES_GRAPH_REMATERIALIZE_MERGEKERNELS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace cornu::graph {

/// True if the kernel `reader`, of which argument `argument` is result `result`
/// of `producer`, can compute it itself, task by task (see fuse/Chains.cpp).
bool canComputeItself(mlir::func::FuncOp reader, unsigned argument,
                      mlir::func::FuncOp producer, unsigned result);

/// Replaces `reader` by a call of a kernel that computes the result `result` of
/// `producer` for itself. The new kernel stands beside the reader's.
mlir::func::CallOp mergeKernels(mlir::func::CallOp producer, unsigned result,
                                mlir::func::CallOp reader,
                                mlir::SymbolTable &symbols);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_REMATERIALIZE_MERGEKERNELS_H
