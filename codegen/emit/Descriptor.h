//===- Descriptor.h - The constant NAME_model -----------------------------===//
#ifndef CORNU_CODEGEN_EMIT_DESCRIPTOR_H
#define CORNU_CODEGEN_EMIT_DESCRIPTOR_H

#include "codegen/emit/ModelDescriptor.h"
#include "codegen/emit/Profile.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace cornu::codegen {

/// The C functions that the descriptor points to; null where there is none.
struct EntryFunctions {
  mlir::LLVM::LLVMFuncOp initialize, resetMetrics, predict, evaluateStep,
      trainStep, gradients, applyGradients, metricResults;
};

/// Adds the global `NAME_model`, a cornu_model of model.h, to the module.
/// `profile` is null in a model without hooks.
void addDescriptor(mlir::ModuleOp module, const ModelDescriptor &model,
                   const EntryFunctions &entries, const ProfileTable *profile);

/// Makes a module in the LLVM dialect that of a program: it gets another name
/// for NAME_model, `cornu_program`, by which libcornu's main finds it. Fails
/// after a diagnostic if the module has no descriptor.
mlir::LogicalResult nameProgram(mlir::ModuleOp module, llvm::StringRef name);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_DESCRIPTOR_H
