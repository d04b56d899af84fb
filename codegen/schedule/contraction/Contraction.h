//===- Contraction.h - Schedules a contraction ------------------*- C++ -*-===//
//
// Replaces a root contraction, with the padding, producers, fill and epilogue
// around it, by the loop nest that its #codegen.contraction describes.
//
//   linalg.fill 0 outs(%r)
//   linalg.generic {codegen.strategy = #codegen.contraction<...>}
//       ins(%x, %w) outs(%r) {multiply, add}
//   linalg.generic ins(%r, %bias) outs(%y) {max(add, 0)}
// ->
//   codegen.parallel (%task, %worker) to %count if %large { scf.for ... }
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CONTRACTION_CONTRACTION_H
#define CORNU_CODEGEN_SCHEDULE_CONTRACTION_CONTRACTION_H

#include "codegen/IR/Codegen.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/SetVector.h"

namespace cornu::codegen {

/// Schedules `root`. Ops that the nest absorbs are erased, and so are the
/// allocations that only they used.
mlir::LogicalResult scheduleContraction(mlir::RewriterBase &rewriter,
                                        mlir::linalg::GenericOp root,
                                        ContractionAttr strategy,
                                        const Target &target);

/// The ops that scheduleContraction would absorb, the root included: they need
/// no strategy of their own.
llvm::SetVector<mlir::Operation *>
absorbedByContraction(mlir::linalg::GenericOp root);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_CONTRACTION_H
