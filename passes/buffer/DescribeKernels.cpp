//===- DescribeKernels.cpp - The work of each kernel call -----------------===//
//
// Writes the attribute `cornu.work` (KernelWork.h) on the calls and copies of
// entries, for `cornu compile --report` and profiles. Codegen rewrites the
// kernels; what a call asks for is known before.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/buffer/KernelWork.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace cornu::buffer {

namespace {
struct DescribeKernels : PassWrapper<DescribeKernels, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DescribeKernels)

  StringRef getArgument() const override { return "buffer-describe-kernels"; }
  StringRef getDescription() const override {
    return "Write on calls of kernels and on copies what they compute and move";
  }

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<func::FuncOp>())
      if (entry->hasAttr(kEntryAttr))
        entry.walk([&](Operation *op) {
          if (std::optional<Work> work = workOfOp(op, symbols))
            describeWork(op, *work);
        });
  }

  static std::optional<Work> workOfOp(Operation *op, SymbolTable &symbols) {
    if (auto copy = dyn_cast<memref::CopyOp>(op))
      return workOf(copy);
    auto call = dyn_cast<func::CallOp>(op);
    if (!call)
      return std::nullopt;
    auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
    bool described =
        kernel && kernel->hasAttr(lower::kKernelAttr) && !kernel.isExternal();
    return described ? workOf(call, kernel) : std::nullopt;
  }
};
} // namespace

std::unique_ptr<Pass> createDescribeKernelsPass() {
  return std::make_unique<DescribeKernels>();
}

} // namespace cornu::buffer
