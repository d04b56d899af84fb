//===- NestForm.h - The order of loops --------------------------*- C++ -*-===//
//
// Orders the loops of the generics of a group so that the shared rows come
// first, then the other parallel ones in the order of the output, then the
// reductions. A generic alone has neighbouring loops collapsed where memory is
// contiguous: (B, 28, 28, 32) becomes one loop.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NESTFORM_H
#define CORNU_CODEGEN_STRATEGY_NESTFORM_H

#include "codegen/strategy/NestGroups.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// Permutes the loops of all stages of a group: rows first. For an epilogue
/// and for roots, the loops of one row keep the order of the outputs.
void orderLoops(mlir::RewriterBase &rewriter, NestGroup &group);

/// Collapses loops of a generic that is alone in its group, or of which all
/// else there is epilogue: then those of its reduction. The group's stage is
/// replaced.
void collapseLoops(mlir::RewriterBase &rewriter, NestGroup &group);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NESTFORM_H
