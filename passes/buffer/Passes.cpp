//===- Passes.cpp - The stage of buffers ----------------------------------===//

#include "passes/buffer/Buffer.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace cornu::buffer {

void buildBufferPipeline(OpPassManager &manager) {
  // tensors -> memrefs; an allocation for every empty tensor
  manager.addPass(createBufferizePass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  // copies into parts of a whole -> parts, written where they belong
  manager.addPass(createPlacePartsPass());
  // results -> arguments, written by the kernels that compute them
  manager.addPass(createPlaceResultsPass());
  // states that are copied from sequences -> parts of the sequences
  manager.addPass(createCarryViewsPass());
  // variables -> views of the state block
  manager.addPass(createStateLayoutPass());
  // sizes of buffers -> sizes of arguments
  manager.addPass(createCanonicalizerPass());
  // allocations -> views of the scratch block
  manager.addPass(createPlanMemoryPass());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  // the first values of what no file has a value for
  manager.addPass(createInitializePass());
  manager.addPass(createDescribeModelPass());
  manager.addPass(createDescribeKernelsPass());
  manager.addPass(createVerifyBuffersPass());
}

void registerBufferPasses() {
  registerPass(createBufferizePass);
  registerPass(createPlacePartsPass);
  registerPass(createPlaceResultsPass);
  registerPass(createCarryViewsPass);
  registerPass(createStateLayoutPass);
  registerPass(createPlanMemoryPass);
  registerPass(createInitializePass);
  registerPass(createDescribeModelPass);
  registerPass(createDescribeKernelsPass);
  registerPass(createVerifyBuffersPass);
  registerPass(createPlaceKernelBuffersPass);
  PassPipelineRegistration<>("nn-buffer", "tensors to planned memory",
                             buildBufferPipeline);
}

} // namespace cornu::buffer
