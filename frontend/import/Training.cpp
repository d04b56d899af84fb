//===- Training.cpp - @loss, @metrics and @metric_results -----------------===//
//
// Reads what the model was compiled with and distributes losses and metrics
// over the outputs as Keras does: one for all, a list, or a dict by name.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Training.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

// An option is JSON if it looks like it, else a name.
static const Json *parseOption(ModelBuilder &model, StringRef option,
                               StringRef text) {
  JsonDocument &document = model.archive.getDocument();
  StringRef trimmed = text.trim();
  if (!trimmed.starts_with("{") && !trimmed.starts_with("[") &&
      !trimmed.starts_with("\""))
    return document.makeString(trimmed);
  std::string error;
  const Json *json = document.parse(trimmed, error);
  if (!json)
    model.diagnostics.error(option + ": " + error,
                            "give a Keras name or a JSON object");
  return json ? json : document.makeNull();
}

const Json &cornu::frontend::optimizerConfig(ModelBuilder &model) {
  if (!model.options.optimizer.empty())
    return *parseOption(model, "--optimizer", model.options.optimizer);
  return model.archive.getCompileConfig().at("optimizer");
}

static const Json &lossConfig(ModelBuilder &model) {
  if (!model.options.loss.empty())
    return *parseOption(model, "--loss", model.options.loss);
  return model.archive.getCompileConfig().at("loss");
}

static const Json &metricsConfig(ModelBuilder &model) {
  StringRef text = model.options.metrics;
  if (text.empty())
    return model.archive.getCompileConfig().at("metrics");
  if (text.trim().starts_with("[") || text.trim().starts_with("{"))
    return *parseOption(model, "--metrics", text);
  JsonDocument &document = model.archive.getDocument();
  SmallVector<StringRef> names;
  text.split(names, ',', -1, /*KeepEmpty=*/false);
  std::vector<const Json *> items;
  for (StringRef name : names)
    items.push_back(document.makeString(name.trim()));
  return *document.makeArray(items);
}

static bool isObjectWithClass(const Json &json) {
  return json.isObject() && json.has("class_name");
}

// The entry for each output: one for all, a list, or a dict by name.
static std::vector<const Json *> perOutput(ModelBuilder &model,
                                           const Json &config,
                                           ArrayRef<Output> outputs,
                                           StringRef what) {
  static const Json none;
  std::vector<const Json *> out(outputs.size(), &none);
  // No metrics: null or an empty list.
  if (config.isNull() || (config.isArray() && config.size() == 0))
    return out;
  if (config.isObject() && !isObjectWithClass(config)) {
    for (size_t i = 0; i < config.size(); ++i) {
      bool found = false;
      for (auto [position, output] : llvm::enumerate(outputs))
        if (output.name == config.keys()[i]) {
          out[position] = &config.at(i);
          found = true;
        }
      if (!found)
        model.diagnostics.error({}, &config.at(i),
                                "the " + what + " names the output '" +
                                    config.keys()[i] +
                                    "', which the model does not have");
    }
    return out;
  }
  if (!config.isArray()) {
    out.assign(outputs.size(), &config);
    return out;
  }
  if (config.size() != outputs.size()) {
    model.diagnostics.error({}, &config,
                            "the " + what + " has " + Twine(config.size()) +
                                " entries for " + Twine(outputs.size()) +
                                " outputs");
    return out;
  }
  for (size_t i = 0; i < outputs.size(); ++i)
    out[i] = &config.at(i);
  return out;
}

static void flattenMetrics(const Json &json, std::vector<const Json *> &out) {
  if (json.isString() || isObjectWithClass(json))
    out.push_back(&json);
  else
    for (const Json *item : json.items())
      flattenMetrics(*item, out);
}

//===----------------------------------------------------------------------===//
// Names of metrics in the logs
//===----------------------------------------------------------------------===//

namespace {

struct Plan {
  std::vector<std::optional<LossSpec>> losses; // per output
  std::vector<MetricSpec> metrics;
};

} // namespace

static void addMetrics(ModelBuilder &model, const Json &config, bool weighted,
                       ArrayRef<Output> outputs, llvm::StringMap<int> &used,
                       Plan &plan) {
  if (config.isNull())
    return;
  std::vector<const Json *> entries;
  if (outputs.size() == 1)
    entries.push_back(&config);
  else
    entries = perOutput(model, config, outputs,
                        weighted ? "weighted_metrics" : "metrics");
  for (auto [i, entry] : llvm::enumerate(entries)) {
    std::vector<const Json *> flat;
    flattenMetrics(*entry, flat);
    for (const Json *spec : flat) {
      std::optional<MetricSpec> metric =
          resolveMetric(model, *spec, outputs[i]);
      if (!metric)
        continue;
      metric->output = i;
      metric->weighted = weighted;
      std::string prefix = outputs.size() > 1 ? outputs[i].name + "_" : "";
      std::string key = prefix + metric->key;
      if (weighted && used.count(key))
        key = prefix + "weighted_" + metric->key;
      int number = used[key]++;
      if (number)
        key += "_" + std::to_string(number);
      metric->key = key;
      plan.metrics.push_back(std::move(*metric));
    }
  }
}

// Class indices if the loss or a metric takes them, else as the prediction.
static void decideTargets(ModelBuilder &model, const Json &metrics,
                          MutableArrayRef<Output> outputs, const Plan &plan) {
  std::vector<const Json *> entries(outputs.size(), &metrics);
  if (outputs.size() > 1 && metrics.isArray() &&
      metrics.size() == outputs.size())
    for (size_t i = 0; i < outputs.size(); ++i)
      entries[i] = &metrics.at(i);
  for (auto [i, output] : llvm::enumerate(outputs)) {
    output.target = output.type;
    const std::optional<LossSpec> &loss = plan.losses[i];
    bool sparse = loss && loss->sparse;
    // The class to ignore may be any number.
    bool ignores = loss && loss->config->at("ignore_class").isNumber();
    std::vector<const Json *> flat;
    flattenMetrics(*entries[i], flat);
    for (const Json *spec : flat) {
      sparse |= !loss && metricTakesClassIndices(*spec);
      ignores |= namedObject(*spec).config->at("ignore_class").isNumber();
    }
    if (!sparse)
      continue;
    output.target = RankedTensorType::get(output.type.getShape().drop_back(),
                                          model.builder.getI32Type());
    output.classIndices = !ignores;
  }
}

static void readWeights(ModelBuilder &model, const Json &weights,
                        ArrayRef<Output> outputs, Plan &plan) {
  if (weights.isNull())
    return;
  std::vector<const Json *> entries =
      perOutput(model, weights, outputs, "loss_weights");
  for (auto [spec, entry] : llvm::zip(plan.losses, entries))
    if (spec && !entry->isNull()) {
      if (std::optional<double> value = entry->asNumber())
        spec->weight = *value;
      else
        model.diagnostics.error({}, entry, "a loss weight must be a number");
    }
}

// Targets must have the shape that the metric's function expects.
static bool checkMetricTargets(ModelBuilder &model, ArrayRef<Output> outputs,
                               const Plan &plan) {
  bool ok = true;
  for (const MetricSpec &metric : plan.metrics) {
    const Output &output = outputs[metric.output];
    bool sparse = output.target.getRank() < output.type.getRank();
    if (metric.sparse == sparse)
      continue;
    model.diagnostics.error(
        output.name, nullptr,
        "the metric '" + metric.key + "' takes " +
            (sparse ? "targets like the prediction" : "class indices") +
            ", the loss " +
            (sparse ? "class indices" : "targets like the prediction"),
        "choose a loss and metrics that take the same targets");
    ok = false;
  }
  return ok;
}

static std::optional<Plan> makePlan(ModelBuilder &model,
                                    MutableArrayRef<Output> outputs) {
  Plan plan;
  size_t before = model.diagnostics.getErrors().size();
  const Json &loss = lossConfig(model);
  std::vector<const Json *> entries = perOutput(model, loss, outputs, "loss");
  for (auto [output, entry] : llvm::zip(outputs, entries)) {
    if (output.type.getRank() == 0) {
      model.diagnostics.error(output.name, nullptr,
                              "an output without a batch cannot be trained");
      return std::nullopt;
    }
    plan.losses.push_back(entry->isNull() ? std::nullopt
                                          : resolveLoss(model, *entry, output));
  }
  const Json &metrics = metricsConfig(model);
  const Json &compile = model.archive.getCompileConfig();
  const Json &weighted = compile.at("weighted_metrics");
  decideTargets(model, metrics, outputs, plan);
  // A number of weights from the file belongs to a loss from the file.
  if (model.options.loss.empty())
    readWeights(model, compile.at("loss_weights"), outputs, plan);
  llvm::StringMap<int> used;
  addMetrics(model, metrics, false, outputs, used, plan);
  if (model.options.metrics.empty())
    addMetrics(model, weighted, true, outputs, used, plan);
  for (auto [i, output] : llvm::enumerate(outputs)) {
    output.compared = plan.losses[i].has_value();
    for (const MetricSpec &metric : plan.metrics)
      output.compared |= metric.output == i;
  }
  if (!checkMetricTargets(model, outputs, plan) ||
      model.diagnostics.getErrors().size() != before)
    return std::nullopt;
  return plan;
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

namespace {

/// @loss and @metrics take the same arguments, but for the loss itself.
class TrainingBuilder {
public:
  TrainingBuilder(ModelBuilder &model, ArrayRef<Output> outputs, Plan plan)
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
  Plan plan;
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

bool cornu::frontend::hasLoss(ModelBuilder &model) {
  return !model.options.inferenceOnly && !lossConfig(model).isNull();
}

void cornu::frontend::buildTraining(ModelBuilder &model,
                                    MutableArrayRef<Output> outputs) {
  if (std::optional<Plan> plan = makePlan(model, outputs))
    TrainingBuilder(model, outputs, std::move(*plan)).run();
}
