//===- control.cpp - Derivative of nn.scan --------------------------------===//
//
// The derivative of a recurrence is a recurrence that runs backward:
//
//   forward   (s', o) = f(s, x, w)                 for t = 0, 1, ...
//   backward  (ds, dx, dw) = vjp f(s, x, w)(ds', do)   for t = ..., 1, 0
//
// where ds is the state, do a sequence, dx an output. What the backward body
// reads of the forward step comes in as sequences: the state, and those
// intermediate values that are expensive to compute (contractions, exp, ...).
// The forward scan is replaced by one that stacks these values as outputs;
// cheap values are computed again.
//
// dw is a sum over the steps. Where each step's part is a contraction or a sum
// over the batch, the backward scan stacks the factors, and one contraction
// over batch and time after the scan does the work of all steps at once:
//
//   sum_t contract "bi,bu->iu" %x_t, %dz_t  =  contract "bti,btu->iu" %x, %dz
//
// Anything else is accumulated in a state.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Autodiff.h"
#include "passes/graph/Derivatives.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

#include <functional>

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

static bool isFloatTensor(Value value) {
  return isa<FloatType>(nn::elementType(value));
}

namespace {

/// Builds the two scans for one forward scan.
///
/// The work happens on `scratch`, a copy of the forward scan whose body is f
/// followed by its vector-Jacobian product. The body's arguments are those of
/// f, then the seeds: one for each float state and each output with a
/// gradient. The two new scans are cut out of this body.
class ScanDerivative {
public:
  ScanDerivative(nn::ScanOp forward, const Rule &rule)
      : forward(forward), rule(rule) {}

  /// The gradients of the forward scan's operands; empty on failure.
  Gradients build();

private:
  /// Builds something after the backward scan.
  using Later = std::function<Value()>;

  LogicalResult differentiateBody();
  Later sumOverSteps(Value value);
  Later sumOfContraction(nn::ContractOp op);
  Later stacked(Value value);
  Value repeated(Value value);
  void findLive(ArrayRef<Value> roots);
  void require(Value value);
  bool isAvailable(Value value);
  void recompute(Value value);
  void buildForward();
  void buildBackward();

  unsigned numState() { return forward.getState().size(); }
  unsigned numArguments() { return forward->getNumOperands(); }
  /// The operand of the forward scan behind an argument of f; -1 for others.
  int64_t argumentIndex(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getArgNumber() < numArguments()
               ? static_cast<int64_t>(argument.getArgNumber())
               : -1;
  }
  bool isStateArgument(Value value) {
    int64_t i = argumentIndex(value);
    return i >= 0 && i < numState();
  }
  bool isInvariant(Value value) {
    int64_t first = numState() + forward.getSequences().size();
    return argumentIndex(value) >= first;
  }
  bool isForward(Value value) {
    Operation *op = value.getDefiningOp();
    return op ? forwardOps.contains(op) : argumentIndex(value) >= 0;
  }

  nn::ScanOp forward;
  const Rule &rule;

  nn::ScanOp scratch;
  Block *body = nullptr;
  llvm::SetVector<Operation *> forwardOps;
  SmallVector<Value> stateSeeds;      // of the float states
  DenseMap<Value, Value> outputSeeds; // seed -> gradient outside
  SmallVector<Value> stateGradients;  // of the float states
  SmallVector<Value> elementGradients, invariantGradients; // or null

  llvm::SetVector<Value> saved;                // stacked by the forward scan
  llvm::SetVector<Operation *> recomputed;     // of f, in the backward body
  llvm::SetVector<Operation *> live;           // of the vjp
  llvm::SetVector<Value> emitted, accumulated; // by the backward scan

  DenseMap<Value, Value> stacks; // saved value -> its stack
  nn::ScanOp backward;
};

} // namespace

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
// Values of all steps at once
//===----------------------------------------------------------------------===//

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

static Gradients scan(nn::ScanOp op, const Rule &rule) {
  return ScanDerivative(op, rule).build();
}

void attachControlDerivatives(MLIRContext *context) {
  attachRule<nn::ScanOp, scan>(context);
}

} // namespace cornu::graph
