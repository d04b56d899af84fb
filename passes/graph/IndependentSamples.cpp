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

bool isStatic(Value value) { return nn::tensorType(value).hasStaticShape(); }

/// Follows a batch through an entry: for each value, how many rows of it a
/// sample has. TimeDistributed makes one of samples and steps, and undoes it.
class SampleRows {
public:
  /// Nothing where `entry` mixes samples.
  LogicalResult follow(func::FuncOp entry);

private:
  LogicalResult follow(Operation *op);
  std::optional<int64_t> rowsAfter(nn::ReshapeOp op) const;
  static bool isIndependent(Operation *op);

  DenseMap<Value, int64_t> rows;
};

/// True if row i of each result depends on row i of the operands alone.
bool SampleRows::isIndependent(Operation *op) {
  if (op->hasTrait<nn::Elementwise>())
    return true;
  return llvm::TypeSwitch<Operation *, bool>(op)
      // Their verifiers and inference leave a dynamic dimension alone.
      .Case<nn::ConvolutionOp, nn::ConvolutionInputGradientOp, nn::SumPoolOp,
            nn::SumPoolGradientOp, nn::MaxPoolOp, nn::MaxPoolScatterOp,
            nn::MaxPoolGatherOp, nn::TransposeOp, nn::BroadcastOp,
            nn::ConcatenateOp, nn::SliceOp, nn::PadOp, nn::ReverseOp,
            nn::ReshapeOp, nn::ReadOp, nn::ConstantOp, func::ReturnOp>(
          [](auto) { return true; })
      .Case([](nn::IotaOp iota) { return isStatic(iota); })
      .Case([](nn::ReduceOp reduce) {
        return llvm::none_of(reduce.getAxes(), [&](int64_t axis) {
          return isDynamic(reduce.getInput(), axis);
        });
      })
      .Case<nn::SoftmaxOp, nn::LogSoftmaxOp, nn::ArgmaxOp>([](auto along) {
        return !isDynamic(along.getInput(), along.getAxis());
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
      .Case([](nn::GatherOp gather) { return isStatic(gather.getTable()); })
      .Default([](Operation *) { return false; });
}

/// The rows of a sample where the batch takes in dimensions behind it, or
/// gives them back; nothing where a row would be of two samples.
std::optional<int64_t> SampleRows::rowsAfter(nn::ReshapeOp op) const {
  auto around = [](Value value) {
    int64_t before = 1, behind = 1;
    bool seen = false;
    for (int64_t size : nn::tensorType(value).getShape()) {
      if (ShapedType::isDynamic(size))
        seen = true;
      else
        (seen ? behind : before) *= size;
    }
    return std::pair(before, behind);
  };
  auto [before, behind] = around(op.getInput());
  auto [newBefore, newBehind] = around(op);
  int64_t elements = rows.lookup(op.getInput()) * behind;
  if (before != newBefore || newBehind == 0 || elements % newBehind != 0)
    return std::nullopt;
  return elements / newBehind;
}

LogicalResult SampleRows::follow(Operation *op) {
  if (!isIndependent(op))
    return failure();
  std::optional<int64_t> common;
  for (Value operand : op->getOperands()) {
    if (isStatic(operand))
      continue;
    int64_t here = rows.lookup(operand);
    if (common && *common != here)
      return failure();
    common = here;
  }
  if (auto reshape = dyn_cast<nn::ReshapeOp>(op); reshape && common)
    common = rowsAfter(reshape);
  // What is returned has a row per sample.
  if (isa<func::ReturnOp>(op))
    return success(common == 1 && llvm::none_of(op->getOperands(), isStatic));
  for (Value result : op->getResults())
    if (!isStatic(result)) {
      if (!common || nn::tensorType(result).getNumDynamicDims() != 1)
        return failure();
      rows[result] = *common;
    }
  return success();
}

LogicalResult SampleRows::follow(func::FuncOp entry) {
  for (Value argument : entry.getArguments()) {
    if (nn::tensorType(argument).getNumDynamicDims() != 1 ||
        !nn::tensorType(argument).isDynamicDim(0))
      return failure();
    rows[argument] = 1;
  }
  for (Operation &op : entry.getBody().front())
    if (failed(follow(&op)))
      return failure();
  return success();
}

struct FindIndependentSamples
    : impl::FindIndependentSamplesBase<FindIndependentSamples> {
  void runOnOperation() override {
    func::FuncOp entry = getOperation();
    if (entry.getName() == "predict" && !entry.isExternal() &&
        succeeded(SampleRows().follow(entry)))
      entry->setAttr("nn.independent_samples",
                     UnitAttr::get(entry.getContext()));
  }
};

} // namespace
} // namespace cornu::graph
