//===- Specialize.cpp - One function for training, one for inference ------===//

#include "passes/graph/Specialize.h"

#include "dialect/nn/NN.h"
#include "passes/graph/Passes.h"

using namespace mlir;

namespace cornu::graph {

void specialize(Operation *root, Mode mode) {
  // Inner ops first, so that what is inlined holds none any more.
  root->walk<WalkOrder::PostOrder>([&](nn::IfTrainingOp op) {
    Region &region =
        mode == Mode::training ? op.getTraining() : op.getInference();
    Block &block = region.front();
    Operation *yield = block.getTerminator();
    op->replaceAllUsesWith(yield->getOperands());
    yield->erase();
    op->getBlock()->getOperations().splice(Block::iterator(op),
                                           block.getOperations());
    op->erase();
  });
}

void removeStopGradients(Operation *root) {
  root->walk([](nn::StopGradientOp op) {
    op.replaceAllUsesWith(op.getInput());
    op.erase();
  });
}

#define GEN_PASS_DEF_SPECIALIZE
#include "passes/graph/Passes.h.inc"

namespace {
struct Specialize : impl::SpecializeBase<Specialize> {
  using SpecializeBase::SpecializeBase;
  void runOnOperation() override {
    specialize(getOperation(), training ? Mode::training : Mode::inference);
    removeStopGradients(getOperation());
  }
};
} // namespace

} // namespace cornu::graph
