//===- Resize.h - Resampling along one axis ---------------------*- C++ -*-===//

#ifndef CORNU_FRONTEND_IMPORT_LAYERS_RESIZE_H
#define CORNU_FRONTEND_IMPORT_LAYERS_RESIZE_H

#include "frontend/import/ModelBuilder.h"

namespace cornu::frontend {

/// Resamples one axis to `size` positions by "nearest" or "bilinear", with
/// half-pixel centres: output i lies at (i + 0.5) * in / out - 0.5.
mlir::Value resizeAxis(LayerCall &call, mlir::Value x, int64_t axis,
                       int64_t size, llvm::StringRef mode);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_LAYERS_RESIZE_H
