//===- NestGroups.h - Which nests share their rows --------------*- C++ -*-===//
//
// Groups the generics of a block that can run in one loop over rows:
//
//   m[b] = max_j x[b, j]            rows b, then for each row:
//   e[b, j] = exp(x[b, j] - m[b])     m = max; e = exp(...); s = sum; y = e/s
//   s[b] = sum_j e[b, j]            with m, e, s as small as a row
//   y[b, j] = e[b, j] / s[b]
//
// The dependences between two stages are the buffers that one writes and the
// other touches. A loop of one is the same row loop in the other if it indexes
// the same dimension of all these buffers, in both.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NESTGROUPS_H
#define CORNU_CODEGEN_STRATEGY_NESTGROUPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

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

/// The loop of `next` that is loop `loop` of the earlier `stage`: none if they
/// are not related, failure if a dependence does not keep to the loop, or keeps
/// to one of `next` that is not parallel if only parallel ones will do.
mlir::FailureOr<std::optional<unsigned>>
relatedLoop(mlir::linalg::GenericOp stage, unsigned loop,
            mlir::linalg::GenericOp next, bool onlyParallel);

/// The groups of a block, in order. Rows of so few points that most of `lanes`
/// lanes of a vector would be empty are not run one by one.
llvm::SmallVector<NestGroup> groupNests(mlir::Block &block, int64_t lanes);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NESTGROUPS_H
