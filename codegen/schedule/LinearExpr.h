//===- LinearExpr.h - Indices that are linear in the loops ------*- C++ -*-===//
//
//   in[n, 2*y + ky, c] of memref<?x9x16xf32>
//     dimension 1:  LinearExpr 2*y + ky
//     strides:      n 144, y 32, ky 16, c 1
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_LINEAREXPR_H
#define CORNU_CODEGEN_SCHEDULE_LINEAREXPR_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include <optional>

namespace cornu::codegen {

/// An index expression as sum of coefficient * loop, plus a constant.
struct LinearExpr {
  llvm::SmallVector<int64_t> coefficients; ///< one per loop
  int64_t constant = 0;

  bool moves(unsigned loop) const { return coefficients[loop] != 0; }
  /// Null where `expr` is not linear.
  static std::optional<LinearExpr> of(mlir::AffineExpr expr, unsigned loops);
};

/// The results of an index map as linear expressions; nothing where one is
/// not linear.
std::optional<llvm::SmallVector<LinearExpr>> linearResults(mlir::AffineMap map);

/// For each loop the distance in elements that it moves in an operand of
/// `type`, indexed by `map`: 0 for one that does not, nothing where it is not
/// known.
using KnownStrides = llvm::SmallVector<std::optional<int64_t>>;
KnownStrides knownStrides(mlir::MemRefType type, mlir::AffineMap map);

/// That of one loop in one operand of `op`.
std::optional<int64_t> strideOf(mlir::linalg::GenericOp op, unsigned operand,
                                unsigned loop);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_LINEAREXPR_H
