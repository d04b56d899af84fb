//===- Nest.h - How nests are blocked ---------------------------*- C++ -*-===//
//
// Decides, for every linalg.generic that is not a contraction, which loop runs
// along the lanes of a vector, how many vectors are in flight, what a task is:
//
//   out[c] = sum of x[n, h, w, c]
//   -> #codegen.nest<kind = reduce, lane = 0, width = 8, vectors = 8, ...>
//
// The nests are first brought to the form that decisions are about: fused,
// grouped by the rows they share, loops ordered and collapsed.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NEST_H
#define CORNU_CODEGEN_STRATEGY_NEST_H

#include "codegen/IR/Codegen.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include <optional>

namespace cornu::codegen {

/// Fuses, groups and orders all linalg ops of `kernel` and writes a strategy
/// on each generic.
void chooseNests(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel,
                 const Target &target);

/// The strategy of a root that shares its first `rows` loops (0: decides
/// itself) with group `group`. A given lane decides the rest as the chosen one
/// would.
NestAttr chooseNest(mlir::linalg::GenericOp op, unsigned rows, unsigned group,
                    const Target &target,
                    std::optional<int> givenLane = std::nullopt);

/// The loops that may run along the lanes of vectors.
llvm::SmallVector<int> possibleLanes(mlir::linalg::GenericOp op, unsigned rows,
                                     const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NEST_H
