//===- OutlineRemaining.cpp - A kernel for every op left alone ------------===//
//
// Fusion outlines kernels; this pass gives what it leaves, or a module that
// was never fused, a kernel per op:
//
//   %0 = nn.relu %x     becomes     %0 = call @relu_0(%x)
//
// Ops that a kernel would only copy (reshapes) and control stay.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/Lower.h"

#include "dialect/nn/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

namespace {
struct OutlineRemaining
    : PassWrapper<OutlineRemaining, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(OutlineRemaining)

  StringRef getArgument() const override { return "nn-outline-remaining"; }
  StringRef getDescription() const override {
    return "Make a kernel of every nn op outside of kernels";
  }

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<Operation *> alone;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(kKernelAttr))
        function.walk([&](Operation *op) {
          bool isNN = isa_and_nonnull<NNDialect>(op->getDialect());
          if (isNN && !isa<ReadOp, AssignOp, ReshapeOp, ScanOp, YieldOp,
                           ConstantOp, IfTrainingOp>(op))
            alone.push_back(op);
        });
    for (Operation *op : alone)
      outline(op, symbols);
  }

  void outline(Operation *op, SymbolTable &symbols) {
    // Constants move in; equal operands are one argument.
    SetVector<Value> arguments;
    for (Value operand : op->getOperands())
      if (!operand.getDefiningOp<ConstantOp>())
        arguments.insert(operand);
    Location loc = op->getLoc();
    OpBuilder builder(op->getContext());
    StringRef name = op->getName().stripDialect();
    auto kernel = func::FuncOp::create(
        loc, (name + "_0").str(),
        builder.getFunctionType(TypeRange(ValueRange(arguments.getArrayRef())),
                                op->getResultTypes()));
    kernel.setPrivate();
    kernel->setAttr(kKernelAttr, builder.getUnitAttr());
    symbols.insert(kernel);

    Block *block = kernel.addEntryBlock();
    builder.setInsertionPointToEnd(block);
    IRMapping mapping;
    mapping.map(arguments.getArrayRef(), block->getArguments());
    for (Value operand : op->getOperands())
      if (!mapping.contains(operand))
        builder.clone(*operand.getDefiningOp(), mapping);
    Operation *inner = builder.clone(*op, mapping);
    func::ReturnOp::create(builder, loc, inner->getResults());

    builder.setInsertionPoint(op);
    auto call =
        func::CallOp::create(builder, loc, kernel, arguments.getArrayRef());
    op->replaceAllUsesWith(call.getResults());
    op->erase();
  }
};
} // namespace

std::unique_ptr<Pass> createOutlineRemainingPass() {
  return std::make_unique<OutlineRemaining>();
}

} // namespace cornu::lower
