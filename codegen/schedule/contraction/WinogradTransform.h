//===- WinogradTransform.h - Minimal filtering in registers -----*- C++ -*-===//
//
// The maps of minimal filtering (strategy/WinogradMatrices.h), applied to a
// square of vectors.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRADTRANSFORM_H
#define CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRADTRANSFORM_H

#include "codegen/strategy/WinogradMatrices.h"
#include "mlir/IR/Builders.h"

namespace cornu::codegen {

/// down * square * transpose(across) for a matrix of vectors, by rows.
llvm::SmallVector<mlir::Value> transformSquare(mlir::OpBuilder &builder,
                                               mlir::Location loc,
                                               const TransformMatrix &down,
                                               const TransformMatrix &across,
                                               mlir::ValueRange square);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_WINOGRADTRANSFORM_H
