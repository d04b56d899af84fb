//===- ContractionForm.h - The loops of a contraction by role ---*- C++ -*-===//
//
// A contraction is a linalg.generic whose body multiplies its two inputs and
// adds the product to its output. What each loop means follows from the
// operands it moves:
//
//   moves       left   right  output
//   batch       x      x      x        groups, attention heads
//   row         x             x        M: one accumulator row each
//   column             x      x        N: the lanes of the accumulators
//   reduction   x      x               K
//
// One column (or batch) loop is the `lane`: outputs computed by one vector,
// neighbours in memory but where such neighbours are few. "Left" and "right"
// are chosen such that the lane is a column. An example, a convolution of NHWC
// with HWIO, and its kernel's gradient for three filters:
//
//   out[n, y, x, f] += in[n, 2*y + ky, 2*x + kx, c] * w[ky, kx, c, f]
//   rows n, y, x; lane f; reduction ky, kx, c; left = in, right = w
//
//   dw[ky, kx, c, f] += in[n, 2*y + ky, 2*x + kx, c] * dy[n, y, x, f], f < 3
//   rows f; columns ky, kx; lane c; reduction n, y, x; left = dy, right = in
//
// Where the lane moves both inputs (a depthwise convolution) it is called
// shared: the left operand is then read as vectors too, instead of being
// broadcast.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_CONTRACTIONFORM_H
#define CORNU_CODEGEN_STRATEGY_CONTRACTIONFORM_H

#include "codegen/schedule/LinearExpr.h"
#include <optional>

namespace cornu::codegen {

struct ContractionForm {
  unsigned left = 0, right = 1; ///< input numbers
  unsigned lane = 0;
  bool sharedLane = false;
  /// Loops by role in the order of the output's dimensions (reductions: of the
  /// loops). `columns` excludes the lane.
  llvm::SmallVector<unsigned> batch, rows, columns, reduction;
  /// Extent of each loop, or ShapedType::kDynamic.
  llvm::SmallVector<int64_t> extents;

  /// Nothing where `op` is not a contraction.
  static std::optional<ContractionForm> of(mlir::linalg::GenericOp op);

  /// Product of the extents of some loops; kDynamic if one of them is.
  int64_t product(llvm::ArrayRef<unsigned> loops) const;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_CONTRACTIONFORM_H
