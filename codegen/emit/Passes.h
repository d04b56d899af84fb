//===- Passes.h - From scheduled kernels to an LLVM module ----------------===//
//
// Emission takes kernels of loops, vectors and memrefs and ends with machine
// code that a C program can call. Its passes, in the order of the pipeline
// `codegen-to-llvm`:
//
//   func.func @kernel_0(...)  { codegen.parallel ... { vector, math, ... } }
//     │ codegen-lower-parallel  grids → task functions and calls of the runtime
//     │ codegen-entry-points    + NAME_predict, NAME_model, ... of model.h
//     │ codegen-expand-math     exp, tanh, ... → polynomials
//     │ codegen-flatten-arguments  memrefs → pointers, at calls of kernels
//     │ codegen-convert-bodies  vector, memref, arith, cf → llvm
//     │ MLIR's conversion       func → llvm
//     ▼
//   llvm.func @NAME_predict(!llvm.ptr, ...)
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_PASSES_H
#define CORNU_CODEGEN_EMIT_PASSES_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"
#include <memory>

namespace mlir {
class OpPassManager;
}

namespace cornu::codegen {

/// Outlines each codegen.parallel into a task function and a call of
/// cornu_parallel_for, and gives each worker its part of the workspace.
std::unique_ptr<mlir::Pass> createLowerParallelPass();

/// Replaces the functions of the math dialect on f32 and f64, scalars and
/// vectors, by polynomials: no call of libm remains.
std::unique_ptr<mlir::Pass> createExpandMathPass();

/// Hands memrefs to private functions that are only called as a pointer and
/// the dynamic sizes, instead of whole descriptors.
std::unique_ptr<mlir::Pass> createFlattenArgumentsPass();

/// Converts what a function holds, except calls, to the LLVM dialect.
std::unique_ptr<mlir::Pass> createConvertBodiesPass();

/// Adds the C interface to a module of entries on memrefs: entry points,
/// weights and the descriptor, from the module's attribute `cornu.model`; with
/// hooks before the kernels if `profile` (Profile.h). A module without the
/// attribute stays.
std::unique_ptr<mlir::Pass> createEntryPointsPass(bool profile = false);

/// The way from scheduled kernels to a module in the LLVM dialect.
struct ToLLVMOptions : mlir::PassPipelineOptions<ToLLVMOptions> {
  Option<bool> profile{*this, "profile",
                       llvm::cl::desc("Entries call a hook before kernels"),
                       llvm::cl::init(false)};
};
void buildToLLVMPipeline(mlir::OpPassManager &pm, const ToLLVMOptions &options);

/// Registers the passes above and the pipeline `codegen-to-llvm`.
void registerEmitPasses();

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_PASSES_H
