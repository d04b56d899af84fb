//===- foldWeights.cpp - Arithmetic on weights at compile time ------------===//
//
// In a model that only predicts, weights are constants. Scales and shifts
// after a convolution, above all those of a batch normalization, go into its
// weights:
//
//   (conv(x, W) + b) * s + t  =  conv(x, W * s) + (b * s + t)
//
// and what is computed of weights alone becomes a variable with a value.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Math.h"
#include "passes/graph/Passes.h"
#include "passes/graph/simplify/Simplify.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/StringSet.h"

#include <cmath>

using namespace mlir;

namespace cornu::graph {

namespace {

/// Values by the variables' names; only those that the model's file has.
using Weights = llvm::StringMap<ElementsAttr>;

bool isArithmetic(Operation *op) {
  return isa<nn::AddOp, nn::SubtractOp, nn::MultiplyOp, nn::DivideOp,
             nn::NegateOp, nn::SqrtOp, nn::RsqrtOp, nn::ReshapeOp>(op);
}

/// True for values that follow from weights with known values alone.
bool isWeight(Value value, const Weights &weights) {
  Operation *op = value.getDefiningOp();
  if (!op || !nn::elementType(value).isF32())
    return false;
  if (auto read = dyn_cast<nn::ReadOp>(op))
    return weights.count(read.getVariable());
  if (isa<nn::ConstantOp>(op))
    return true;
  return isArithmetic(op) && llvm::all_of(op->getOperands(), [&](Value v) {
           return isWeight(v, weights);
         });
}

/// True if `value` holds one number for each channel (the last dimension) of
/// `result`.
bool isPerChannel(Value value, Value result) {
  nn::Shape shape(nn::tensorType(value).getShape());
  return !shape.empty() &&
         nn::tensorType(value).getNumElements() == shape.back() &&
         shape.back() == nn::tensorType(result).getShape().back();
}

/// The weights of a contraction or convolution whose last dimension is that of
/// the result.
OpOperand *kernelOf(Operation *op) {
  if (isa<nn::ConvolutionOp>(op))
    return &op->getOpOperand(1);
  auto contract = dyn_cast<nn::ContractOp>(op);
  if (!contract || contract.getResultLabels().empty())
    return nullptr;
  StringRef channel = contract.getResultLabels().take_back();
  return contract.getRhsLabels().ends_with(channel) &&
                 !contract.getLhsLabels().contains(channel)
             ? &op->getOpOperand(1)
             : nullptr;
}

struct WeightPattern {
  explicit WeightPattern(const Weights &weights) : weights(weights) {}
  bool known(Value value) const { return isWeight(value, weights); }
  const Weights &weights;
};

/// (y + b) * s = y * s + b * s, and conv(x, W) * s = conv(x, W * s).
struct ScaleIntoWeights : OpRewritePattern<nn::MultiplyOp>, WeightPattern {
  ScaleIntoWeights(MLIRContext *context, const Weights &weights)
      : OpRewritePattern(context), WeightPattern(weights) {}

  LogicalResult matchAndRewrite(nn::MultiplyOp op,
                                PatternRewriter &rewriter) const override {
    Value y = op.getLhs(), s = op.getRhs();
    if (!known(s))
      std::swap(y, s);
    Operation *producer = y.getDefiningOp();
    if (!known(s) || known(y) || !producer || !producer->hasOneUse() ||
        y.getType() != op.getType() || !isPerChannel(s, y))
      return failure();
    Math m(rewriter, op.getLoc());
    if (auto add = dyn_cast<nn::AddOp>(producer)) {
      Value inner = add.getLhs(), b = add.getRhs();
      if (!known(b) || inner.getType() != op.getType() || !isPerChannel(b, y))
        return failure();
      rewriter.replaceOp(op, m.add(m.multiply(inner, s), m.multiply(b, s)));
      return success();
    }
    OpOperand *kernel = kernelOf(producer);
    if (!kernel || !known(kernel->get()))
      return failure();
    int64_t channels = nn::tensorType(y).getShape().back();
    Value row =
        m.reshape(s, RankedTensorType::get({channels}, nn::elementType(s)));
    Operation *scaled = rewriter.clone(*producer);
    rewriter.setInsertionPoint(scaled);
    scaled->setOperand(1, m.multiply(kernel->get(), row));
    rewriter.replaceOp(op, scaled);
    return success();
  }
};

/// (y + a) + b = y + (a + b).
struct JoinShifts : OpRewritePattern<nn::AddOp>, WeightPattern {
  JoinShifts(MLIRContext *context, const Weights &weights)
      : OpRewritePattern(context), WeightPattern(weights) {}

  LogicalResult matchAndRewrite(nn::AddOp op,
                                PatternRewriter &rewriter) const override {
    auto add = op.getLhs().getDefiningOp<nn::AddOp>();
    if (!add || !add->hasOneUse() || known(add) || !known(op.getRhs()) ||
        !known(add.getRhs()) || add.getLhs().getType() != op.getType() ||
        !isPerChannel(op.getRhs(), op) || !isPerChannel(add.getRhs(), op))
      return failure();
    Math m(rewriter, op.getLoc());
    rewriter.replaceOp(op,
                       m.add(add.getLhs(), m.add(add.getRhs(), op.getRhs())));
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Evaluation
//===----------------------------------------------------------------------===//

using Numbers = std::vector<float>;

Numbers numbersOf(ElementsAttr value) {
  Numbers numbers;
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    for (float number : dense.getValues<float>())
      numbers.push_back(number);
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob()) {
      ArrayRef<float> data = blob->getDataAs<float>();
      numbers.assign(data.begin(), data.end());
    }
  }
  return numbers;
}

/// Evaluates weight expressions, each value once.
class Evaluator {
public:
  explicit Evaluator(const Weights &weights) : weights(weights) {}

  const Numbers &evaluate(Value value) {
    auto found = results.find(value);
    if (found != results.end())
      return *found->second;
    auto numbers = std::make_unique<Numbers>(compute(value.getDefiningOp()));
    return *(results[value] = std::move(numbers));
  }

private:
  Numbers compute(Operation *op);

  const Weights &weights;
  DenseMap<Value, std::unique_ptr<Numbers>> results;
};

/// For each element of `result`, in order, the position of the operand's
/// element with which it is computed.
SmallVector<int64_t> stridesFor(RankedTensorType operand,
                                RankedTensorType result) {
  SmallVector<int64_t> strides(result.getRank(), 0);
  int64_t stride = 1;
  for (int64_t d = operand.getRank(); d-- > 0;) {
    if (operand.getDimSize(d) != 1)
      strides[result.getRank() - operand.getRank() + d] = stride;
    stride *= operand.getDimSize(d);
  }
  return strides;
}

Numbers Evaluator::compute(Operation *op) {
  if (auto read = dyn_cast<nn::ReadOp>(op))
    return numbersOf(weights.lookup(read.getVariable()));
  if (auto constant = dyn_cast<nn::ConstantOp>(op))
    return numbersOf(constant.getValue());
  if (isa<nn::ReshapeOp>(op))
    return evaluate(op->getOperand(0));
  auto type = nn::tensorType(op->getResult(0));
  const Numbers *x[2] = {};
  SmallVector<int64_t> strides[2];
  for (unsigned k = 0; k < op->getNumOperands(); ++k) {
    x[k] = &evaluate(op->getOperand(k));
    strides[k] = stridesFor(nn::tensorType(op->getOperand(k)), type);
  }
  auto formula = [&](float a, float b) -> float {
    return llvm::TypeSwitch<Operation *, float>(op)
        .Case([&](nn::AddOp) { return a + b; })
        .Case([&](nn::SubtractOp) { return a - b; })
        .Case([&](nn::MultiplyOp) { return a * b; })
        .Case([&](nn::DivideOp) { return a / b; })
        .Case([&](nn::NegateOp) { return -a; })
        .Case([&](nn::SqrtOp) { return std::sqrt(a); })
        .Case([&](nn::RsqrtOp) { return 1 / std::sqrt(a); });
  };
  Numbers result(type.getNumElements());
  SmallVector<int64_t> index(type.getRank(), 0);
  int64_t position[2] = {0, 0};
  for (float &number : result) {
    number = formula((*x[0])[position[0]], x[1] ? (*x[1])[position[1]] : 0);
    for (int64_t d = type.getRank(); d-- > 0;) {
      bool isCarry = ++index[d] == type.getDimSize(d);
      int64_t steps = isCarry ? 1 - type.getDimSize(d) : 1;
      for (int k = 0; k < 2; ++k)
        if (x[k])
          position[k] += steps * strides[k][d];
      if (!isCarry)
        break;
      index[d] = 0;
    }
  }
  return result;
}

} // namespace

#define GEN_PASS_DEF_FOLDWEIGHTS
#include "passes/graph/Passes.h.inc"

namespace {
struct FoldWeights : impl::FoldWeightsBase<FoldWeights> {
  void runOnOperation() override;

private:
  void storeValues(func::FuncOp function, const Weights &weights);
  unsigned count = 0;
};
} // namespace

/// Gives each value of weights that something else reads a variable.
void FoldWeights::storeValues(func::FuncOp function, const Weights &weights) {
  Evaluator evaluator(weights);
  SmallVector<Operation *> folded;
  for (Operation &op : function.getBody().front())
    if (isArithmetic(&op) && isWeight(op.getResult(0), weights) &&
        llvm::any_of(op.getUsers(), [&](Operation *user) {
          return user->getNumResults() != 1 ||
                 !isWeight(user->getResult(0), weights);
        }))
      folded.push_back(&op);
  // One may be part of another: all are evaluated before any is replaced.
  for (Operation *op : folded)
    evaluator.evaluate(op->getResult(0));
  for (Operation *op : folded) {
    auto type = nn::tensorType(op->getResult(0));
    std::string name = "folded/" + std::to_string(count++);
    const Numbers &numbers = evaluator.evaluate(op->getResult(0));
    auto value = DenseResourceElementsAttr::get(
        type, name,
        HeapAsmResourceBlob::allocateAndCopyInferAlign<float>(
            ArrayRef<float>(numbers)));
    OpBuilder builder(function);
    nn::VariableOp::create(builder, op->getLoc(),
                           nn::VariableKind::non_trainable, name, type, value,
                           DictionaryAttr(), StringAttr());
    builder.setInsertionPoint(op);
    Value read = nn::ReadOp::create(builder, op->getLoc(), type, name);
    op->getResult(0).replaceAllUsesWith(read);
  }
}

void FoldWeights::runOnOperation() {
  ModuleOp module = getOperation();
  Weights weights;
  for (auto variable : module.getOps<nn::VariableOp>())
    if (variable.getValue())
      weights[variable.getName()] = *variable.getValue();
  // A variable that some function assigns is no constant.
  module.walk(
      [&](nn::AssignOp assign) { weights.erase(assign.getVariable()); });

  for (auto function : module.getOps<func::FuncOp>()) {
    RewritePatternSet patterns(&getContext());
    patterns.add<ScaleIntoWeights, JoinShifts>(&getContext(), weights);
    (void)applyPatternsGreedily(function, std::move(patterns));
    storeValues(function, weights);
    // The arithmetic is dead now, and so are reads.
    (void)applyPatternsGreedily(function, RewritePatternSet(&getContext()));
  }
  llvm::StringSet<> used;
  module.walk([&](nn::ReadOp read) { used.insert(read.getVariable()); });
  for (auto variable :
       llvm::make_early_inc_range(module.getOps<nn::VariableOp>()))
    if (!used.contains(variable.getName()))
      variable.erase();
}

} // namespace cornu::graph
