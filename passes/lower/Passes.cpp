//===- Passes.cpp - The stage of lowering ---------------------------------===//

#include "passes/lower/EntryLowering.h"
#include "passes/lower/KernelLowering.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace cornu::lower {

namespace {
/// Entries and kernels together, since both sides of a call change.
struct LowerToLinalg : PassWrapper<LowerToLinalg, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerToLinalg)

  StringRef getArgument() const override { return "nn-to-linalg"; }
  StringRef getDescription() const override {
    return "Lower entries and kernels of nn ops to linalg on tensors";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<affine::AffineDialect, arith::ArithDialect,
                    linalg::LinalgDialect, math::MathDialect, scf::SCFDialect,
                    tensor::TensorDialect>();
  }

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<func::FuncOp> entries, kernels;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal())
        (function->hasAttr(kKernelAttr) ? kernels : entries)
            .push_back(function);
    // Entries first: the sizes of a kernel's results are read off its nn ops.
    for (func::FuncOp entry : entries)
      if (failed(EntryLowering(entry, symbols).run()))
        return signalPassFailure();
    for (func::FuncOp kernel : kernels)
      if (failed(KernelLowering(kernel).run()))
        return signalPassFailure();
    // Unused constants and sizes go. Not by CSE: two empty tensors must not
    // become one.
    for (auto function : getOperation().getOps<func::FuncOp>())
      (void)applyPatternsGreedily(function, FrozenRewritePatternSet());
  }
};
} // namespace

std::unique_ptr<Pass> createLowerToLinalgPass() {
  return std::make_unique<LowerToLinalg>();
}

void buildLowerPipeline(OpPassManager &manager) {
  // single nn ops -> kernels
  manager.addPass(createOutlineRemainingPass());
  // kernels of nn ops -> linalg in destination style; variables -> arguments
  manager.addPass(createLowerToLinalgPass());
}

void registerLowerPasses() {
  registerPass([] { return createFixBatchPass(); });
  registerPass(createOutlineRemainingPass);
  registerPass(createLowerToLinalgPass);
  PassPipelineRegistration<>(
      "nn-lower", "kernels of nn ops to linalg on tensors", buildLowerPipeline);
}

} // namespace cornu::lower
