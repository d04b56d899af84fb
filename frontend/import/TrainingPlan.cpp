//===- TrainingPlan.cpp - Losses and metrics of each output ---------------===//
//
// Reads what the model was compiled with and distributes losses and metrics
// over the outputs as Keras does: one for all, a list, or a dict by name.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/TrainingPlan.h"

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

// All losses or metrics of lists and dicts.
static void flattenSpecs(const Json &json, std::vector<const Json *> &out) {
  if (json.isString() || isObjectWithClass(json))
    out.push_back(&json);
  else
    for (const Json *item : json.items())
      flattenSpecs(*item, out);
}

//===----------------------------------------------------------------------===//
// Names of metrics in the logs
//===----------------------------------------------------------------------===//

static void addMetrics(ModelBuilder &model, const Json &config, bool weighted,
                       ArrayRef<Output> outputs, llvm::StringMap<int> &used,
                       TrainingPlan &plan) {
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
    flattenSpecs(*entry, flat);
    for (const Json *spec : flat) {
      std::optional<MetricSpec> metric =
          resolveMetric(model, *spec, &outputs[i]);
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
                          MutableArrayRef<Output> outputs,
                          const TrainingPlan &plan) {
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
    flattenSpecs(*entries[i], flat);
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
                        ArrayRef<Output> outputs, TrainingPlan &plan) {
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
                               const TrainingPlan &plan) {
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

std::optional<TrainingPlan>
cornu::frontend::planTraining(ModelBuilder &model,
                              MutableArrayRef<Output> outputs) {
  TrainingPlan plan;
  size_t before = model.diagnostics.getErrors().size();
  const Json &loss = lossConfig(model);
  std::vector<const Json *> entries = perOutput(model, loss, outputs, "loss");
  for (auto [output, entry] : llvm::zip(outputs, entries)) {
    if (output.type.getRank() == 0) {
      model.diagnostics.error(output.name, nullptr,
                              "an output without a batch cannot be trained");
      return std::nullopt;
    }
    plan.losses.push_back(
        entry->isNull() ? std::nullopt : resolveLoss(model, *entry, &output));
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

void cornu::frontend::checkTrainingNames(ModelBuilder &model) {
  std::vector<const Json *> losses, metrics;
  flattenSpecs(lossConfig(model), losses);
  flattenSpecs(metricsConfig(model), metrics);
  if (model.options.metrics.empty())
    flattenSpecs(model.archive.getCompileConfig().at("weighted_metrics"),
                 metrics);
  for (const Json *spec : losses)
    (void)resolveLoss(model, *spec, nullptr);
  for (const Json *spec : metrics)
    (void)resolveMetric(model, *spec, nullptr);
}

bool cornu::frontend::hasLoss(ModelBuilder &model) {
  return !model.options.inferenceOnly && !lossConfig(model).isNull();
}
