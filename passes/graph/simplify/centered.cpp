//===- centered.cpp - Variances have no derivative for their mean
//----------===//
//
// To first order, the variance of x does not change with the mean that is
// subtracted:
//
//   d/dm mean((x - m)^2) = -2 mean(x - m) = 0   at m = mean(x)
//
// so that batch and layer normalization need no derivative along this path:
// one sum over the tensor less in each backward pass. The rewrite puts an
// nn.stop_gradient on the mean. Second derivatives would miss a term; the
// entries of a model do not take any.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Math.h"
#include "passes/graph/simplify/Simplify.h"

using namespace mlir;

namespace cornu::graph {

/// The mean behind reshapes.
static nn::ReduceOp meanBehind(Value value) {
  while (auto reshape = value.getDefiningOp<nn::ReshapeOp>())
    value = reshape.getInput();
  auto mean = value.getDefiningOp<nn::ReduceOp>();
  return mean && mean.getKind() == nn::ReductionKind::mean ? mean
                                                           : nn::ReduceOp();
}

void stopGradientsOfMeans(func::FuncOp function) {
  function.walk([](nn::ReduceOp variance) {
    if (variance.getKind() != nn::ReductionKind::mean)
      return;
    auto square = variance.getInput().getDefiningOp<nn::MultiplyOp>();
    if (!square || square.getLhs() != square.getRhs())
      return;
    auto centered = square.getLhs().getDefiningOp<nn::SubtractOp>();
    nn::ReduceOp mean =
        centered ? meanBehind(centered.getRhs()) : nn::ReduceOp();
    if (!mean || mean.getInput() != centered.getLhs() ||
        mean.getAxes() != variance.getAxes() ||
        centered.getType() != centered.getLhs().getType())
      return;
    OpBuilder builder(square);
    Math m(builder, centered.getLoc());
    Value constant = m.make<nn::StopGradientOp>(centered.getRhs());
    Value difference = m.subtract(centered.getLhs(), constant);
    square->setOperands({difference, difference});
  });
}

} // namespace cornu::graph
