//===- NestFills.h - Which fills a nest takes over --------------*- C++ -*-===//
//
// A reduction begins its accumulators with the value that a fill gave its
// output:
//
//   fill 0 -> %s; %s[i] += x[i, j]     no store of 0, no load of %s
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NESTFILLS_H
#define CORNU_CODEGEN_STRATEGY_NESTFILLS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// The fill that gives output `output` of `op` its value, if nothing touches
/// the buffer in between.
mlir::linalg::FillOp fillOf(mlir::linalg::GenericOp op, unsigned output);

/// Fills whose value a reduction takes over stay; others become generics, or
/// go if they are overwritten.
void resolveFills(mlir::RewriterBase &rewriter, mlir::Block &block);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NESTFILLS_H
