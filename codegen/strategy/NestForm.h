//===- NestForm.h - Which nests share their rows ----------------*- C++ -*-===//
//
// Groups the generics of a block that can run in one loop over rows:
//
//   m[b] = max_j x[b, j]            rows b, then for each row:
//   e[b, j] = exp(x[b, j] - m[b])     m = max; e = exp(...); s = sum; y = e/s
//   s[b] = sum_j e[b, j]            with m, e, s as small as a row
//   y[b, j] = e[b, j] / s[b]
//
// and orders the loops of each so that the shared ones come first, then the
// other parallel ones in the order of the output, then the reductions. A
// generic alone has neighbouring loops collapsed where memory is contiguous:
// (B, 28, 28, 32) becomes one loop.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NESTFORM_H
#define CORNU_CODEGEN_STRATEGY_NESTFORM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// Generics that run row by row, one after another. Alone, a generic (with its
/// epilogues) has no rows yet.
struct NestGroup {
  llvm::SmallVector<mlir::linalg::GenericOp> stages;
  /// For each stage, whether it is an epilogue of the last one that is not.
  llvm::SmallVector<bool> isEpilogue;
  /// For each row loop, its number in each stage.
  llvm::SmallVector<llvm::SmallVector<unsigned>> rows;

  unsigned numRoots() const { return llvm::count(isEpilogue, false); }
};

/// The groups of a block, in order.
llvm::SmallVector<NestGroup> groupNests(mlir::Block &block);

/// Fills whose value a reduction takes over stay; others become generics, or
/// go if they are overwritten.
void resolveFills(mlir::RewriterBase &rewriter, mlir::Block &block);

/// The fill that gives output `output` of `op` its value, if nothing touches
/// the buffer in between.
mlir::linalg::FillOp fillOf(mlir::linalg::GenericOp op, unsigned output);

/// True where each output has an element of its own for every point of the
/// parallel loops, that is, where reductions can stay in registers.
bool hasOwnOutputs(mlir::linalg::GenericOp op);

/// Permutes the loops of all stages of a group: rows first. For an epilogue
/// and for roots, the loops of one row keep the order of the outputs.
void orderLoops(mlir::RewriterBase &rewriter, NestGroup &group);

/// Collapses loops of a generic that is alone in its group, or of which all
/// else there is epilogue: then those of its reduction. The group's stage is
/// replaced.
void collapseLoops(mlir::RewriterBase &rewriter, NestGroup &group);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NESTFORM_H
