//===- WinogradTransform.h - Minimal filtering in registers -----*- C++ -*-===//
//
// The linear maps of F(m x m, r x r): B^T of patches, G of kernels, A^T of
// products, applied to a square of vectors from both sides. The points of
// interpolation are 0, 1, -1 (and 2, -2) and infinity; with them
//
//   A^T ((G k) * (B^T d)) = the m outputs of the window k over the patch d
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRADTRANSFORM_H
#define CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRADTRANSFORM_H

#include "mlir/IR/Builders.h"

namespace cornu::codegen {

/// A matrix of constants, by rows.
struct TransformMatrix {
  llvm::ArrayRef<double> values;
  size_t rows = 0, columns = 0;

  TransformMatrix() = default;
  template <size_t R, size_t C>
  explicit TransformMatrix(const double (&matrix)[R][C])
      : values(&matrix[0][0], R * C), rows(R), columns(C) {}

  llvm::ArrayRef<double> row(size_t i) const {
    return values.slice(i * columns, columns);
  }
};

struct WinogradTransform {
  int64_t side = 0;       ///< m, of a square of outputs
  int64_t patch = 0;      ///< m + r - 1, of the patch that they read
  TransformMatrix input;  ///< B^T: patch x patch
  TransformMatrix kernel; ///< G: patch x r
  TransformMatrix output; ///< A^T: m x patch

  /// Nothing for a side and window that have no transform here.
  static std::optional<WinogradTransform> of(int64_t side, int64_t taps);
};

/// matrix * square * transpose(matrix) for a square of vectors, by rows.
llvm::SmallVector<mlir::Value> transformSquare(mlir::OpBuilder &builder,
                                               mlir::Location loc,
                                               TransformMatrix matrix,
                                               mlir::ValueRange square);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRADTRANSFORM_H
