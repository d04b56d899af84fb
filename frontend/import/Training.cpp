//===- Training.cpp - @loss, @metrics and @metric_results -----------------===//

#include "frontend/import/TrainingPlan.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

namespace {

/// @loss and @metrics take the same arguments, but for the loss itself.
class TrainingBuilder {
public:
  TrainingBuilder(ModelBuilder &model, ArrayRef<Output> outputs,
                  TrainingPlan plan)
      : model(model), outputs(outputs), plan(std::move(plan)) {}
  void run();

private:
  func::FuncOp begin(StringRef name, bool withLoss, TypeRange results);
  Comparison comparison(size_t output) const;
  Value regularization(Math &m);
  void buildLoss();
  void buildMetrics();
  void buildResults();
  std::string lossKey(size_t output) const {
    return outputs[output].name + "_loss";
  }
  bool tracksLosses() const {
    return llvm::count_if(plan.losses, [](auto &l) { return bool(l); }) > 1;
  }
  Math math() {
    return Math(model.builder, model.locationOf("loss"),
                [this](const std::string &message) {
                  model.diagnostics.error({}, nullptr, "loss: " + message);
                });
  }

  ModelBuilder &model;
  ArrayRef<Output> outputs;
  TrainingPlan plan;
  /// That of the predictions: a model of float64 has a loss of float64.
  Type lossType;
  Value totalLoss;
  SmallVector<Value> predictions, targets, weights, hidden;
};

} // namespace

// Arguments: [loss], predictions, targets, sample weights, hidden values.
func::FuncOp TrainingBuilder::begin(StringRef name, bool withLoss,
                                    TypeRange results) {
  OpBuilder &b = model.builder;
  auto weight = RankedTensorType::get({ShapedType::kDynamic}, b.getF32Type());
  SmallVector<Type> types;
  if (withLoss)
    types.push_back(lossType);
  for (const Output &output : outputs)
    types.push_back(output.type);
  SmallVector<const Output *> compared;
  for (const Output &output : outputs)
    if (output.compared)
      compared.push_back(&output);
  for (const Output *output : compared)
    types.push_back(output->target);
  types.append(compared.size(), weight);
  size_t firstHidden = types.size();
  for (Type type : model.hiddenTypes)
    types.push_back(type);
  b.setInsertionPointToEnd(model.module->getBody());
  auto function = func::FuncOp::create(b, model.locationOf(name), name,
                                       b.getFunctionType(types, results));
  Block *entry = function.addEntryBlock();
  b.setInsertionPointToStart(entry);
  ArrayRef<BlockArgument> arguments = entry->getArguments();
  size_t at = 0;
  if (withLoss)
    totalLoss = arguments[at++];
  auto take = [&](SmallVector<Value> &list, size_t count) {
    list.assign(arguments.begin() + at, arguments.begin() + at + count);
    at += count;
  };
  size_t firstTarget = at + outputs.size();
  take(predictions, outputs.size());
  take(targets, compared.size());
  take(weights, compared.size());
  take(hidden, model.hiddenTypes.size());
  for (auto [i, output] : llvm::enumerate(compared)) {
    function.setArgAttr(firstTarget + i, "nn.name",
                        b.getStringAttr(output->name));
    if (output->classIndices)
      function.setArgAttr(firstTarget + i, "nn.upper_bound",
                          b.getI64IntegerAttr(output->type.getShape().back()));
  }
  for (size_t i = firstHidden; i < types.size(); ++i)
    function.setArgAttr(i, "nn.hidden", b.getUnitAttr());
  return function;
}

Comparison TrainingBuilder::comparison(size_t output) const {
  size_t mask = 0, at = 0;
  for (size_t i = 0; i < output; ++i) {
    mask += outputs[i].hasMask;
    at += outputs[i].compared;
  }
  Comparison out{predictions[output], targets[at], weights[at], {}};
  if (outputs[output].hasMask)
    out.mask = hidden[mask];
  return out;
}

// Weight regularizers of trainable variables.
Value TrainingBuilder::regularization(Math &m) {
  Value total;
  auto add = [&](Value term) {
    if (term)
      total = total ? m.add(total, term) : term;
  };
  for (Variable *variable : model.sortedVariables()) {
    if (!variable->regularizer)
      continue;
    const Json &spec = *variable->regularizer;
    NamedObject object = namedObject(spec);
    StringRef name = object.className;
    auto factor = [&](StringRef key, double missing) {
      return object.config->at(key).asNumber().value_or(missing);
    };
    double l1 = 0, l2 = 0;
    if (name == "L1" || name == "l1")
      l1 = factor("l1", 0.01);
    else if (name == "L2" || name == "l2")
      l2 = factor("l2", 0.01);
    else if (name == "L1L2" || name == "l1_l2")
      l1 = factor("l1", 0), l2 = factor("l2", 0);
    else
      model.diagnostics.error(variable->path, &spec,
                              "the regularizer " + name + " is not supported",
                              "L1, L2 or L1L2");
    if (l1 == 0 && l2 == 0)
      continue;
    auto type = RankedTensorType::get(variable->shape, variable->type);
    Value w =
        nn::ReadOp::create(model.builder, m.getLoc(), type, variable->path);
    if (l1 != 0)
      add(m.multiply(m.sumAll(m.absolute(w)), l1));
    if (l2 != 0)
      add(m.multiply(m.sumAll(m.square(w)), l2));
  }
  // Activity losses come after the masks.
  size_t masks = llvm::count_if(outputs, [](auto &o) { return o.hasMask; });
  for (Value activity : llvm::drop_begin(hidden, masks))
    add(activity);
  return total;
}

void TrainingBuilder::buildLoss() {
  func::FuncOp function = begin("loss", false, {});
  Math m = math();
  Value total;
  for (auto [i, spec] : llvm::enumerate(plan.losses)) {
    if (!spec)
      continue;
    Value loss = reducedLoss(model, m, *spec, comparison(i));
    if (!loss)
      return;
    if (spec->weight != 1)
      loss = m.multiply(loss, spec->weight);
    total = total ? m.add(total, loss) : loss;
  }
  if (Value more = regularization(m))
    total = total ? m.add(total, more) : more;
  if (!total)
    total = m.scalar(0);
  lossType = total.getType();
  function.setFunctionType(model.builder.getFunctionType(
      function.getFunctionType().getInputs(), {lossType}));
  func::ReturnOp::create(model.builder, m.getLoc(), total);
}

void TrainingBuilder::buildMetrics() {
  begin("metrics", true, {});
  Math m = math();
  // The mean of the batches' losses, weighted by their sizes.
  auto accumulate = [&](StringRef key, Value loss) {
    Value size = m.batchSize(predictions[0], nn::elementType(loss));
    accumulateMean(model, m, key, m.multiply(loss, size), size);
  };
  accumulate("loss", totalLoss);
  for (auto [i, spec] : llvm::enumerate(plan.losses))
    if (spec && tracksLosses()) {
      Value loss = reducedLoss(model, m, *spec, comparison(i));
      if (loss)
        accumulate(lossKey(i), loss);
    }
  for (const MetricSpec &metric : plan.metrics)
    updateMetric(model, m, metric, comparison(metric.output));
  func::ReturnOp::create(model.builder, m.getLoc());
}

// `loss` first, the others sorted, as Keras prints them on JAX.
void TrainingBuilder::buildResults() {
  OpBuilder &b = model.builder;
  b.setInsertionPointToEnd(model.module->getBody());
  auto function =
      func::FuncOp::create(b, model.locationOf("metric_results"),
                           "metric_results", b.getFunctionType({}, {}));
  b.setInsertionPointToStart(function.addEntryBlock());
  Math m = math();
  MetricResults results;
  for (auto [i, spec] : llvm::enumerate(plan.losses))
    if (spec && tracksLosses())
      results.push_back({lossKey(i), accumulatedMean(model, m, lossKey(i))});
  for (const MetricSpec &metric : plan.metrics)
    llvm::append_range(results, metricResults(model, m, metric));
  llvm::sort(results, [](auto &a, auto &b) { return a.first < b.first; });
  results.insert(results.begin(), {"loss", accumulatedMean(model, m, "loss")});
  SmallVector<Value> values;
  for (auto &[key, value] : results)
    values.push_back(value);
  function.setFunctionType(
      b.getFunctionType({}, ValueRange(values).getTypes()));
  for (auto [i, result] : llvm::enumerate(results))
    function.setResultAttr(i, "nn.name", b.getStringAttr(result.first));
  func::ReturnOp::create(b, m.getLoc(), values);
}

void TrainingBuilder::run() {
  buildLoss();
  if (model.diagnostics.hasErrors())
    return;
  buildMetrics();
  if (model.diagnostics.hasErrors())
    return;
  buildResults();
}

void cornu::frontend::buildTraining(ModelBuilder &model,
                                    MutableArrayRef<Output> outputs) {
  if (std::optional<TrainingPlan> plan = planTraining(model, outputs))
    TrainingBuilder(model, outputs, std::move(*plan)).run();
}
