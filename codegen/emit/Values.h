//===- Values.h - The initial values of the variables ---------------------===//
#ifndef CORNU_CODEGEN_EMIT_VALUES_H
#define CORNU_CODEGEN_EMIT_VALUES_H

#include "codegen/emit/ModelDescriptor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace cornu::codegen {

/// Adds `@initial_values(%state: memref<?xi8>)`, which copies the values that
/// the model came with into the state, which is zero before: constants of the
/// object, in read-only memory.
mlir::func::FuncOp addInitialValues(mlir::ModuleOp module,
                                    const ModelDescriptor &model);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_VALUES_H
