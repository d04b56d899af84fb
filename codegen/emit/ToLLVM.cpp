//===- ToLLVM.cpp - The way from kernels to the LLVM dialect --------------===//
//
// The table of contents of emission's first half: buildToLLVMPipeline.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/Passes.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Affine/Transforms/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace cornu::codegen {

void buildToLLVMPipeline(OpPassManager &pm, const ToLLVMOptions &options) {
  // codegen.parallel → task functions, cornu_parallel_for
  pm.addPass(createLowerParallelPass());
  // + NAME_predict and the other functions of model.h, NAME_model, the weights
  pm.addPass(createEntryPointsPass(options.profile));
  // math.exp and its like → polynomials
  pm.addPass(createExpandMathPass());
  // memref arguments of kernels and tasks → pointers and dynamic sizes
  pm.addPass(createFlattenArgumentsPass());
  {
    // Function by function, on all cores.
    OpPassManager &functions = pm.nestAny();
    // Equal blocks, and dead arguments of blocks, there are none of.
    GreedyRewriteConfig ops;
    ops.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    functions.addPass(createCanonicalizerPass(ops));
    functions.addPass(createCSEPass());
    functions.addPass(createLoopInvariantCodeMotionPass());
    // transfers and multi-dimensional vectors → loads, stores, 1-d vectors
    functions.addPass(createConvertVectorToSCFPass(
        VectorTransferToSCFOptions().enableFullUnroll()));
    // subviews and expanded shapes → address arithmetic; scf → basic blocks
    functions.addPass(memref::createExpandStridedMetadataPass());
    functions.addPass(createLowerAffinePass());
    SCFToControlFlowPassOptions loops;
    loops.allowPatternRollback = false;
    functions.addPass(createSCFToControlFlowPass(loops));
    // vector, memref, arith, basic blocks, ... → llvm
    functions.addPass(createConvertBodiesPass());
  }
  // functions, calls and returns; tables → llvm
  ConvertToLLVMPassOptions functions;
  functions.filterDialects.push_back("func");
  functions.filterDialects.push_back("memref");
  functions.allowPatternRollback = false;
  pm.addPass(createConvertToLLVMPass(functions));
  pm.addPass(createReconcileUnrealizedCastsPass());
  // equal constants and address arithmetic, once for each use before
  pm.nestAny().addPass(createCSEPass());
}

void registerEmitPasses() {
  registerPass(createLowerParallelPass);
  registerPass([] { return createEntryPointsPass(); });
  registerPass(createExpandMathPass);
  registerPass(createFlattenArgumentsPass);
  registerPass(createConvertBodiesPass);
  PassPipelineRegistration<ToLLVMOptions>(
      "codegen-to-llvm", "Scheduled kernels to the LLVM dialect",
      buildToLLVMPipeline);
}

} // namespace cornu::codegen
