//===- labels.cpp - Dimensions of a contraction that are one --------------===//
//
//   contract "btd,dhk->bthk" %x, %w        heads and their features, which
//   ->                                     stand together wherever they stand
//   %v = reshape %w : 256x4x64 -> 256x256
//   %y = contract "btd,dh->bth" %x, %v
//   reshape %y : ?x128x256 -> ?x128x4x64
//
// A product of matrices has one loop for its columns, of which a tile can take
// as many as it likes. Reshapes are views. What is elementwise stays with the
// product: reshapes sink below it.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Math.h"
#include "passes/graph/simplify/Simplify.h"

using namespace mlir;

namespace cornu::graph {

namespace {

/// A tensor of a contraction and its labels.
struct Labelled {
  std::string labels;
  RankedTensorType type;

  size_t find(char label) const { return labels.find(label); }
  bool has(char label) const { return find(label) != std::string::npos; }
  int64_t sizeOf(char label) const { return type.getDimSize(find(label)); }

  /// True if `first` and `second` stand together here, or not at all. The
  /// leading dimension is the batch.
  bool keepsTogether(char first, char second) const {
    if (!has(first) && !has(second))
      return true;
    return has(first) && find(first) + 1 < labels.size() &&
           labels[find(first) + 1] == second &&
           !ShapedType::isDynamic(sizeOf(first)) &&
           !ShapedType::isDynamic(sizeOf(second));
  }
  void merge(char first, char second) {
    if (!has(first))
      return;
    size_t place = find(first);
    SmallVector<int64_t> shape(type.getShape());
    shape[place] *= shape[place + 1];
    shape.erase(shape.begin() + place + 1);
    labels.erase(place + 1, 1);
    type = RankedTensorType::get(shape, type.getElementType());
  }
};

struct MergedLabels : OpRewritePattern<nn::ContractOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(nn::ContractOp op,
                                PatternRewriter &rewriter) const override {
    Labelled tensors[] = {
        {op.getLhsLabels().str(), nn::tensorType(op.getLhs())},
        {op.getRhsLabels().str(), nn::tensorType(op.getRhs())},
        {op.getResultLabels().str(), nn::tensorType(op.getResult())}};
    bool changed = false;
    while (std::optional<std::pair<char, char>> pair = findPair(tensors)) {
      for (Labelled &tensor : tensors)
        tensor.merge(pair->first, pair->second);
      changed = true;
    }
    if (!changed)
      return failure();
    Math m(rewriter, op.getLoc());
    Value merged = m.make<nn::ContractOp>(
        tensors[0].labels + "," + tensors[1].labels + "->" + tensors[2].labels,
        m.reshape(op.getLhs(), tensors[0].type),
        m.reshape(op.getRhs(), tensors[1].type));
    rewriter.replaceOp(op, m.reshape(merged, op.getType()));
    return success();
  }

  /// Two labels that are columns, or summed over: what the product is over both
  /// and what only the left operand has are rows, which a nest walks as one in
  /// any case.
  static std::optional<std::pair<char, char>>
  findPair(ArrayRef<Labelled> tensors) {
    const Labelled &rhs = tensors[1];
    for (size_t i = 0; i + 1 < rhs.labels.size(); ++i) {
      char first = rhs.labels[i], second = rhs.labels[i + 1];
      bool everywhere = tensors[0].has(first) && tensors[2].has(first);
      if (!everywhere && llvm::all_of(tensors, [&](const Labelled &tensor) {
            return tensor.keepsTogether(first, second);
          }))
        return std::make_pair(first, second);
    }
    return std::nullopt;
  }
};

/// f(reshape(x), y) = reshape(f(x, reshape(y))) where x is a product.
struct SunkReshape : RewritePattern {
  explicit SunkReshape(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), 1, context) {}

  /// The shapes that an operand takes on its way below the reshape.
  struct Shapes {
    /// Broadcast to the merged dimensions, where it had a part of them.
    SmallVector<int64_t> broadcast;
    SmallVector<int64_t> merged;
  };

  /// For an operand of `shape` that is broadcast to `result`, whose dimensions
  /// [at, at + count) become one.
  static Shapes shapesFor(ArrayRef<int64_t> shape, ArrayRef<int64_t> result,
                          size_t at, size_t count) {
    size_t missing = result.size() - shape.size();
    if (at + count <= missing)
      return {llvm::to_vector(shape), llvm::to_vector(shape)};
    // From the first dimension that becomes one, or from one before it.
    SmallVector<int64_t> whole(shape);
    if (missing > at)
      whole.insert(whole.begin(), missing - at, 1);
    size_t first = at - std::min(missing, at);
    auto inside = MutableArrayRef(whole).slice(first, count);
    bool isOne = llvm::all_of(inside, [](int64_t size) { return size == 1; });
    if (!isOne)
      llvm::copy(result.slice(at, count), inside.begin());
    Shapes shapes{isOne ? llvm::to_vector(shape) : whole, whole};
    shapes.merged[first] = llvm::product_of(inside);
    shapes.merged.erase(shapes.merged.begin() + first + 1,
                        shapes.merged.begin() + first + count);
    return shapes;
  }

  /// True if `value` is a product, or what is elementwise after one.
  static bool endsProduct(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || !op->hasOneUse())
      return false;
    if (isa<nn::ContractOp>(op))
      return true;
    return nn::isElementwise(op) &&
           llvm::any_of(op->getOperands(), [&](Value operand) {
             return operand.getType() == value.getType() &&
                    endsProduct(operand);
           });
  }

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!nn::isElementwise(op) || op->getNumResults() != 1)
      return failure();
    RankedTensorType result = nn::tensorType(op->getResult(0));
    for (Value operand : op->getOperands()) {
      auto reshape = operand.getDefiningOp<nn::ReshapeOp>();
      if (!reshape || !reshape->hasOneUse() ||
          reshape.getType().getShape() != result.getShape())
        continue;
      if (endsProduct(reshape.getInput()) &&
          succeeded(sink(op, reshape, rewriter)))
        return success();
    }
    return failure();
  }

  static LogicalResult sink(Operation *op, nn::ReshapeOp reshape,
                            PatternRewriter &rewriter) {
    ArrayRef<int64_t> from = nn::tensorType(reshape.getInput()).getShape();
    ArrayRef<int64_t> to = reshape.getType().getShape();
    // One dimension becomes several.
    if (from.size() >= to.size())
      return failure();
    size_t count = to.size() - from.size() + 1, at = 0;
    while (at < from.size() && from[at] == to[at])
      ++at;
    if (at == from.size() ||
        from.drop_front(at + 1) != to.drop_front(at + count))
      return failure();
    // A batch that takes part in it is not one of the equal dimensions.
    int64_t product = 1;
    for (int64_t size : to.slice(at, count))
      product *= ShapedType::isDynamic(size) ? 0 : size;
    if (product == 0 || product != from[at])
      return failure();
    SmallVector<Shapes> shapes;
    for (Value operand : op->getOperands()) {
      ArrayRef<int64_t> shape = nn::tensorType(operand).getShape();
      shapes.push_back(shapesFor(shape, to, at, count));
      // Only what is small is worth it.
      if (ArrayRef<int64_t>(shapes.back().broadcast) != shape &&
          llvm::any_of(shapes.back().broadcast, ShapedType::isDynamic))
        return failure();
    }
    Math m(rewriter, op->getLoc());
    SmallVector<Value> operands;
    for (auto [operand, shape] : llvm::zip(op->getOperands(), shapes)) {
      RankedTensorType type = nn::tensorType(operand);
      Value value = operand;
      if (ArrayRef<int64_t>(shape.broadcast) != type.getShape())
        value = m.make<nn::BroadcastOp>(type.clone(shape.broadcast), value,
                                        Value());
      operands.push_back(operand == reshape.getResult()
                             ? reshape.getInput()
                             : m.reshape(value, type.clone(shape.merged)));
    }
    RankedTensorType result = nn::tensorType(op->getResult(0));
    OperationState state(op->getLoc(), op->getName(), operands,
                         RankedTensorType::get(from, result.getElementType()),
                         op->getAttrs());
    rewriter.replaceOp(op,
                       m.reshape(rewriter.create(state)->getResult(0), result));
    return success();
  }
};

} // namespace

void addLabelPatterns(RewritePatternSet &patterns) {
  patterns.add<MergedLabels, SunkReshape>(patterns.getContext());
}

} // namespace cornu::graph
