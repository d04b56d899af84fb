//===- Pipeline.cpp - From the importer's functions to kernels ------------===//

#include "passes/graph/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace cornu::graph {

void buildGraphPipeline(OpPassManager &manager, const GraphOptions &options) {
  // @forward, @loss, @metrics -> @predict, @train_step, ...
  BuildEntriesOptions entries;
  entries.inferenceOnly = options.inferenceOnly;
  entries.wholeStepsOnly = options.wholeStepsOnly;
  manager.addPass(createBuildEntries(entries));
  // Less work; nothing twice, nothing for nothing
  manager.addNestedPass<func::FuncOp>(createSimplify());
  manager.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  manager.addNestedPass<func::FuncOp>(createSimplify());
  // Batch normalization into the weights before it
  if (options.inferenceOnly)
    manager.addPass(createFoldWeights());
  // Which batches may be cut
  manager.addNestedPass<func::FuncOp>(createFindIndependentSamples());
  // Lists of ops -> lists of kernels
  manager.addPass(createFuse());
  manager.addNestedPass<func::FuncOp>(createCSEPass());
  // Activations that are too large to keep are computed again
  if (options.liveBytes > 0) {
    RematerializeOptions rematerialize;
    rematerialize.liveBytes = options.liveBytes;
    manager.addPass(createRematerialize(rematerialize));
  }
}

#define GEN_PASS_REGISTRATION
#include "passes/graph/Passes.h.inc"

void registerGraphPasses() {
  registerGraphPassesPasses();
  PassPipelineRegistration<GraphOptions>(
      "nn-graph", "entry functions of kernels from the importer's functions",
      buildGraphPipeline);
}

} // namespace cornu::graph
