//===- KernelCost.cpp - What it costs to run a kernel once more -----------===//

#include "passes/graph/rematerialize/KernelCost.h"

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

using namespace mlir;

namespace cornu::graph {

static double elementsOf(Value value) {
  RankedTensorType type = nn::tensorType(value);
  return type.hasStaticShape() ? double(type.getNumElements()) : 0;
}

/// Multiply-adds of a contraction: the product of the sizes of all letters.
static double workOf(nn::ContractOp op) {
  double work = elementsOf(op.getResult());
  for (auto [label, size] :
       llvm::zip(op.getLhsLabels(), nn::tensorType(op.getLhs()).getShape()))
    if (!op.getResultLabels().contains(label))
      work *= double(size);
  return work;
}

/// Multiply-adds of a convolution: an element of the output takes a filter.
static double workOf(nn::ConvolutionOp op) {
  double filters = double(nn::tensorType(op.getKernel()).getShape().back());
  return elementsOf(op.getResult()) * elementsOf(op.getKernel()) / filters;
}

double costOf(func::FuncOp kernel) {
  // Gradients are read where they are made: nobody computes them again.
  // An element that is read or written costs as much as so many
  // multiply-adds: what a core computes while the memory brings it.
  constexpr double kElement = 8;
  double cost = 0;
  for (Operation &op : kernel.getBody().front()) {
    if (auto contract = dyn_cast<nn::ContractOp>(op))
      cost += workOf(contract);
    else if (auto convolution = dyn_cast<nn::ConvolutionOp>(op))
      cost += workOf(convolution);
    else if (isa<func::ReturnOp>(op))
      for (Value operand : op.getOperands())
        cost += kElement * elementsOf(operand);
  }
  for (Value argument : kernel.getArguments())
    cost += kElement * elementsOf(argument);
  return cost;
}

} // namespace cornu::graph
