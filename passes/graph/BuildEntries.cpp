//===- BuildEntries.cpp - The entry functions of a model ------------------===//
//
// Each entry is a sequence of steps on one block:
//
//   predict         forward
//   evaluate_step   forward, loss, metrics
//   train_step      forward, loss, metrics, gradients, optimizer, random step
//   gradients       forward, loss, metrics, gradients,            random step
//   apply_gradients                                    optimizer
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Autodiff.h"
#include "passes/graph/Math.h"
#include "passes/graph/Passes.h"
#include "passes/graph/Specialize.h"
#include "passes/graph/Variables.h"
#include "passes/graph/optimizer/Optimizer.h"
#include "passes/graph/simplify/Simplify.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace cornu::graph {

namespace {

/// The functions that an importer builds.
struct Model {
  explicit Model(ModuleOp module)
      : module(module), forward(module.lookupSymbol<func::FuncOp>("forward")),
        loss(module.lookupSymbol<func::FuncOp>("loss")),
        metrics(module.lookupSymbol<func::FuncOp>("metrics")) {
    for (auto variable : module.getOps<nn::VariableOp>()) {
      if (variable.getKind() == nn::VariableKind::trainable)
        trainable.push_back(variable);
      if (variable.getKind() == nn::VariableKind::random)
        random.push_back(variable);
    }
  }

  ModuleOp module;
  func::FuncOp forward, loss, metrics;
  SmallVector<nn::VariableOp> trainable, random;

  /// Results of @forward after the outputs are hidden: masks and losses of
  /// activities, which @loss and @metrics take as their last arguments.
  unsigned numHidden() {
    unsigned count = 0;
    for (unsigned i = 0; i < forward.getNumResults(); ++i)
      count += bool(forward.getResultAttr(i, "nn.hidden"));
    return count;
  }
  unsigned numOutputs() { return forward.getNumResults() - numHidden(); }
  /// The loss has arguments for the outputs, the targets, as many sample
  /// weights, and the hidden results.
  unsigned numTargets() {
    return (loss.getNumArguments() - forward.getNumResults()) / 2;
  }
  LogicalResult verify();
};

/// Builds one entry function.
class Entry {
public:
  Entry(Model &model, StringRef name)
      : model(model), builder(model.module.getContext()) {
    builder.setInsertionPointToEnd(model.module.getBody());
    Location loc = model.module.getLoc();
    function = func::FuncOp::create(builder, loc, name,
                                    builder.getFunctionType({}, {}));
    builder.setInsertionPointToEnd(function.addEntryBlock());
    end = func::ReturnOp::create(builder, loc);
    builder.setInsertionPoint(end);
  }

  void addForward(Mode mode);
  void addLoss(Mode mode);
  void addMetrics(Mode mode);
  /// The gradients of the loss for the trainable variables.
  FailureOr<SmallVector<Trained>> addGradients();
  LogicalResult addOptimizer(ArrayRef<Trained> variables);
  void advanceRandomState();

  Value readVariable(nn::VariableOp variable) {
    return nn::ReadOp::create(builder, variable.getLoc(), variable.getType(),
                              variable.getName());
  }
  Value addArgument(Type type, DictionaryAttr attributes, StringRef role);
  void addResult(Value value, DictionaryAttr attributes);
  DictionaryAttr named(StringRef name) {
    return builder.getDictionaryAttr(
        builder.getNamedAttr("nn.name", builder.getStringAttr(name)));
  }
  /// Sets the function's type and brings its variables into order.
  LogicalResult finish();

  SmallVector<Value> outputs, hidden;

private:
  /// Copies the body of `callee` to the end, for the mode.
  SmallVector<Value> inlineBody(func::FuncOp callee, ValueRange arguments,
                                Mode mode);

  Model &model;
  OpBuilder builder;
  func::FuncOp function;
  func::ReturnOp end;
  SmallVector<DictionaryAttr> resultAttributes;
  SmallVector<Value> lossArguments;
  Value loss;
};

} // namespace

LogicalResult Model::verify() {
  if (!forward)
    return module.emitError("has no function @forward");
  if (!loss)
    return success();
  if (loss.getNumArguments() < forward.getNumResults() ||
      (loss.getNumArguments() - forward.getNumResults()) % 2 != 0)
    return loss.emitError(
        "needs an argument for each output, then as many targets as sample "
        "weights, then one for each hidden result of @forward");
  auto result = loss.getNumResults() == 1
                    ? dyn_cast<RankedTensorType>(loss.getResultTypes()[0])
                    : RankedTensorType();
  if (!result || result.getRank() != 0)
    return loss.emitError("must return one scalar");
  if (metrics && metrics.getNumArguments() != loss.getNumArguments() + 1)
    return metrics.emitError("needs the loss and the arguments of @loss");
  return success();
}

//===----------------------------------------------------------------------===//
// Steps
//===----------------------------------------------------------------------===//

Value Entry::addArgument(Type type, DictionaryAttr attributes, StringRef role) {
  unsigned index = function.getNumArguments();
  NamedAttrList list(attributes);
  list.set("nn.role", builder.getStringAttr(role));
  (void)function.insertArgument(
      index, type, list.getDictionary(type.getContext()), function.getLoc());
  return function.getArgument(index);
}

void Entry::addResult(Value value, DictionaryAttr attributes) {
  end->insertOperands(end->getNumOperands(), value);
  resultAttributes.push_back(attributes);
}

SmallVector<Value> Entry::inlineBody(func::FuncOp callee, ValueRange arguments,
                                     Mode mode) {
  IRMapping mapping;
  mapping.map(callee.getArguments(), arguments);
  Block &body = callee.getBody().front();
  for (Operation &op : body.without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> results;
  for (Value value : body.getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(value));
  // Specialization replaces ops, the results among them: keep these in the
  // terminator meanwhile.
  unsigned first = end->getNumOperands();
  end->insertOperands(first, results);
  specialize(function, mode);
  results.assign(end->operand_begin() + first, end->operand_end());
  end->eraseOperands(first, end->getNumOperands() - first);
  return results;
}

void Entry::addForward(Mode mode) {
  SmallVector<Value> inputs;
  for (unsigned i = 0; i < model.forward.getNumArguments(); ++i)
    inputs.push_back(addArgument(model.forward.getArgumentTypes()[i],
                                 model.forward.getArgAttrDict(i), "input"));
  SmallVector<Value> results = inlineBody(model.forward, inputs, mode);
  outputs.assign(results.begin(), results.begin() + model.numOutputs());
  hidden.assign(results.begin() + model.numOutputs(), results.end());
}

void Entry::addLoss(Mode mode) {
  lossArguments = outputs;
  unsigned numVisible = outputs.size() + 2 * model.numTargets();
  for (unsigned i = outputs.size(); i < numVisible; ++i)
    lossArguments.push_back(addArgument(
        model.loss.getArgumentTypes()[i], model.loss.getArgAttrDict(i),
        i < outputs.size() + model.numTargets() ? "target" : "sample_weight"));
  llvm::append_range(lossArguments, hidden);
  loss = inlineBody(model.loss, lossArguments, mode).front();
}

void Entry::addMetrics(Mode mode) {
  if (!model.metrics)
    return;
  SmallVector<Value> arguments{loss};
  llvm::append_range(arguments, lossArguments);
  inlineBody(model.metrics, arguments, mode);
}

FailureOr<SmallVector<Trained>> Entry::addGradients() {
  // Derivatives of the simple form are simple. The loss may be rewritten: the
  // terminator keeps it meanwhile.
  end->insertOperands(end->getNumOperands(), loss);
  simplify(function);
  stopGradientsOfMeans(function);
  loss = end->getOperand(end->getNumOperands() - 1);
  end->eraseOperand(end->getNumOperands() - 1);
  // One value per variable, whatever the number of its reads.
  if (failed(promoteVariables(function)))
    return failure();
  llvm::StringMap<Value> reads;
  for (auto read : function.getOps<nn::ReadOp>())
    reads[read.getVariable()] = read.getResult();
  SmallVector<Trained> trained;
  SmallVector<Value> values;
  for (nn::VariableOp variable : model.trainable) {
    Value &value = reads[variable.getName()];
    if (!value) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(&function.getBody().front());
      value = readVariable(variable);
    }
    trained.push_back({variable.getName(), value, Value()});
    values.push_back(value);
  }
  // Before the assignments, which promotion has put to the end.
  for (Operation &op : function.getBody().front())
    if (isa<nn::AssignOp, func::ReturnOp>(op)) {
      builder.setInsertionPoint(&op);
      break;
    }
  FailureOr<SmallVector<Value>> gradients =
      buildGradients(builder, loss, values);
  if (failed(gradients))
    return failure();
  for (auto [variable, gradient] : llvm::zip_equal(trained, *gradients))
    variable.gradient = gradient;
  builder.setInsertionPoint(end);
  return trained;
}

LogicalResult Entry::addOptimizer(ArrayRef<Trained> variables) {
  return buildOptimizerStep(model.module, builder, variables);
}

// The state is {seed low, seed high, step, unused}.
void Entry::advanceRandomState() {
  for (nn::VariableOp variable : model.random) {
    Location loc = variable.getLoc();
    auto type = cast<RankedTensorType>(variable.getType());
    Value state = readVariable(variable);
    auto increment =
        DenseElementsAttr::get(type, ArrayRef<int32_t>{0, 0, 1, 0});
    Value one = nn::ConstantOp::create(builder, loc, type, increment);
    nn::AssignOp::create(builder, loc, variable.getName(),
                         Math(builder, loc).add(state, one));
  }
}

LogicalResult Entry::finish() {
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(),
                                                   end->getOperandTypes()));
  for (auto [i, attributes] : llvm::enumerate(resultAttributes))
    function.setResultAttrs(i, attributes);
  removeStopGradients(function);
  return promoteVariables(function);
}

//===----------------------------------------------------------------------===//
// Entries
//===----------------------------------------------------------------------===//

static LogicalResult buildPredict(Model &model) {
  Entry entry(model, "predict");
  entry.addForward(Mode::inference);
  for (auto [i, output] : llvm::enumerate(entry.outputs))
    entry.addResult(output, model.forward.getResultAttrDict(i));
  return entry.finish();
}

static LogicalResult buildEvaluateStep(Model &model) {
  Entry entry(model, "evaluate_step");
  entry.addForward(Mode::inference);
  entry.addLoss(Mode::inference);
  entry.addMetrics(Mode::inference);
  return entry.finish();
}

static LogicalResult buildTrainStep(Model &model) {
  Entry entry(model, "train_step");
  entry.addForward(Mode::training);
  entry.addLoss(Mode::training);
  entry.addMetrics(Mode::training);
  FailureOr<SmallVector<Trained>> trained = entry.addGradients();
  if (failed(trained) || failed(entry.addOptimizer(*trained)))
    return failure();
  entry.advanceRandomState();
  return entry.finish();
}

static LogicalResult buildGradientsEntry(Model &model) {
  Entry entry(model, "gradients");
  entry.addForward(Mode::training);
  entry.addLoss(Mode::training);
  entry.addMetrics(Mode::training);
  FailureOr<SmallVector<Trained>> trained = entry.addGradients();
  if (failed(trained))
    return failure();
  for (const Trained &variable : *trained)
    entry.addResult(variable.gradient, entry.named(variable.path));
  entry.advanceRandomState();
  return entry.finish();
}

static LogicalResult buildApplyGradients(Model &model) {
  Entry entry(model, "apply_gradients");
  SmallVector<Trained> trained;
  for (nn::VariableOp variable : model.trainable)
    trained.push_back(
        {variable.getName(), entry.readVariable(variable),
         entry.addArgument(variable.getType(), entry.named(variable.getName()),
                           "gradient")});
  if (failed(entry.addOptimizer(trained)))
    return failure();
  return entry.finish();
}

#define GEN_PASS_DEF_BUILDENTRIES
#include "passes/graph/Passes.h.inc"

namespace {
struct BuildEntries : impl::BuildEntriesBase<BuildEntries> {
  using BuildEntriesBase::BuildEntriesBase;

  void runOnOperation() override {
    Model model(getOperation());
    if (failed(model.verify()) || failed(buildPredict(model)))
      return signalPassFailure();
    bool evaluates = model.loss && !inferenceOnly;
    bool trains = evaluates && getOperation()->hasAttr("nn.optimizer");
    if (evaluates && failed(buildEvaluateStep(model)))
      return signalPassFailure();
    if (trains && failed(buildTrainStep(model)))
      return signalPassFailure();
    if (trains && !wholeStepsOnly &&
        (failed(buildGradientsEntry(model)) ||
         failed(buildApplyGradients(model))))
      return signalPassFailure();

    for (func::FuncOp function : {model.forward, model.loss, model.metrics})
      if (function)
        function.erase();
    if (!evaluates)
      removeTrainingState();
  }

  /// Removes what only training and evaluation use.
  void removeTrainingState() {
    if (auto results = getOperation().lookupSymbol("metric_results"))
      results->erase();
    for (auto variable :
         llvm::make_early_inc_range(getOperation().getOps<nn::VariableOp>()))
      if (variable.getKind() != nn::VariableKind::trainable &&
          variable.getKind() != nn::VariableKind::non_trainable)
        variable.erase();
    getOperation()->removeAttr("nn.optimizer");
  }
};
} // namespace

} // namespace cornu::graph
