//===- WinogradMatrices.h - The maps of minimal filtering -------*- C++ -*-===//
//
// The linear maps of F(m x m, r x r): B^T of patches, G of kernels, A^T of
// products, each applied to a square from both sides. The points of
// interpolation are 0, infinity, and 1, -1 or 5/8, -5/8, 3/2, -3/2; with them
//
//   A^T ((G k) * (B^T d)) = the m outputs of the window k over the patch d
//
// A longer window is cut into parts that begin m taps apart. The part that
// begins at tap p * m reads the patch of the p-th square further on, so that
// the parts share the transformed patches and one A^T of their summed products:
//
//   5 taps, m = 2:   A^T (G2 k[0..1] * B^T d[0..3] + G3 k[2..4] * B^T d[2..5])
//
// G2 is G for two taps: its row for infinity is zero, and left out.
//
// All three are bilinear in k and d. So the derivative of the outputs' product
// with a square e, by k, has the same maps, transposed:
//
//   G^T ((A e) * (B^T d)) = the gradient for the window's taps
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_WINOGRADMATRICES_H
#define CORNU_CODEGEN_STRATEGY_WINOGRADMATRICES_H

#include "mlir/Support/LLVM.h"
#include <optional>
#include <vector>

namespace cornu::codegen {

/// A matrix of constants, by rows.
struct TransformMatrix {
  std::vector<double> values;
  size_t rows = 0, columns = 0;

  TransformMatrix() = default;
  template <size_t R, size_t C>
  explicit TransformMatrix(const double (&matrix)[R][C])
      : values(&matrix[0][0], &matrix[0][0] + R * C), rows(R), columns(C) {}

  llvm::ArrayRef<double> row(size_t i) const {
    return llvm::ArrayRef(values).slice(i * columns, columns);
  }
  TransformMatrix transposed() const;
};

struct WinogradTransform {
  /// Neighbouring taps of the window.
  struct Part {
    int64_t tap = 0;        ///< the first
    TransformMatrix kernel; ///< G: points x taps; further points are zero
  };

  int64_t side = 0;       ///< m, of a square of outputs
  int64_t patch = 0;      ///< m + r - 1, of the patch that a part reads
  TransformMatrix input;  ///< B^T: patch x patch
  TransformMatrix output; ///< A^T: m x patch
  /// Part p begins at tap p * m; the last one has all points.
  llvm::SmallVector<Part, 3> parts;

  /// For squares of `side` outputs and windows of `taps` in parts of at most
  /// `partTaps`; nothing where there is no transform.
  static std::optional<WinogradTransform> of(int64_t side, int64_t taps,
                                             int64_t partTaps);
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_WINOGRADMATRICES_H
