//===- Autodiff.cpp - Reverse-mode differentiation of nn IR ---------------===//

#include "passes/graph/Autodiff.h"

#include "passes/graph/Math.h"

#include "llvm/ADT/DenseSet.h"

using namespace mlir;

namespace cornu::graph {

static bool isFloatTensor(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && isa<FloatType>(type.getElementType());
}

/// The ops before the builder's position, in order.
static SmallVector<Operation *> opsBefore(OpBuilder &builder) {
  SmallVector<Operation *> ops;
  Block *block = builder.getInsertionBlock();
  for (auto it = block->begin(); it != builder.getInsertionPoint(); ++it)
    ops.push_back(&*it);
  return ops;
}

/// The values that an op reads, those of enclosing blocks in its regions
/// included.
static SmallVector<Value> valuesRead(Operation *op) {
  SmallVector<Value> values(op->getOperands());
  if (op->getNumRegions() == 0 || op->hasTrait<OpTrait::IsIsolatedFromAbove>())
    return values;
  op->walk([&](Operation *inner) {
    llvm::append_range(values, inner->getOperands());
  });
  return values;
}

/// The floating-point values that depend on `variables`.
static llvm::DenseSet<Value> dependents(ArrayRef<Operation *> ops,
                                        ArrayRef<Value> variables) {
  llvm::DenseSet<Value> active(variables.begin(), variables.end());
  for (Operation *op : ops) {
    if (isa<nn::StopGradientOp>(op) ||
        llvm::none_of(valuesRead(op),
                      [&](Value value) { return active.contains(value); }))
      continue;
    for (Value result : op->getResults())
      if (isFloatTensor(result))
        active.insert(result);
  }
  return active;
}

namespace {
/// The gradient of each value, summed over its uses.
class GradientSums {
public:
  void add(OpBuilder &builder, Location loc, Value value, Value gradient) {
    assert(value.getType() == gradient.getType() &&
           "a rule returned a gradient of another type than the operand's");
    Value &sum = sums[value];
    sum = sum ? Math(builder, loc).add(sum, gradient) : gradient;
  }
  Value lookup(Value value) const { return sums.lookup(value); }

private:
  DenseMap<Value, Value> sums;
};
} // namespace

FailureOr<SmallVector<Value>> buildGradients(OpBuilder &builder,
                                             ArrayRef<Seed> seeds,
                                             ArrayRef<Value> variables) {
  SmallVector<Operation *> ops = opsBefore(builder);
  llvm::DenseSet<Value> active = dependents(ops, variables);
  GradientSums sums;
  for (const Seed &seed : seeds)
    if (active.contains(seed.value))
      sums.add(builder, seed.value.getLoc(), seed.value, seed.gradient);

  for (Operation *op : llvm::reverse(ops)) {
    SmallVector<Value> resultGradients;
    for (Value result : op->getResults())
      resultGradients.push_back(sums.lookup(result));
    if (llvm::none_of(resultGradients, [](Value g) { return bool(g); }))
      continue;
    SmallVector<bool> needed;
    for (Value operand : op->getOperands())
      needed.push_back(active.contains(operand));
    if (llvm::none_of(valuesRead(op),
                      [&](Value value) { return active.contains(value); }))
      continue;
    auto differentiable = dyn_cast<nn::DifferentiableOpInterface>(op);
    if (!differentiable)
      return op->emitError("no derivative for '")
             << op->getName() << "', on which the loss depends";
    // The op may be replaced by its rule, its operands stay.
    SmallVector<Value> operands(op->getOperands());
    SmallVector<Value> gradients =
        differentiable.buildGradients(builder, resultGradients, needed);
    if (gradients.size() != operands.size())
      return op->emitError("cannot differentiate '") << op->getName() << "'";
    for (auto [operand, gradient, isNeeded] :
         llvm::zip_equal(operands, gradients, needed))
      if (gradient && isNeeded)
        sums.add(builder, op->getLoc(), operand, gradient);
  }

  SmallVector<Value> results;
  for (Value variable : variables)
    results.push_back(sums.lookup(variable));
  // What rules have replaced.
  for (Operation *op : llvm::reverse(ops))
    if (isa<nn::ScanOp>(op) && op->use_empty())
      op->erase();
  return results;
}

FailureOr<SmallVector<Value>> buildGradients(OpBuilder &builder, Value scalar,
                                             ArrayRef<Value> variables) {
  Math math(builder, scalar.getLoc());
  // Counted among the ops before the position, but not on any path.
  Value one = math.number(scalar, 1.0);
  FailureOr<SmallVector<Value>> gradients =
      buildGradients(builder, Seed{scalar, one}, variables);
  if (failed(gradients))
    return failure();
  for (auto [gradient, variable] : llvm::zip_equal(*gradients, variables))
    if (!gradient)
      gradient = math.fillLike(variable, 0.0);
  return gradients;
}

} // namespace cornu::graph
