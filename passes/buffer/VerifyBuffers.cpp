//===- VerifyBuffers.cpp - What must hold after the stage of buffers ------===//
//
// No tensor is left, entries allocate nothing, and each copy says why it is
// needed. A message names the stage that most likely went wrong.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace cornu::buffer {

static LogicalResult verify(Operation *op, bool inKernel) {
  for (Value value : op->getResults())
    if (isa<TensorType>(value.getType()))
      return op->emitError("is still a tensor: bufferization left it, or a "
                           "pass after it brought it in");
  if (inKernel)
    return success();
  if (isa<memref::AllocOp, memref::AllocaOp>(op))
    return op->emitError("allocates in an entry: buffer-plan-memory gives "
                         "every buffer a place in the scratch block");
  if (auto copy = dyn_cast<memref::CopyOp>(op))
    if (!copy->hasAttr(kReasonAttr))
      return copy.emitError("is a copy without a reason: bufferization could "
                            "not write the value where it is needed, and "
                            "buffer-place-results has not seen it");
  return success();
}

namespace {
struct VerifyBuffers : PassWrapper<VerifyBuffers, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(VerifyBuffers)

  StringRef getArgument() const override { return "buffer-verify"; }
  StringRef getDescription() const override {
    return "Check that nothing is allocated and nothing copied without need";
  }

  void runOnOperation() override {
    bool valid = true;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      bool inKernel = function->hasAttr(lower::kKernelAttr);
      function.walk(
          [&](Operation *op) { valid &= succeeded(verify(op, inKernel)); });
    }
    if (!valid)
      signalPassFailure();
  }
};
} // namespace

std::unique_ptr<Pass> createVerifyBuffersPass() {
  return std::make_unique<VerifyBuffers>();
}

} // namespace cornu::buffer
