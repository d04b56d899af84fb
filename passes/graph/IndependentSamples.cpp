//===- IndependentSamples.cpp - Which entries may cut their batch ---------===//
//
// A sample's outputs depend on that sample alone where no op of an entry sums,
// compares, moves or counts along the batch, which is the only dynamic
// dimension:
//
//   nn.softmax 1 %x : tensor<?x10xf32>       may be computed in parts
//   nn.softmax 0 %x : tensor<?x10xf32>       may not
//
// A batch can then be predicted in parts that the caches hold. Recurrence is
// no candidate: a step of a scan is the faster the more rows it has.
//
//===----------------------------------------------------------------------===//

#include "dialect/nn/NN.h"
#include "passes/graph/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace cornu::graph {

#define GEN_PASS_DEF_FINDINDEPENDENTSAMPLES
#include "passes/graph/Passes.h.inc"

namespace {

bool isDynamic(Value value, int64_t dim) {
  return nn::tensorType(value).isDynamicDim(dim);
}

/// True if the batch has the same place in memory before and after: nothing
/// outside it is merged with it.
bool keepsBatch(nn::ReshapeOp op) {
  auto before = [](Value value) {
    int64_t product = 1;
    for (int64_t size : nn::tensorType(value).getShape()) {
      if (ShapedType::isDynamic(size))
        return product;
      product *= size;
    }
    return int64_t(0);
  };
  return before(op.getInput()) == before(op);
}

bool isIndependent(Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<nn::ScanOp, nn::IfTrainingOp, nn::BatchSizeOp, nn::ScatterAddOp,
            nn::RandomUniformOp, nn::AssignOp>([](auto) { return false; })
      .Case([](nn::ReduceOp reduce) {
        return llvm::none_of(reduce.getAxes(), [&](int64_t axis) {
          return isDynamic(reduce.getInput(), axis);
        });
      })
      .Case<nn::SoftmaxOp, nn::LogSoftmaxOp, nn::ArgmaxOp>([](auto along) {
        return !isDynamic(along.getInput(), along.getAxis());
      })
      .Case([](nn::ReverseOp reverse) {
        return llvm::none_of(reverse.getAxes(), [&](int64_t axis) {
          return isDynamic(reverse.getInput(), axis);
        });
      })
      .Case([](nn::ContractOp contract) {
        auto stays = [&](Value operand, StringRef labels) {
          for (auto [dim, label] : llvm::enumerate(labels))
            if (isDynamic(operand, dim) &&
                !contract.getResultLabels().contains(label))
              return false;
          return true;
        };
        return stays(contract.getLhs(), contract.getLhsLabels()) &&
               stays(contract.getRhs(), contract.getRhsLabels());
      })
      .Case([](nn::GatherOp gather) {
        return nn::tensorType(gather.getTable()).hasStaticShape();
      })
      .Case([](nn::ReshapeOp reshape) {
        return nn::tensorType(reshape).hasStaticShape() || keepsBatch(reshape);
      })
      .Case(
          [](nn::IotaOp iota) { return nn::tensorType(iota).hasStaticShape(); })
      .Default([](Operation *) { return true; });
}

struct FindIndependentSamples
    : impl::FindIndependentSamplesBase<FindIndependentSamples> {
  void runOnOperation() override {
    func::FuncOp entry = getOperation();
    auto isBatched = [](Type type) {
      auto tensor = cast<RankedTensorType>(type);
      return tensor.getRank() > 0 && tensor.isDynamicDim(0);
    };
    if (entry.getName() != "predict" || entry.isExternal() ||
        !llvm::all_of(entry.getArgumentTypes(), isBatched) ||
        !llvm::all_of(entry.getResultTypes(), isBatched))
      return;
    WalkResult all = entry.walk([](Operation *op) {
      return isIndependent(op) ? WalkResult::advance()
                               : WalkResult::interrupt();
    });
    if (!all.wasInterrupted())
      entry->setAttr("nn.independent_samples",
                     UnitAttr::get(entry.getContext()));
  }
};

} // namespace
} // namespace cornu::graph
