//===- NestLoops.h - Loops over vectors for one nest ------------*- C++ -*-===//
//
// Emits the loops of one linalg.generic, as its `#codegen.nest` says, together
// with the elementwise generics that consume its results in registers.
//
//   // out[i] = sum over j of x[i, j]          fold, lane = 1, vectors = 4
//   for j in 0 .. N step 32:                   four vector accumulators
//     acc0 += x[i, j : j+8] ...
//   out[i] = epilogue(horizontal sum of acc0 + acc1 + acc2 + acc3)
//
// The caller fixes some loops to an index (the rows of a grid) and gives a
// range for the others.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTLOOPS_H
#define CORNU_CODEGEN_SCHEDULE_NESTLOOPS_H

#include "codegen/IR/Codegen.h"
#include "codegen/schedule/Lanes.h"
#include "codegen/schedule/NestRanges.h"

namespace cornu::codegen {

/// One nest: a root and the consumers of its results in registers.
struct Nest {
  mlir::linalg::GenericOp root;
  NestAttr strategy;
  /// Per output of the root: the constant it holds before (from a fill that
  /// the nest replaces), or null where it is read from memory.
  llvm::SmallVector<mlir::TypedAttr> initial;
  /// All-parallel generics over the root's parallel loops that read its
  /// results (or each other's) at the same point.
  llvm::SmallVector<mlir::linalg::GenericOp> epilogues;
  /// Buffers that nobody reads after this nest: not stored.
  llvm::DenseSet<mlir::Value> dead;
};

/// The attribute on a generic that lists triples (operand, dimension, extent)
/// whose index may fall outside [0, extent); such points do not take part. It
/// stands for padding with a neutral value.
inline constexpr llvm::StringLiteral kGuardsAttr = "codegen.guards";

/// What runs along the lanes of `nest`, whose loops have these ranges.
Lanes lanesOf(const Nest &nest, llvm::ArrayRef<NestRange> ranges);

/// The iterations of the lanes' loop that the vectors in flight take at once.
int64_t iterationsPerStep(const Nest &nest, llvm::ArrayRef<NestRange> ranges);

/// Emits the loops at the builder's insertion point.
void emitNestLoops(mlir::OpBuilder &builder, const Nest &nest,
                   llvm::ArrayRef<NestRange> ranges);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTLOOPS_H
