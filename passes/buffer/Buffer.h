//===- Buffer.h - From tensors to planned memory ----------------*- C++ -*-===//
//
// After lowering, every value is a tensor and every call has an empty tensor
// to write to. This stage gives each of them a place:
//
//   func.func @predict(%state: memref<?xi8>, %x: memref<?x4xf32>,
//                      %y: memref<?x2xf32>, %scratch: memref<?xi8>) {
//     %w = memref.view %state[%c0][] : memref<?xi8> to memref<4x8xf32>
//     %h = memref.view %scratch[%offset][%batch] : memref<?xi8> to ...
//     call @kernel_0(%x, %w, %h, %workspace)
//     call @kernel_1(%h, %w2, %y, %workspace)
//
// All variables live in one block, the state; all intermediates in another,
// the scratch, at offsets fixed + per_sample * batch. Nothing is allocated
// when the model runs. What is known about the blocks stands in attributes of
// the module, for the descriptor and the header:
//
//   cornu.state = [{name, type, offset, kind}, ...]   the table of variables
//   cornu.state_bytes, cornu.gradient_bytes           sizes of the blocks
//   cornu.metrics_offset, cornu.metrics_bytes         the metrics' range
//   cornu.memory = {predict = {fixed, per_sample, ...}, ...}
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_BUFFER_BUFFER_H
#define CORNU_PASSES_BUFFER_BUFFER_H

#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <memory>
#include <string>

namespace mlir {
class DialectRegistry;
class OpBuilder;
class Value;
namespace func {
class FuncOp;
} // namespace func
class ModuleOp;
class OpPassManager;
class Pass;
} // namespace mlir

namespace cornu::buffer {

/// Every variable, and every buffer in the scratch block, starts at a multiple
/// of this: CORNU_ALIGNMENT of runtime/include/cornu/model.h.
inline constexpr int64_t kAlignment = 64;

inline constexpr llvm::StringLiteral kStateAttr = "cornu.state";
inline constexpr llvm::StringLiteral kStateBytesAttr = "cornu.state_bytes";
inline constexpr llvm::StringLiteral kGradientBytesAttr =
    "cornu.gradient_bytes";
inline constexpr llvm::StringLiteral kMetricsOffsetAttr =
    "cornu.metrics_offset";
inline constexpr llvm::StringLiteral kMetricsBytesAttr = "cornu.metrics_bytes";
inline constexpr llvm::StringLiteral kMemoryAttr = "cornu.memory";
/// All of this and the signature, for the descriptor (codegen/emit/README.md).
inline constexpr llvm::StringLiteral kModelAttr = "cornu.model";
/// Marks the functions that the C interface offers.
inline constexpr llvm::StringLiteral kEntryAttr = "nn.entry";
/// Marks the arguments that a kernel writes.
inline constexpr llvm::StringLiteral kOutputAttr = "nn.output";
/// What an argument of an entry is: state, input, target, sample_weight,
/// gradient, output, gradients, scratch.
inline constexpr llvm::StringLiteral kRoleAttr = "nn.role";
/// On a call of a kernel in an entry: its operations and bytes (KernelWork.h).
inline constexpr llvm::StringLiteral kWorkAttr = "cornu.work";
/// On a copy in an entry: why it is needed.
inline constexpr llvm::StringLiteral kReasonAttr = "cornu.reason";

/// Tensors to memrefs; kernels lose their results.
std::unique_ptr<mlir::Pass> createBufferizePass();
/// What kernels copy into a part of a buffer is computed there.
std::unique_ptr<mlir::Pass> createPlacePartsPass();
/// Results of entries become arguments; copies become places, where nothing
/// else needs the memory.
std::unique_ptr<mlir::Pass> createPlaceResultsPass();
/// States that are also stacked are read where the step before wrote them.
std::unique_ptr<mlir::Pass> createCarryViewsPass();
/// Variables become views of the state block.
std::unique_ptr<mlir::Pass> createStateLayoutPass();
/// Allocations of entries become views of the scratch block.
std::unique_ptr<mlir::Pass> createPlanMemoryPass();
/// Builds @initialize(%state, %seed: i64), which draws the first values.
std::unique_ptr<mlir::Pass> createInitializePass();
/// Collects the attribute `cornu.model`.
std::unique_ptr<mlir::Pass> createDescribeModelPass();
/// Writes on each call of a kernel what it computes and moves.
std::unique_ptr<mlir::Pass> createDescribeKernelsPass();
/// Checks that entries allocate nothing and copy only what they must.
std::unique_ptr<mlir::Pass> createVerifyBuffersPass();

/// After scheduling: what kernels still allocate, which scales with the batch,
/// becomes a part of the scratch block of the entries that call them.
std::unique_ptr<mlir::Pass> createPlaceKernelBuffersPass();

/// The whole stage, `nn-buffer`.
void buildBufferPipeline(mlir::OpPassManager &manager);

/// Registers the passes and the pipeline for cornu-opt.
void registerBufferPasses();
/// The interfaces of the dialects that bufferization needs.
void registerBufferInterfaces(mlir::DialectRegistry &registry);

/// The batch in an entry: the leading size of the first argument that has a
/// dynamic one; null if there is none.
mlir::Value batchOf(mlir::OpBuilder &builder, mlir::func::FuncOp entry);

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_BUFFER_H
