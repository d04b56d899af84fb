//===- ScanDerivative.cpp - Derivative of nn.scan -------------------------===//

#include "passes/graph/derivatives/ScanDerivative.h"
#include "passes/graph/Autodiff.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace cornu::graph {

/// Cheaper to compute again than to store and load.
static bool isCheap(Operation *op) {
  if (isa<nn::ConstantOp, nn::IotaOp, nn::ReshapeOp, nn::BroadcastOp,
          nn::SliceOp, nn::BatchSizeOp>(op))
    return true;
  return nn::isElementwise(op) &&
         !isa<nn::ExpOp, nn::Expm1Op, nn::LogOp, nn::Log1pOp, nn::SinOp,
              nn::CosOp, nn::TanhOp, nn::SigmoidOp, nn::ErfOp, nn::SoftplusOp,
              nn::PowerOp, nn::DivideOp, nn::SqrtOp, nn::RsqrtOp>(op);
}

//===----------------------------------------------------------------------===//
// The vector-Jacobian product of one step
//===----------------------------------------------------------------------===//

LogicalResult ScanDerivative::differentiateBody() {
  scratch = cast<nn::ScanOp>(rule.builder.clone(*forward));
  body = scratch.getBodyBlock();
  Operation *yield = body->getTerminator();

  SmallVector<Seed> seeds;
  SmallVector<Value> variables;
  for (unsigned i = 0; i < numState(); ++i) {
    Value next = yield->getOperand(i);
    if (!isFloatTensor(next))
      continue;
    Value seed = body->addArgument(next.getType(), next.getLoc());
    stateSeeds.push_back(seed);
    seeds.push_back({next, seed});
    variables.push_back(body->getArgument(i));
  }
  for (unsigned i = numState(); i < yield->getNumOperands(); ++i) {
    Value output = yield->getOperand(i), gradient = rule.gradients[i];
    if (!gradient)
      continue;
    Value seed = body->addArgument(output.getType(), output.getLoc());
    outputSeeds[seed] = gradient;
    seeds.push_back({output, seed});
  }
  for (unsigned i = numState(); i < numArguments(); ++i)
    if (rule.needed[i] && isFloatTensor(body->getArgument(i)))
      variables.push_back(body->getArgument(i));

  // A rule may replace ops of f, so that f is told from its product by what
  // stands between them.
  OpBuilder builder(yield);
  Operation *border =
      nn::scalar(builder, forward.getLoc(), builder.getF32Type(), 0)
          .getDefiningOp();
  FailureOr<SmallVector<Value>> gradients =
      buildGradients(builder, seeds, variables);
  if (failed(gradients))
    return failure();
  for (Operation *op = &body->front(); op != border; op = op->getNextNode())
    forwardOps.insert(op);
  border->erase();

  auto next = gradients->begin();
  for (Value seed : stateSeeds) {
    Value gradient = *next++;
    stateGradients.push_back(
        gradient ? gradient
                 : Math(builder, forward.getLoc()).fillLike(seed, 0.0));
  }
  for (unsigned i = numState(); i < numArguments(); ++i) {
    Value argument = body->getArgument(i);
    bool hasGradient = rule.needed[i] && isFloatTensor(argument);
    (isInvariant(argument) ? invariantGradients : elementGradients)
        .push_back(hasGradient ? *next++ : Value());
  }
  return success();
}

//===----------------------------------------------------------------------===//
// What the backward body reads of the forward step
//===----------------------------------------------------------------------===//

/// Finds the ops of the vector-Jacobian product behind `roots`, and makes the
/// values of f that they read available.
void ScanDerivative::findLive(ArrayRef<Value> roots) {
  SmallVector<Value> work(roots);
  llvm::SetVector<Value> read;
  while (!work.empty()) {
    Value value = work.pop_back_val();
    Operation *op = value.getDefiningOp();
    if (isForward(value))
      read.insert(value);
    else if (op && live.insert(op))
      llvm::append_range(work, op->getOperands());
  }
  // Expensive values first: cheap ones may follow from them.
  SmallVector<Value> cheap;
  for (Value value : read) {
    Operation *op = value.getDefiningOp();
    if (op && isCheap(op))
      cheap.push_back(value);
    else
      require(value);
  }
  llvm::sort(cheap, [](Value a, Value b) {
    return a.getDefiningOp() != b.getDefiningOp() &&
           a.getDefiningOp()->isBeforeInBlock(b.getDefiningOp());
  });
  for (Value value : cheap)
    require(value);
  for (Value value : read)
    recompute(value);
}

/// True if the backward body can have the value without saving more.
bool ScanDerivative::isAvailable(Value value) {
  if (saved.contains(value))
    return true;
  if (Operation *op = value.getDefiningOp())
    return isCheap(op) && llvm::all_of(op->getOperands(), [&](Value operand) {
             return isAvailable(operand);
           });
  return !isStateArgument(value);
}

void ScanDerivative::require(Value value) {
  if (isAvailable(value))
    return;
  // Scalars cannot be stacked.
  Operation *op = value.getDefiningOp();
  if (op && nn::tensorType(value).getRank() == 0) {
    for (Value operand : op->getOperands())
      require(operand);
    return;
  }
  saved.insert(value);
}

/// Lists the ops of f that compute the value from what is available.
void ScanDerivative::recompute(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || saved.contains(value) || recomputed.contains(op))
    return;
  for (Value operand : op->getOperands())
    recompute(operand);
  recomputed.insert(op);
}

//===----------------------------------------------------------------------===//
// The two scans
//===----------------------------------------------------------------------===//

/// Replaces the forward scan by one that also stacks the saved values.
void ScanDerivative::buildForward() {
  if (saved.empty())
    return;
  OpBuilder builder(forward);
  auto replacement = nn::ScanOp::create(
      builder, forward.getLoc(), forward.getSteps(), forward.getReverse(),
      forward.getState(), forward.getSequences(), forward.getInvariants(),
      [&](OpBuilder &builder, Location, ValueRange state, ValueRange elements,
          ValueRange invariants) {
        IRMapping mapping;
        SmallVector<Value> arguments(state);
        llvm::append_range(arguments, elements);
        llvm::append_range(arguments, invariants);
        for (auto [i, argument] : llvm::enumerate(arguments))
          mapping.map(Value(body->getArgument(i)), argument);
        for (Operation *op : forwardOps)
          builder.clone(*op, mapping);
        SmallVector<Value> yielded;
        for (Value value : body->getTerminator()->getOperands())
          yielded.push_back(mapping.lookup(value));
        for (Value value : saved)
          yielded.push_back(mapping.lookup(value));
        return yielded;
      });
  replacement->setDiscardableAttrs(forward->getDiscardableAttrDictionary());
  unsigned numResults = forward->getNumResults();
  for (auto [i, value] : llvm::enumerate(saved))
    stacks[value] = replacement->getResult(numResults + i);
  forward->replaceAllUsesWith(replacement->getResults().take_front(numResults));
}

void ScanDerivative::buildBackward() {
  // The operands outside for the values that come into the body.
  SmallVector<Value> states(stateSeeds), stateOperands, elements,
      elementOperands, invariants, invariantOperands;
  for (unsigned i = 0; i < numState(); ++i) {
    if (!isFloatTensor(forward.getState()[i]))
      continue;
    Value gradient = rule.gradients[i];
    stateOperands.push_back(
        gradient ? gradient : rule.fillLike(forward.getState()[i], 0.0));
  }
  for (Value value : accumulated)
    stateOperands.push_back(rule.fillLike(value, 0.0));

  llvm::SetVector<Value> read;
  auto readOperands = [&](const llvm::SetVector<Operation *> &ops) {
    for (Operation *op : ops)
      read.insert(op->operand_begin(), op->operand_end());
  };
  readOperands(recomputed);
  readOperands(live);
  for (ArrayRef<Value> roots :
       {ArrayRef<Value>(stateGradients), emitted.getArrayRef(),
        accumulated.getArrayRef()})
    read.insert(roots.begin(), roots.end());
  for (Value value : read) {
    int64_t argument = argumentIndex(value);
    if (isInvariant(value)) {
      invariants.push_back(value);
      invariantOperands.push_back(forward->getOperand(argument));
    } else if (saved.contains(value)) {
      elements.push_back(value);
      elementOperands.push_back(stacks.lookup(value));
    } else if (argument >= 0) {
      elements.push_back(value);
      elementOperands.push_back(forward->getOperand(argument));
    } else if (Value gradient = outputSeeds.lookup(value)) {
      elements.push_back(value);
      elementOperands.push_back(gradient);
    }
  }

  auto buildBody = [&](OpBuilder &builder, Location loc, ValueRange state,
                       ValueRange element, ValueRange invariant) {
    IRMapping mapping;
    mapping.map(states, state.take_front(states.size()));
    mapping.map(elements, element);
    mapping.map(invariants, invariant);
    // In the order of the scratch body, in which f comes first.
    for (Operation &op : body->without_terminator())
      if (recomputed.contains(&op) || live.contains(&op))
        builder.clone(op, mapping);
    Math math(builder, loc);
    SmallVector<Value> yielded;
    for (Value value : stateGradients)
      yielded.push_back(mapping.lookup(value));
    for (auto [i, value] : llvm::enumerate(accumulated))
      yielded.push_back(
          math.add(state[states.size() + i], mapping.lookup(value)));
    for (Value value : emitted)
      yielded.push_back(mapping.lookup(value));
    return yielded;
  };
  backward = nn::ScanOp::create(
      rule.builder, forward.getLoc(), forward.getSteps(), !forward.getReverse(),
      stateOperands, elementOperands, invariantOperands, buildBody);
}

Gradients ScanDerivative::build() {
  if (failed(differentiateBody())) {
    scratch.erase();
    return {};
  }
  SmallVector<Later> elements, invariants;
  for (Value gradient : elementGradients)
    elements.push_back(gradient ? stacked(gradient) : Later());
  for (Value gradient : invariantGradients)
    invariants.push_back(gradient ? sumOverSteps(gradient) : Later());
  SmallVector<Value> roots(stateGradients);
  llvm::append_range(roots, emitted);
  llvm::append_range(roots, accumulated);
  findLive(roots);
  buildForward();
  buildBackward();

  Gradients gradients;
  unsigned nextState = 0;
  for (Value state : forward.getState())
    gradients.push_back(
        isFloatTensor(state) ? backward.getFinalState()[nextState++] : Value());
  for (const Later &later : elements)
    gradients.push_back(later ? later() : Value());
  for (const Later &later : invariants)
    gradients.push_back(later ? later() : Value());
  scratch.erase();
  return gradients;
}

} // namespace cornu::graph
