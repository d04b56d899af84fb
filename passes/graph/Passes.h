//===- Passes.h - The passes on nn IR ----------------------------*- C++
//-*-===//
//
// nn in, nn out: from the functions that the importer builds to entry
// functions that are lists of kernels. Pipeline.cpp is the table of contents.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_PASSES_H
#define CORNU_PASSES_GRAPH_PASSES_H

#include "dialect/nn/NN.h"
#include "passes/graph/Derivatives.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassOptions.h"

namespace cornu::graph {

struct GraphOptions : mlir::PassPipelineOptions<GraphOptions> {
  Option<bool> inferenceOnly{*this, "inference-only",
                             llvm::cl::desc("keep only @predict"),
                             llvm::cl::init(false)};
  Option<bool> wholeStepsOnly{
      *this, "whole-steps-only",
      llvm::cl::desc("leave @gradients and @apply_gradients out"),
      llvm::cl::init(false)};
  Option<int64_t> liveBytes{
      *this, "live-bytes",
      llvm::cl::desc("compute tensors again rather than keep more bytes of "
                     "them while training (0: keep all)"),
      llvm::cl::init(0)};
};

/// On an entry that trains: the most bytes of tensors that are alive at a time
/// (i64), where that was asked for.
inline constexpr llvm::StringLiteral kLiveBytesAttr = "nn.live_bytes";

#define GEN_PASS_DECL
#include "passes/graph/Passes.h.inc"

/// The whole way from the importer's functions to entries of kernels.
void buildGraphPipeline(mlir::OpPassManager &manager,
                        const GraphOptions &options);

/// Registers each pass, and the pipeline as `--nn-graph`.
void registerGraphPasses();

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_PASSES_H
