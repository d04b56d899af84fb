//===- Pipeline.cpp - From kernels on memrefs to loops over vectors -------===//

#include "codegen/Pipeline.h"
#include "codegen/schedule/Schedule.h"
#include "codegen/strategy/Strategy.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace cornu::codegen {

void buildKernelsPipeline(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<func::FuncOp>();
  // linalg op → linalg op {codegen.strategy = ...}
  kernels.addPass(createStrategyPass());
  // ... → codegen.parallel of loops over vectors
  kernels.addPass(createSchedulePass());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
}

void registerKernelsPipeline() {
  PassPipelineRegistration<>("codegen-kernels",
                             "Kernels of linalg ops on memrefs to vector loops",
                             buildKernelsPipeline);
}

} // namespace cornu::codegen
