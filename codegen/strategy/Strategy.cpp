//===- Strategy.cpp - Decides how a kernel is computed --------------------===//
//
// A kernel with a contraction keeps its other ops as they are, for the
// contraction to absorb; any other kernel is made of nests. A kernel with
// several contractions is cut into blocks first.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/Strategy.h"

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/Blocks.h"
#include "codegen/strategy/Contraction.h"
#include "codegen/strategy/Decisions.h"
#include "codegen/strategy/GivenStrategies.h"
#include "codegen/strategy/Nest.h"
#include "codegen/strategy/UseStrategies.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

LogicalResult decideStrategies(func::FuncOp kernel) {
  Target target = Target::of(kernel);
  IRRewriter rewriter(kernel.getContext());
  cutIntoBlocks(rewriter, kernel, target);
  bool contracts = false, decided = false;
  llvm::SmallPtrSet<Operation *, 4> written;
  kernel.walk([&](linalg::GenericOp op) {
    if (Attribute given = op->getAttr(CodegenDialect::kStrategyAttr)) {
      written.insert(op);
      contracts |= isa<ContractionAttr>(given);
      decided |= isa<NestAttr>(given);
      return;
    }
    if (!isProduct(op))
      return;
    auto strategy = chooseContraction(op, target);
    if (failed(strategy))
      return;
    op->setAttr(CodegenDialect::kStrategyAttr, *strategy);
    contracts = true;
  });
  if (!contracts && !decided)
    chooseNests(rewriter, kernel, target);
  if (failed(applyGivenStrategies(kernel, written, target)))
    return failure();
  rememberStrategies(kernel);
  return success();
}

namespace {
struct StrategyPass
    : public PassWrapper<StrategyPass, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(StrategyPass)
  StringRef getArgument() const final { return "codegen-strategy"; }
  StringRef getDescription() const final {
    return "Decide how the linalg ops of a kernel are computed";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<CodegenDialect, arith::ArithDialect, linalg::LinalgDialect,
                    memref::MemRefDialect>();
  }
  void runOnOperation() final {
    if (!getOperation().isExternal() &&
        failed(decideStrategies(getOperation())))
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> createStrategyPass() {
  return std::make_unique<StrategyPass>();
}

void registerStrategyPasses() {
  registerPass([]() { return createStrategyPass(); });
  registerPass([]() { return createLayOutWeightsPass(); });
  registerPass([]() { return createTransformWeightsPass(); });
  registerPass([]() { return createPackBeforeLoopsPass(); });
  registerPass([]() { return createUseStrategiesPass(); });
}

} // namespace cornu::codegen
