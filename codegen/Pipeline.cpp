//===- Pipeline.cpp - From kernels on memrefs to loops over vectors -------===//

#include "codegen/Pipeline.h"
#include "codegen/schedule/Schedule.h"
#include "codegen/strategy/Strategy.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace cornu::codegen {

void buildKernelsPipeline(OpPassManager &pm) {
  // linalg op → linalg op {codegen.strategy = ...}
  pm.addNestedPass<func::FuncOp>(createStrategyPass());
  // weights → in the order of the tiles that read them
  pm.addPass(createLayOutWeightsPass());
  // constant kernels of convolutions → as minimal filtering transforms them
  pm.addPass(createTransformWeightsPass());
  // weights that all steps of a loop read → packed before it
  pm.addPass(createPackBeforeLoopsPass());
  // ... → codegen.parallel of loops over vectors
  OpPassManager &kernels = pm.nest<func::FuncOp>();
  kernels.addPass(createSchedulePass());
  // Loops and their bodies: there are no blocks to simplify.
  GreedyRewriteConfig ops;
  ops.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
  kernels.addPass(createCanonicalizerPass(ops));
  kernels.addPass(createCSEPass());
}

void registerKernelsPipeline() {
  PassPipelineRegistration<>("codegen-kernels",
                             "Kernels of linalg ops on memrefs to vector loops",
                             buildKernelsPipeline);
}

} // namespace cornu::codegen
