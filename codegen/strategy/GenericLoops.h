//===- GenericLoops.h - Facts about the loops of a generic ------*- C++ -*-===//
//
// What all decisions about nests ask: which loops are parallel, how operands
// are indexed.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_GENERICLOOPS_H
#define CORNU_CODEGEN_STRATEGY_GENERICLOOPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace cornu::codegen {

bool isParallel(mlir::linalg::GenericOp op, unsigned loop);

bool isAllParallel(mlir::linalg::GenericOp op);

/// The loop that `expr` is, if it is one.
std::optional<unsigned> plainLoop(mlir::AffineExpr expr);

/// True where each output has an element of its own for every point of the
/// parallel loops, that is, where reductions can stay in registers.
bool hasOwnOutputs(mlir::linalg::GenericOp op);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_GENERICLOOPS_H
