//===- BatchMultiple.h - Sizes as multiples of the batch --------*- C++ -*-===//

#ifndef CORNU_PASSES_BUFFER_BATCHMULTIPLE_H
#define CORNU_PASSES_BUFFER_BATCHMULTIPLE_H

#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/Value.h"
#include <functional>
#include <optional>

namespace cornu::buffer {

/// numerator / denominator, times the batch if `scales`.
struct BatchMultiple {
  int64_t numerator = 1, denominator = 1;
  bool scales = false;
};

/// What a size in an entry is: a constant or a static multiple of the batch,
/// the leading size of the entry's dynamic arguments. Nothing if neither.
std::optional<BatchMultiple> batchMultiple(mlir::OpFoldResult size);

/// The size of a dimension of a buffer in an entry.
std::optional<BatchMultiple> batchMultiple(mlir::Value memref, int64_t dim);

/// The same in a kernel, where `argumentSize` knows the sizes of arguments.
using ArgumentSize = std::function<std::optional<BatchMultiple>(
    mlir::BlockArgument argument, int64_t dim)>;
std::optional<BatchMultiple> batchMultiple(mlir::OpFoldResult size,
                                           const ArgumentSize &argumentSize);
std::optional<BatchMultiple> batchMultiple(mlir::Value memref, int64_t dim,
                                           const ArgumentSize &argumentSize);

/// The product of two sizes; nothing if one is not known, or if both scale.
std::optional<BatchMultiple> multiply(std::optional<BatchMultiple> a,
                                      std::optional<BatchMultiple> b);

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_BATCHMULTIPLE_H
