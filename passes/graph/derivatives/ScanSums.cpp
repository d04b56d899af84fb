//===- ScanSums.cpp - Gradients of what all steps of a scan share ---------===//
//
// A sum over the steps, after the backward scan where that is possible.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/derivatives/ScanDerivative.h"

using namespace mlir;

namespace cornu::graph {

/// A letter that the equation does not use, for the time axis.
static char unusedLetter(StringRef equation) {
  for (char c : StringRef("tTsSxyzwuvpqrXYZWUVPQRabcdefghijklmno"))
    if (!equation.contains(c))
      return c;
  llvm_unreachable("an equation with all letters");
}

static std::string withTime(StringRef labels, char time) {
  return (labels.take_front(1) + StringRef(&time, 1) + labels.drop_front(1))
      .str();
}

/// A value that is the same in each step, stacked.
Value ScanDerivative::repeated(Value value) {
  auto type = nn::tensorType(value);
  nn::Shape shape(type.getShape());
  shape.insert(shape.begin() + 1, 1);
  Value expanded = rule.reshape(value, type.clone(shape));
  shape[1] = forward.getSteps();
  return rule.make<nn::BroadcastOp>(type.clone(shape), expanded);
}

/// The stack of a value over all steps, (d0, T, ...).
ScanDerivative::Later ScanDerivative::stacked(Value value) {
  int64_t argument = argumentIndex(value);
  if (isInvariant(value))
    return [=] { return repeated(forward->getOperand(argument)); };
  if (argument >= 0 && !isStateArgument(value))
    return [=] { return forward->getOperand(argument); };
  if (Value outside = outputSeeds.lookup(value))
    return [=] { return outside; };
  if (isForward(value)) {
    saved.insert(value);
    return [=] { return stacks.lookup(value); };
  }
  // A contraction of a step's value with an invariant: one for all steps.
  auto op = value.getDefiningOp<nn::ContractOp>();
  if (op && isInvariant(op.getRhs()) && !isInvariant(op.getLhs()) &&
      op.getLhsLabels().take_front() == op.getResultLabels().take_front() &&
      !op.getLhsLabels().empty()) {
    Later lhs = stacked(op.getLhs());
    Value rhs = forward->getOperand(argumentIndex(op.getRhs()));
    char t = unusedLetter(op.getEquation());
    std::string equation = withTime(op.getLhsLabels(), t) + "," +
                           op.getRhsLabels().str() + "->" +
                           withTime(op.getResultLabels(), t);
    return [=] {
      return rule.make<nn::ContractOp>(rule.builder.getStringAttr(equation),
                                       lhs(), rhs);
    };
  }
  emitted.insert(value);
  return [=] {
    auto index = llvm::find(emitted, value) - emitted.begin();
    return Value(backward.getOutputs()[index]);
  };
}

ScanDerivative::Later ScanDerivative::sumOfContraction(nn::ContractOp op) {
  Value lhs = op.getLhs(), rhs = op.getRhs();
  std::string equation = op.getEquation().str();
  if (isInvariant(lhs) || isInvariant(rhs)) {
    auto operand = [&](Value value) -> Later {
      if (!isInvariant(value))
        return sumOverSteps(value);
      Value outside = forward->getOperand(argumentIndex(value));
      return [=] { return outside; };
    };
    Later left = operand(lhs), right = operand(rhs);
    return [=] {
      return rule.make<nn::ContractOp>(rule.builder.getStringAttr(equation),
                                       left(), right());
    };
  }
  char t = unusedLetter(equation);
  equation = withTime(op.getLhsLabels(), t) + "," +
             withTime(op.getRhsLabels(), t) + "->" + op.getResultLabels().str();
  Later left = stacked(lhs), right = stacked(rhs);
  return [=] {
    return rule.make<nn::ContractOp>(rule.builder.getStringAttr(equation),
                                     left(), right());
  };
}

/// The sum of a value over all steps.
ScanDerivative::Later ScanDerivative::sumOverSteps(Value value) {
  Operation *op = value.getDefiningOp();
  bool isProduct = op && !forwardOps.contains(op);
  if (isProduct) {
    if (auto add = dyn_cast<nn::AddOp>(op);
        add && add.getLhs().getType() == add.getRhs().getType()) {
      Later lhs = sumOverSteps(add.getLhs()), rhs = sumOverSteps(add.getRhs());
      return [=] { return rule.add(lhs(), rhs()); };
    }
    auto pad = dyn_cast<nn::PadOp>(op);
    if (isa<nn::ReshapeOp, nn::TransposeOp, nn::SliceOp, nn::ReverseOp,
            nn::NegateOp>(op) ||
        (pad && pad.getValue().isZero())) {
      Later input = sumOverSteps(op->getOperand(0));
      return [=] {
        IRMapping mapping;
        mapping.map(op->getOperand(0), input());
        return rule.builder.clone(*op, mapping)->getResult(0);
      };
    }
    auto contract = dyn_cast<nn::ContractOp>(op);
    if (contract && !contract.getLhsLabels().empty() &&
        !contract.getRhsLabels().empty() &&
        !(isInvariant(contract.getLhs()) && isInvariant(contract.getRhs())))
      return sumOfContraction(contract);
    auto reduce = dyn_cast<nn::ReduceOp>(op);
    if (reduce && reduce.getKind() == nn::ReductionKind::sum &&
        !isInvariant(reduce.getInput())) {
      SmallVector<int64_t> axes{1};
      for (int64_t axis : reduce.getAxes())
        axes.push_back(axis == 0 ? 0 : axis + 1);
      llvm::sort(axes);
      Later input = stacked(reduce.getInput());
      return [=] {
        return rule.reshape(rule.sum(input(), axes), value.getType());
      };
    }
  }
  if (!nn::tensorType(value).hasStaticShape() && !isInvariant(value)) {
    Later stack = stacked(value);
    return [=] { return rule.sum(stack(), {1}); };
  }
  accumulated.insert(value);
  return [=] {
    auto index = llvm::find(accumulated, value) - accumulated.begin();
    return Value(backward.getFinalState()[stateSeeds.size() + index]);
  };
}

} // namespace cornu::graph
