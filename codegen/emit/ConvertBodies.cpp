//===- ConvertBodies.cpp - What functions hold, to the LLVM dialect -------===//
//
// One conversion for vector, memref, arith, cf and their like, of one function:
// MLIR's own passes convert vectors apart from the rest, and the rest of all
// functions on one thread. The functions, calls and returns themselves, of
// which other functions know, are left to the pass over the module.
//
// Patterns are built once, not for each of a hundred functions, and nothing is
// kept to take a conversion back, for none fails: half of the time.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/Passes.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// Vectors of several dimensions, and the less common ops, to what LLVM has.
void populateVectorLowering(RewritePatternSet &patterns) {
  vector::populateVectorToVectorCanonicalizationPatterns(patterns);
  vector::populateVectorBitCastLoweringPatterns(patterns);
  vector::populateVectorBroadcastLoweringPatterns(patterns);
  vector::populateVectorMaskOpLoweringPatterns(patterns);
  vector::populateVectorShapeCastLoweringPatterns(patterns);
  vector::populateVectorInterleaveLoweringPatterns(patterns);
  vector::populateVectorTransposeLoweringPatterns(
      patterns, vector::VectorTransposeLowering::EltWise);
  vector::populateVectorTransferLoweringPatterns(patterns,
                                                 /*maxTransferRank=*/1);
  vector::populateVectorMaskMaterializationPatterns(
      patterns, /*force32BitVectorIndices=*/true);
  vector::populateVectorInsertExtractStridedSliceTransforms(patterns);
  vector::populateVectorStepLoweringPatterns(patterns);
  vector::populateVectorRankReducingFMAPattern(patterns);
  vector::populateVectorGatherLoweringPatterns(patterns);
  vector::populateVectorFromElementsUnrollPatterns(patterns);
  vector::populateVectorToElementsUnrollPatterns(patterns);
}

/// What the copies of the pass for each thread share.
struct Conversion {
  explicit Conversion(MLIRContext *context)
      : converter(context), target(*context) {
    RewritePatternSet simplifications(context);
    populateVectorLowering(simplifications);
    vectors = std::move(simplifications);

    RewritePatternSet patterns(context);
    vector::populateVectorTransferLoweringPatterns(patterns);
    // A horizontal sum is a tree, not a chain of additions.
    populateVectorToLLVMConversionPatterns(converter, patterns,
                                           /*reassociateFPReductions=*/true,
                                           /*force32BitVectorIndices=*/true);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    cf::populateAssertToLLVMConversionPattern(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    conversions = std::move(patterns);
    // A table is converted with its uses.
    target.addLegalOp<UnrealizedConversionCastOp, memref::GetGlobalOp>();
  }

  LLVMTypeConverter converter;
  LLVMConversionTarget target;
  FrozenRewritePatternSet vectors, conversions;
};

struct ConvertBodies : PassWrapper<ConvertBodies, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ConvertBodies)
  llvm::StringRef getArgument() const override {
    return "codegen-convert-bodies";
  }
  llvm::StringRef getDescription() const override {
    return "Convert what a function holds, except calls, to the LLVM dialect";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect, arith::ArithDialect, func::FuncDialect,
                    memref::MemRefDialect, vector::VectorDialect>();
  }
  LogicalResult initialize(MLIRContext *context) override {
    conversion = std::make_shared<Conversion>(context);
    return success();
  }
  void runOnOperation() override {
    // What else the module has, as tables, is its conversion's.
    if (!isa<FunctionOpInterface>(getOperation()))
      return;
    GreedyRewriteConfig config;
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
    (void)applyPatternsGreedily(getOperation(), conversion->vectors, config);
    ConversionConfig once;
    once.allowPatternRollback = false;
    if (failed(applyPartialConversion(getOperation(), conversion->target,
                                      conversion->conversions, once)))
      signalPassFailure();
  }

private:
  std::shared_ptr<Conversion> conversion;
};

} // namespace

std::unique_ptr<Pass> createConvertBodiesPass() {
  return std::make_unique<ConvertBodies>();
}

} // namespace cornu::codegen
