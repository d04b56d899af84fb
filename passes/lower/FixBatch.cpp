//===- FixBatch.cpp - One batch size for good -----------------------------===//
//
// Replaces the dynamic dimensions of a model by those of one batch size, op by
// op from the arguments on: a dimension that several others were merged into
// becomes their product.
//
//   func.func @predict(%x: tensor<?x4xf32>)     size=8
//   func.func @predict(%x: tensor<8x4xf32>)
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"
#include "passes/lower/Lower.h"

#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

static Type withBatch(Type type, int64_t batch) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return type;
  Shape shape(tensor.getShape());
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = batch;
  return RankedTensorType::get(shape, tensor.getElementType());
}

/// Where the dynamic sizes of results come from, read off while they still are
/// dynamic.
using Sources = DenseMap<std::pair<Value, int64_t>, SizeSource>;

static Sources findSources(Block &body) {
  Sources sources;
  body.walk([&](Operation *op) {
    if (isa<ScanOp, IfTrainingOp, ReshapeOp>(op) || isElementwise(op))
      return;
    for (Value result : op->getResults())
      if (auto type = dyn_cast<RankedTensorType>(result.getType()))
        for (int64_t dim = 0; dim < type.getRank(); ++dim)
          if (type.isDynamicDim(dim))
            sources.insert({{result, dim}, sizeSource(result, dim)});
  });
  return sources;
}

/// The size that a dynamic dimension of an op's result has now that the
/// operands are static.
static int64_t sizeNow(Value value, int64_t dim, const Sources &sources) {
  if (auto reshape = value.getDefiningOp<ReshapeOp>()) {
    int64_t rest = 1;
    for (int64_t size : tensorType(value).getShape())
      rest *= ShapedType::isDynamic(size) ? 1 : size;
    return tensorType(reshape.getInput()).getNumElements() / rest;
  }
  SizeSource from = sources.at({value, dim});
  return tensorType(from.value).getDimSize(from.dim) * from.factor /
         from.divisor;
}

static void setShape(Value value, ArrayRef<int64_t> shape) {
  value.setType(RankedTensorType::get(shape, elementType(value)));
}

/// A slice takes a dynamic dimension whole, up to the limit -1.
static void fixLimits(SliceOp op) {
  SmallVector<int64_t> limits(op.getLimits());
  ArrayRef<int64_t> from = tensorType(op.getInput()).getShape();
  for (auto [limit, size] : llvm::zip_equal(limits, from))
    if (limit < 0)
      limit = size;
  op.setLimits(limits);
}

/// Fixes the results of the ops in `block`, whose arguments are static.
static void fixBlock(Block &block, int64_t batch, const Sources &sources) {
  for (Operation &op : block) {
    if (auto scan = dyn_cast<ScanOp>(op)) {
      Block *body = scan.getBodyBlock();
      for (auto [i, argument] : llvm::enumerate(body->getArguments())) {
        Shape shape(tensorType(scan.getOperand(i)).getShape());
        if (i >= scan.getState().size() &&
            i < scan.getState().size() + scan.getSequences().size())
          shape.erase(shape.begin() + 1);
        setShape(argument, shape);
      }
      fixBlock(*body, batch, sources);
      for (auto [i, result] : llvm::enumerate(scan.getResults())) {
        Value yielded = body->getTerminator()->getOperand(i);
        Shape shape(tensorType(yielded).getShape());
        if (i >= scan.getState().size())
          shape.insert(shape.begin() + 1, scan.getSteps());
        setShape(result, shape);
      }
      continue;
    }
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        fixBlock(inner, batch, sources);
    if (auto slice = dyn_cast<SliceOp>(op))
      fixLimits(slice);
    for (Value result : op.getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      if (!type || type.hasStaticShape())
        continue;
      if (isa<IfTrainingOp>(op)) {
        auto yield =
            cast<IfTrainingOp>(op).getTraining().front().getTerminator();
        setShape(result,
                 tensorType(yield->getOperand(
                                cast<OpResult>(result).getResultNumber()))
                     .getShape());
        continue;
      }
      Shape shape(type.getShape());
      // An elementwise op may repeat its operand of size 1; sizes come from
      // the operands that are not.
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (ShapedType::isDynamic(shape[dim])) {
          if (isElementwise(&op)) {
            int64_t size = 1;
            for (Value operand : op.getOperands()) {
              RankedTensorType input = tensorType(operand);
              int64_t aligned = dim - (type.getRank() - input.getRank());
              if (aligned >= 0)
                size = std::max(size, input.getDimSize(aligned));
            }
            shape[dim] = size;
          } else {
            shape[dim] = sizeNow(result, dim, sources);
          }
        }
      setShape(result, shape);
    }
  }
}

namespace {
struct FixBatch : PassWrapper<FixBatch, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FixBatch)

  FixBatch() = default;
  FixBatch(int64_t batch) { size = batch; }
  FixBatch(const FixBatch &other) : PassWrapper(other) { size = other.size; }

  StringRef getArgument() const override { return "nn-fix-batch"; }
  StringRef getDescription() const override {
    return "Give the batch a static size";
  }

  void runOnOperation() override {
    if (size < 1) {
      getOperation().emitError("the size of the batch must be positive");
      return signalPassFailure();
    }
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function->hasAttr(kKernelAttr)) {
        function.emitError("is a kernel: the batch is fixed before fusion");
        return signalPassFailure();
      }
      Block &body = function.getBody().front();
      Sources sources = findSources(body);
      for (BlockArgument argument : function.getArguments())
        argument.setType(withBatch(argument.getType(), size));
      fixBlock(body, size, sources);
      function.setFunctionType(
          FunctionType::get(&getContext(), body.getArgumentTypes(),
                            body.getTerminator()->getOperandTypes()));
    }
  }

  Option<int64_t> size{*this, "size", llvm::cl::desc("the batch size"),
                       llvm::cl::init(0)};
};
} // namespace

std::unique_ptr<Pass> createFixBatchPass(int64_t batch) {
  return std::make_unique<FixBatch>(batch);
}

} // namespace cornu::lower
