//===- crossEntropy.cpp - Softmax and logarithm as one stable form --------===//

#include "passes/graph/Math.h"
#include "passes/graph/simplify/Simplify.h"

#include <cmath>

using namespace mlir;

namespace cornu::graph {

namespace {

/// softmax(x) / sum(softmax(x)) = softmax(x): probabilities sum to 1.
struct Renormalization : OpRewritePattern<nn::DivideOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::DivideOp op,
                                PatternRewriter &rewriter) const override {
    auto softmax = op.getLhs().getDefiningOp<nn::SoftmaxOp>();
    auto sum = op.getRhs().getDefiningOp<nn::ReduceOp>();
    if (!softmax || !sum || sum.getInput() != softmax ||
        sum.getKind() != nn::ReductionKind::sum || !sum.getKeepAxes() ||
        sum.getAxes() != ArrayRef<int64_t>{softmax.getAxisAttr().getInt()})
      return failure();
    rewriter.replaceOp(op, softmax);
    return success();
  }
};

/// argmax(softmax(x)) = argmax(x): the exponential keeps the order.
struct ArgmaxOfSoftmax : OpRewritePattern<nn::ArgmaxOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::ArgmaxOp op,
                                PatternRewriter &rewriter) const override {
    auto softmax = op.getInput().getDefiningOp<nn::SoftmaxOp>();
    if (!softmax || softmax.getAxis() != op.getAxis())
      return failure();
    rewriter.modifyOpInPlace(
        op, [&] { op.getInputMutable().assign(softmax.getInput()); });
    return success();
  }
};

/// The bounds of min(max(x, low), high), in either order.
struct Clip {
  Value input;
  double low, high;
};

template <typename Outer, typename Inner>
std::optional<Clip> matchClip(Value value) {
  auto outer = value.getDefiningOp<Outer>();
  auto inner = outer ? outer.getLhs().template getDefiningOp<Inner>() : Inner();
  if (!inner)
    return std::nullopt;
  auto outerBound = splatNumber(outer.getRhs());
  auto innerBound = splatNumber(inner.getRhs());
  if (!outerBound || !innerBound || inner.getLhs().getType() != outer.getType())
    return std::nullopt;
  bool isMinimum = std::is_same_v<Outer, nn::MinimumOp>;
  return Clip{inner.getLhs(), isMinimum ? *innerBound : *outerBound,
              isMinimum ? *outerBound : *innerBound};
}

/// log(clip(softmax(x), a, b)) = clip(log_softmax(x), log a, log b), with the
/// same gradient: zero where the probability is clipped.
struct LogOfClippedSoftmax : OpRewritePattern<nn::LogOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::LogOp op,
                                PatternRewriter &rewriter) const override {
    std::optional<Clip> clip =
        matchClip<nn::MinimumOp, nn::MaximumOp>(op.getInput());
    if (!clip)
      clip = matchClip<nn::MaximumOp, nn::MinimumOp>(op.getInput());
    if (!clip || clip->low <= 0)
      return failure();
    auto softmax = clip->input.getDefiningOp<nn::SoftmaxOp>();
    if (!softmax)
      return failure();
    Math m(rewriter, op.getLoc());
    Value y =
        m.make<nn::LogSoftmaxOp>(softmax.getAxisAttr(), softmax.getInput());
    y = m.maximum(y, m.number(y, std::log(clip->low)));
    y = m.minimum(y, m.number(y, std::log(clip->high)));
    rewriter.replaceOp(op, y);
    return success();
  }
};

} // namespace

void addCrossEntropyPatterns(RewritePatternSet &patterns) {
  patterns.add<Renormalization, ArgmaxOfSoftmax, LogOfClippedSoftmax>(
      patterns.getContext());
}

} // namespace cornu::graph
