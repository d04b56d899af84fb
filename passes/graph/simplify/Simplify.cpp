//===- Simplify.cpp - Algebra on nn IR ------------------------------------===//

#include "passes/graph/simplify/Simplify.h"

#include "passes/graph/Passes.h"

#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace cornu::graph {

std::optional<double> splatNumber(Value value) {
  DenseElementsAttr constant;
  if (!matchPattern(value, m_Constant(&constant)) || !constant.isSplat())
    return std::nullopt;
  Type type = constant.getElementType();
  if (isa<FloatType>(type))
    return constant.getSplatValue<APFloat>().convertToDouble();
  if (type.isSignlessInteger() && !type.isInteger(1))
    return static_cast<double>(constant.getSplatValue<APInt>().getSExtValue());
  return std::nullopt;
}

void simplify(func::FuncOp function) {
  anchorBatchSize(function);
  RewritePatternSet patterns(function.getContext());
  addCrossEntropyPatterns(patterns);
  addLabelPatterns(patterns);
  addMovementPatterns(patterns);
  addScanPatterns(patterns);
  // A function that still changes after many rounds is as good as it gets.
  (void)applyPatternsGreedily(function, std::move(patterns));
}

#define GEN_PASS_DEF_SIMPLIFY
#include "passes/graph/Passes.h.inc"

namespace {
struct Simplify : impl::SimplifyBase<Simplify> {
  void runOnOperation() override { simplify(getOperation()); }
};
} // namespace

} // namespace cornu::graph
