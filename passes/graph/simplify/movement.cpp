//===- movement.cpp - Ops that only move elements go where they cost least ===//

#include "passes/graph/Math.h"
#include "passes/graph/simplify/Simplify.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace cornu::graph {

namespace {

std::string equationOf(StringRef lhs, StringRef rhs, StringRef result) {
  return (lhs + "," + rhs + "->" + result).str();
}

/// contract "ab,..." of transpose [1, 0] x = contract "ba,..." of x.
struct TransposedOperand : OpRewritePattern<nn::ContractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::ContractOp op,
                                PatternRewriter &rewriter) const override {
    std::string labels[2] = {op.getLhsLabels().str(), op.getRhsLabels().str()};
    Value operands[2] = {op.getLhs(), op.getRhs()};
    bool changed = false;
    for (int k = 0; k < 2; ++k) {
      auto transpose = operands[k].getDefiningOp<nn::TransposeOp>();
      if (!transpose)
        continue;
      std::string before = labels[k];
      for (auto [i, axis] : llvm::enumerate(transpose.getPermutation()))
        labels[k][axis] = before[i];
      operands[k] = transpose.getInput();
      changed = true;
    }
    if (!changed)
      return failure();
    rewriter.replaceOpWithNewOp<nn::ContractOp>(
        op,
        rewriter.getStringAttr(
            equationOf(labels[0], labels[1], op.getResultLabels())),
        operands[0], operands[1]);
    return success();
  }
};

/// transpose of a contraction = a contraction with its result's labels in
/// another order.
struct TransposedContraction : OpRewritePattern<nn::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto contract = op.getInput().getDefiningOp<nn::ContractOp>();
    if (!contract || !contract->hasOneUse())
      return failure();
    std::string labels;
    for (int64_t axis : op.getPermutation())
      labels += contract.getResultLabels()[axis];
    rewriter.replaceOpWithNewOp<nn::ContractOp>(
        op,
        rewriter.getStringAttr(equationOf(contract.getLhsLabels(),
                                          contract.getRhsLabels(), labels)),
        contract.getLhs(), contract.getRhs());
    return success();
  }
};

/// Elementwise ops broadcast by themselves.
struct BroadcastOperand : RewritePattern {
  explicit BroadcastOperand(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!nn::isElementwise(op) || op->getNumOperands() < 2)
      return failure();
    ArrayRef<int64_t> result = nn::tensorType(op->getResult(0)).getShape();
    for (OpOperand &operand : op->getOpOperands()) {
      auto broadcast = operand.get().getDefiningOp<nn::BroadcastOp>();
      if (!broadcast)
        continue;
      nn::Shape shape(nn::tensorType(broadcast.getInput()).getShape());
      for (OpOperand &other : op->getOpOperands())
        if (&other != &operand)
          shape = *nn::broadcastShapes(shape,
                                       nn::tensorType(other.get()).getShape());
      if (ArrayRef<int64_t>(shape) != result)
        continue;
      rewriter.modifyOpInPlace(op, [&] { operand.set(broadcast.getInput()); });
      return success();
    }
    return failure();
  }
};

/// convolution(pad(x)) = a convolution with more padding.
struct PaddedConvolution : OpRewritePattern<nn::ConvolutionOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::ConvolutionOp op,
                                PatternRewriter &rewriter) const override {
    auto pad = op.getInput().getDefiningOp<nn::PadOp>();
    if (!pad || !pad.getValue().isZero() ||
        llvm::any_of(pad.getInterior(), [](int64_t n) { return n != 0; }))
      return failure();
    ArrayRef<int64_t> low = pad.getLow(), high = pad.getHigh();
    if (low.front() || high.front() || low.back() || high.back())
      return failure();
    SmallVector<int64_t> padding(op.getPadding());
    for (size_t d = 0; d < padding.size() / 2; ++d) {
      padding[2 * d] += low[d + 1];
      padding[2 * d + 1] += high[d + 1];
    }
    rewriter.replaceOpWithNewOp<nn::ConvolutionOp>(
        op, pad.getInput(), op.getKernel(), op.getStrides(), padding,
        op.getDilations(), op.getGroups());
    return success();
  }
};

/// x^2 = x x.
struct Square : OpRewritePattern<nn::PowerOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::PowerOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<double> exponent = splatNumber(op.getRhs());
    if (exponent != 2.0 || op.getLhs().getType() != op.getType())
      return failure();
    rewriter.replaceOpWithNewOp<nn::MultiplyOp>(op, op.getLhs(), op.getLhs());
    return success();
  }
};

/// A concatenation of many = one of concatenations of few. The analysis of
/// bufferization walks back from each part to all before it, for each pair of
/// them: tables with an input per column would take minutes.
struct ManyParts : OpRewritePattern<nn::ConcatenateOp> {
  using OpRewritePattern::OpRewritePattern;
  static constexpr size_t kMost = 16;

  LogicalResult matchAndRewrite(nn::ConcatenateOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getInputs().size() <= kMost)
      return failure();
    SmallVector<Value> inputs(op.getInputs()), joined;
    for (size_t i = 0; i < inputs.size(); i += kMost)
      joined.push_back(nn::ConcatenateOp::create(
          rewriter, op.getLoc(), op.getAxis(),
          ArrayRef(inputs).slice(i, std::min(kMost, inputs.size() - i))));
    rewriter.replaceOpWithNewOp<nn::ConcatenateOp>(op, op.getAxis(), joined);
    return success();
  }
};

/// A part of a tensor along one axis, zeros around it.
struct Part {
  Value value;
  int64_t axis, start, end;
};

std::optional<Part> matchPart(Value value) {
  auto pad = value.getDefiningOp<nn::PadOp>();
  if (!pad || !pad->hasOneUse() || !pad.getValue().isZero() ||
      llvm::any_of(pad.getInterior(), [](int64_t n) { return n != 0; }))
    return std::nullopt;
  std::optional<int64_t> axis;
  for (int64_t d = 0; d < static_cast<int64_t>(pad.getLow().size()); ++d) {
    if (pad.getLow()[d] == 0 && pad.getHigh()[d] == 0)
      continue;
    if (axis)
      return std::nullopt;
    axis = d;
  }
  if (!axis)
    return std::nullopt;
  int64_t start = pad.getLow()[*axis];
  return Part{pad.getInput(), *axis, start,
              start + nn::tensorType(pad.getInput()).getDimSize(*axis)};
}

/// The operands of a tree of additions.
void collectTerms(Value value, SmallVectorImpl<Value> &terms) {
  auto add = value.getDefiningOp<nn::AddOp>();
  if (add && add->hasOneUse() &&
      add.getLhs().getType() == add.getRhs().getType()) {
    collectTerms(add.getLhs(), terms);
    collectTerms(add.getRhs(), terms);
  } else {
    terms.push_back(value);
  }
}

/// A sum of padded parts that together fill the tensor = their concatenation:
/// the gradient of a tensor that was cut into slices.
struct SumOfParts : OpRewritePattern<nn::AddOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::AddOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> terms;
    collectTerms(op.getLhs(), terms);
    collectTerms(op.getRhs(), terms);
    SmallVector<Part> parts;
    for (Value term : terms) {
      std::optional<Part> part = matchPart(term);
      if (!part || term.getType() != op.getType() ||
          (!parts.empty() && parts[0].axis != part->axis))
        return failure();
      parts.push_back(*part);
    }
    llvm::sort(parts,
               [](const Part &a, const Part &b) { return a.start < b.start; });
    int64_t end = 0;
    SmallVector<Value> values;
    for (const Part &part : parts) {
      if (part.start != end)
        return failure();
      end = part.end;
      values.push_back(part.value);
    }
    if (end != cast<RankedTensorType>(op.getType()).getDimSize(parts[0].axis))
      return failure();
    rewriter.replaceOpWithNewOp<nn::ConcatenateOp>(
        op, rewriter.getI64IntegerAttr(parts[0].axis), values);
    return success();
  }
};

} // namespace

void addMovementPatterns(RewritePatternSet &patterns) {
  patterns.add<TransposedOperand, TransposedContraction, BroadcastOperand,
               PaddedConvolution, ManyParts, SumOfParts, Square>(
      patterns.getContext());
}

} // namespace cornu::graph
