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
  pm.addPass(createEntryPointsPass(options.program));
  // math.exp and its like → polynomials
  pm.addPass(createExpandMathPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  // transfers and multi-dimensional vectors → loads, stores, 1-d vectors
  pm.addPass(createConvertVectorToSCFPass(
      VectorTransferToSCFOptions().enableFullUnroll()));
  // scf → basic blocks; subviews and expanded shapes → address arithmetic
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  // basic blocks of vector, memref, arith, func → llvm
  ConvertVectorToLLVMPassOptions vectors;
  vectors.reassociateFPReductions = true; // a tree, not a chain of additions
  pm.addPass(createConvertVectorToLLVMPass(vectors));
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  // What the conversions left behind: equal constants and address arithmetic.
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void registerEmitPasses() {
  registerPass(createLowerParallelPass);
  registerPass([] { return createEntryPointsPass(); });
  registerPass(createExpandMathPass);
  PassPipelineRegistration<ToLLVMOptions>("codegen-to-llvm",
                             "Scheduled kernels to the LLVM dialect",
                             buildToLLVMPipeline);
}

} // namespace cornu::codegen
