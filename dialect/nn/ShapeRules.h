//===- ShapeRules.h - How shapes follow from shapes -------------*- C++ -*-===//
//
// The rules that verifiers, type inference and importers share. Each returns
// failure, or the shape of the result; `?` is mlir::ShapedType::kDynamic. With
// a location, a failure is also reported there.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_DIALECT_NN_SHAPERULES_H
#define CORNU_DIALECT_NN_SHAPERULES_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace cornu::nn {

using Shape = llvm::SmallVector<int64_t, 4>;

/// NumPy broadcasting, e.g. (?, 4, 1) and (3) give (?, 4, 3). A dynamic size
/// broadcasts with 1 and with itself.
mlir::FailureOr<Shape> broadcastShapes(llvm::ArrayRef<int64_t> lhs,
                                       llvm::ArrayRef<int64_t> rhs);

/// The output size of a window of `window` taps, `dilation` apart, that moves
/// by `stride` over `input` positions padded by `low` and `high`:
/// floor((low + input + high - ((window - 1) * dilation + 1)) / stride) + 1.
/// Failure if the window does not fit.
mlir::FailureOr<int64_t> windowOutputSize(int64_t input, int64_t window,
                                          int64_t stride, int64_t dilation,
                                          int64_t low, int64_t high);

/// (N, spatial..., C) with the output size of each spatial dimension; the last
/// size is `channels`.
mlir::FailureOr<Shape> windowOutputShape(llvm::ArrayRef<int64_t> input,
                                         llvm::ArrayRef<int64_t> window,
                                         llvm::ArrayRef<int64_t> strides,
                                         llvm::ArrayRef<int64_t> dilations,
                                         llvm::ArrayRef<int64_t> padding,
                                         int64_t channels);

/// The shape without `axes`, or with size 1 there under `keepAxes`.
mlir::FailureOr<Shape> reducedShape(llvm::ArrayRef<int64_t> input,
                                    llvm::ArrayRef<int64_t> axes,
                                    bool keepAxes);

/// Einsum labels "bi,iu->bu" split into "bi", "iu", "bu"; failure if malformed.
struct ContractionLabels {
  llvm::StringRef lhs, rhs, result;
};
mlir::FailureOr<ContractionLabels> parseEquation(llvm::StringRef equation);

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}
inline mlir::Type elementType(mlir::Value value) {
  return tensorType(value).getElementType();
}

/// "(?, 4, 3)", for messages.
std::string formatShape(llvm::ArrayRef<int64_t> shape);

} // namespace cornu::nn

#endif // CORNU_DIALECT_NN_SHAPERULES_H
