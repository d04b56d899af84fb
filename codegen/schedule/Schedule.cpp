//===- Schedule.cpp - Applies the strategies of a kernel ------------------===//
//
// Contractions first: each absorbs the producers, padding and epilogue around
// it. What they leave are nests. In a kernel that is cut into blocks, all of
// that is inside a task.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Schedule.h"

#include "codegen/IR/Codegen.h"
#include "codegen/schedule/NestGrid.h"
#include "codegen/schedule/NestedGrids.h"
#include "codegen/schedule/contraction/Contraction.h"
#include "codegen/strategy/Decisions.h"
#include "codegen/strategy/Nest.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

/// Schedules the contractions of a kernel; true if there was one.
static FailureOr<bool> scheduleContractions(RewriterBase &rewriter,
                                            func::FuncOp kernel,
                                            const Target &target) {
  SmallVector<linalg::GenericOp> roots;
  kernel.walk([&](linalg::GenericOp op) {
    if (op->hasAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr))
      roots.push_back(op);
  });
  for (linalg::GenericOp root : roots) {
    auto strategy =
        root->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
    rewriter.setInsertionPoint(root);
    if (failed(scheduleContraction(rewriter, root, strategy, target)))
      return failure();
  }
  return !roots.empty();
}

static LogicalResult scheduleKernel(func::FuncOp kernel) {
  IRRewriter rewriter(kernel.getContext());
  Target target = Target::of(kernel);
  FailureOr<bool> contracted = scheduleContractions(rewriter, kernel, target);
  if (failed(contracted))
    return failure();
  // What a contraction has not absorbed gets its strategy now.
  if (*contracted) {
    chooseNests(rewriter, kernel, target);
    rememberStrategies(kernel);
  }
  if (failed(scheduleNests(rewriter, kernel)))
    return failure();
  serializeNestedGrids(rewriter, kernel);
  return success();
}

namespace {
struct SchedulePass
    : public PassWrapper<SchedulePass, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SchedulePass)
  StringRef getArgument() const final { return "codegen-schedule"; }
  StringRef getDescription() const final {
    return "Replace linalg ops by vector loops as their strategies say";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<CodegenDialect, arith::ArithDialect, memref::MemRefDialect,
                    scf::SCFDialect, vector::VectorDialect>();
  }
  void runOnOperation() final {
    if (!getOperation().isExternal() && failed(scheduleKernel(getOperation())))
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> createSchedulePass() {
  return std::make_unique<SchedulePass>();
}

void registerSchedulePasses() {
  registerPass([]() { return createSchedulePass(); });
}

} // namespace cornu::codegen
