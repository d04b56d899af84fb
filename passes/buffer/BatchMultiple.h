//===- BatchMultiple.h - Sizes as multiples of the batch --------*- C++ -*-===//

#ifndef CORNU_PASSES_BUFFER_BATCHMULTIPLE_H
#define CORNU_PASSES_BUFFER_BATCHMULTIPLE_H

#include "mlir/IR/OpDefinition.h"
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

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_BATCHMULTIPLE_H
