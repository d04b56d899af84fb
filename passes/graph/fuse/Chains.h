//===- Chains.h - Contractions that feed each other -------------*- C++ -*-===//
//
// What a task of a chain is: a point of the leading dimensions that all its
// contractions take as their batch. See Chains.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_FUSE_CHAINS_H
#define CORNU_PASSES_GRAPH_FUSE_CHAINS_H

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

namespace cornu::graph {

/// The leading dimensions of a contraction's result, for each of whose points
/// it is a contraction of its own; none where too few tasks come of them.
nn::Shape tasksOf(nn::ContractOp op);

/// True if `count` leading dimensions of the operand `value` are such.
bool isBatchOf(nn::ContractOp op, mlir::Value value, int64_t count);

/// True for an elementwise op or a reduction that keeps the leading dimensions
/// `tasks`, each point for itself, and for what has none.
bool keepsLeading(mlir::Operation *op, llvm::ArrayRef<int64_t> tasks);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_FUSE_CHAINS_H
