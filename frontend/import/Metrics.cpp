//===- Metrics.cpp - Metrics and the variables they add up ----------------===//
//
// Those here are means over samples: `total` and `count` variables under
// metrics/KEY. The function's values are reduced to one per sample. The others
// come in families with files of their own: see MetricFamily.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Training.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;
using nn::Predicate;

static Value asFloat(Math &m, Value condition, Value like) {
  return m.convert(condition, nn::elementType(like));
}

static Value accuracy(Math &m, const Json &, Value p, Value t) {
  return asFloat(m, m.compare(Predicate::eq, p, t), p);
}

static Value binaryAccuracy(Math &m, const Json &config, Value p, Value t) {
  double threshold = config.at("threshold").asNumber().value_or(0.5);
  Value chosen = asFloat(m, m.compare(Predicate::gt, p, threshold), p);
  return asFloat(m, m.compare(Predicate::eq, chosen, t), p);
}

static Value categoricalAccuracy(Math &m, const Json &, Value p, Value t) {
  return asFloat(m, m.compare(Predicate::eq, m.argmax(t, -1), m.argmax(p, -1)),
                 p);
}

static Value sparseAccuracy(Math &m, const Json &, Value p, Value t) {
  return asFloat(
      m, m.compare(Predicate::eq, m.convert(t, m.i32()), m.argmax(p, -1)), p);
}

// The label is among the top k if fewer than k classes score higher.
static Value inTop(Math &m, const Json &config, Value p, Value label) {
  double k = config.at("k").asNumber().value_or(5);
  Value hot = m.oneHot(label, Math::size(p, -1), nn::elementType(p));
  Value score = m.sum(m.select(m.convert(hot, m.i1()), p, 0.0), {-1}, true);
  Value higher = m.sum(asFloat(m, m.compare(Predicate::gt, p, score), p), {-1});
  return asFloat(m, m.compare(Predicate::lt, higher, k), p);
}

static Value topK(Math &m, const Json &config, Value p, Value t) {
  return inTop(m, config, p, m.argmax(t, -1));
}

static Value sparseTopK(Math &m, const Json &config, Value p, Value t) {
  return inTop(m, config, p, t);
}

static Value squaredError(Math &m, const Json &, Value p, Value t) {
  return m.square(m.subtract(p, t));
}

static Value cosineMetric(Math &m, const Json &config, Value p, Value t) {
  return m.negate(lossValues(m, "cosine_similarity", config, p, t));
}

static Value centred(Math &m, Value x, int64_t axis) {
  return m.subtract(x, m.mean(x, {axis}, true));
}

static Value varianceOf(Math &m, Value x, int64_t axis) {
  return m.mean(m.square(centred(m, x, axis)), {axis}, true);
}

/// The axis of a correlation; 0 with a report if that is the batch.
static int64_t correlationAxis(Math &m, const Json &config, Value p) {
  if (config.at("axis").isArray())
    m.fail("a correlation over several axes is not supported");
  int64_t axis = m.axis(p, config.at("axis").asInteger().value_or(-1));
  if (axis == 0)
    m.fail("a correlation over the batch is no mean over samples");
  return std::max<int64_t>(axis, 0);
}

static Value pearson(Math &m, const Json &config, Value p, Value t) {
  int64_t axis = correlationAxis(m, config, p);
  auto normal = [&](Value x) {
    x = centred(m, x, axis);
    return m.divide(x, m.sqrt(varianceOf(m, x, axis)));
  };
  return m.mean(m.multiply(normal(t), normal(p)), {axis});
}

// Keras subtracts the prediction's mean from the target, too.
static Value concordance(Math &m, const Json &config, Value p, Value t) {
  int64_t axis = correlationAxis(m, config, p);
  Value meanP = m.mean(p, {axis}, true), meanT = m.mean(t, {axis}, true);
  Value covariance = m.multiply(m.subtract(t, meanP), m.subtract(p, meanP));
  Value norm = m.add(m.add(varianceOf(m, m.subtract(t, meanT), axis),
                           varianceOf(m, m.subtract(p, meanP), axis)),
                     m.square(m.subtract(meanT, meanP)));
  return m.mean(m.divide(m.multiply(covariance, 2.0), m.add(norm, 1e-7)),
                {axis});
}

namespace {
struct Entry {
  StringRef function, className, alias;
  Value (*values)(Math &, const Json &, Value p, Value t);
  bool sparse;
};
} // namespace

// Beside these, every loss function is a metric.
static constexpr Entry kMetrics[] = {
    {"accuracy_equal", "Accuracy", "", accuracy, false},
    {"binary_accuracy", "BinaryAccuracy", "", binaryAccuracy, false},
    {"categorical_accuracy", "CategoricalAccuracy", "", categoricalAccuracy,
     false},
    {"sparse_categorical_accuracy", "SparseCategoricalAccuracy", "",
     sparseAccuracy, true},
    {"top_k_categorical_accuracy", "TopKCategoricalAccuracy", "", topK, false},
    {"sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy", "",
     sparseTopK, true},
    {"root_mean_squared_error", "RootMeanSquaredError", "rmse", squaredError,
     false},
    {"cosine_similarity_metric", "CosineSimilarity", "cosine_similarity",
     cosineMetric, false},
    {"log_cosh_error", "LogCoshError", "", nullptr, false},
    {"pearson_correlation", "PearsonCorrelation", "", pearson, false},
    {"concordance_correlation", "ConcordanceCorrelation", "", concordance,
     false},
};

static constexpr const MetricFamily *kFamilies[] = {
    &confusionMetrics, &columnMetrics, &intersectionMetrics};

static const MetricFamily *findFamily(StringRef name) {
  for (const MetricFamily *family : kFamilies)
    if (!family->find(name).empty())
      return family;
  return nullptr;
}

static const Entry *findMetric(StringRef name) {
  for (const Entry &entry : kMetrics)
    if (name == entry.function || name == entry.className ||
        (!entry.alias.empty() && name == entry.alias))
      return &entry;
  return nullptr;
}

std::vector<std::string> cornu::frontend::metricNames() {
  std::vector<std::string> names;
  for (const Entry &entry : kMetrics)
    names.push_back(entry.className.str());
  for (const MetricFamily *family : kFamilies)
    llvm::append_range(names, family->names());
  return names;
}

static bool takesIndices(StringRef name, const Json &config) {
  if (const MetricFamily *family = findFamily(name))
    return family->sparse(family->find(name), config);
  const Entry *entry = findMetric(name);
  return entry ? entry->sparse : takesClassIndices(name);
}

bool cornu::frontend::metricTakesClassIndices(const Json &spec) {
  NamedObject object = namedObject(spec);
  return takesIndices(object.className, *object.config);
}

bool cornu::frontend::refuseMetric(ModelBuilder &model, const Json &where,
                                   const MetricSpec &spec, const Twine &why,
                                   const Twine &help) {
  model.diagnostics.error({}, &where, "the metric '" + spec.key + "' " + why,
                          help);
  return false;
}

// "accuracy" and "crossentropy" mean what fits predictions and targets.
static std::string fitting(StringRef name, const Output *output) {
  if (!output || output->type.getShape().back() == 1)
    return ("binary_" + name).str();
  bool sparse = output->target.getRank() < output->type.getRank();
  return (sparse ? "sparse_categorical_" : "categorical_") + name.str();
}

std::optional<MetricSpec> cornu::frontend::resolveMetric(ModelBuilder &model,
                                                         const Json &spec,
                                                         const Output *output) {
  MetricSpec out;
  NamedObject object = namedObject(spec);
  out.config = object.config;
  out.key = spec.isString() ? object.className
                            : object.config->at("name").str().str();
  std::string name = object.className;
  // Keras 2: MeanMetricWrapper around a function.
  if (name == "MeanMetricWrapper")
    name = namedObject(object.config->at("fn")).className;
  StringRef lower = name;
  if (lower.equals_insensitive("accuracy") && !spec.isString() &&
      spec.at("class_name").str() == "Accuracy")
    out.function = "accuracy_equal";
  else if (lower.equals_insensitive("accuracy") ||
           lower.equals_insensitive("acc"))
    out.function = fitting("accuracy", output);
  else if (const Entry *entry = findMetric(name))
    out.function = entry->values ? entry->function.str() : "log_cosh";
  else if ((out.family = findFamily(name)))
    out.function = out.family->find(name);
  else
    out.function = lossFunction(name);
  if ((name == "crossentropy" || name == "ce") && out.function.empty())
    out.function = fitting("crossentropy", output);
  if (out.key.empty())
    out.key = spec.isObject() && spec.at("class_name").str() == "function"
                  ? object.className
                  : snakeCase(name);
  if (out.function.empty()) {
    model.diagnostics.error(
        {}, &spec, "the metric '" + name + "' is not supported",
        "choose others with --metrics=, for example accuracy or "
        "mean_absolute_error");
    return std::nullopt;
  }
  if (out.family && !out.family->check(model, spec, out, output))
    return std::nullopt;
  out.sparse = takesIndices(out.function, *out.config);
  return out;
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

static std::string variableName(StringRef key, StringRef part) {
  return ("metrics/" + key + "/" + part).str();
}

std::string cornu::frontend::metricVariable(const MetricSpec &spec,
                                            StringRef part) {
  return variableName(spec.key, part);
}

void cornu::frontend::accumulate(ModelBuilder &model, Math &m, StringRef name,
                                 Value amount) {
  if (!amount)
    return;
  Type element = nn::elementType(amount).isInteger(32) ? m.i32() : m.f32();
  auto type = RankedTensorType::get(Math::shape(amount), element);
  if (!model.findVariable(name)) {
    Variable variable;
    variable.path = name.str();
    variable.shape = Math::shape(amount);
    variable.type = element;
    variable.kind = nn::VariableKind::metric;
    model.addState(std::move(variable));
  }
  Value old = nn::ReadOp::create(m.getBuilder(), m.getLoc(), type, name);
  nn::AssignOp::create(m.getBuilder(), m.getLoc(), name,
                       m.add(old, m.convert(amount, element)));
}

Value cornu::frontend::accumulated(ModelBuilder &model, Math &m,
                                   StringRef name) {
  const Variable *variable = model.findVariable(name);
  auto type = RankedTensorType::get(variable->shape, variable->type);
  return nn::ReadOp::create(m.getBuilder(), m.getLoc(), type, name);
}

void cornu::frontend::accumulateMean(ModelBuilder &model, Math &math,
                                     StringRef key, Value total, Value count) {
  if (!total || !count)
    return;
  accumulate(model, math, variableName(key, "total"), total);
  accumulate(model, math, variableName(key, "count"), count);
}

Value cornu::frontend::accumulatedMean(ModelBuilder &model, Math &m,
                                       StringRef key) {
  Value total = accumulated(model, m, variableName(key, "total"));
  Value count = accumulated(model, m, variableName(key, "count"));
  Value none = m.compare(Predicate::eq, count, 0.0);
  Value safe = m.select(none, m.scalar(1), count);
  return m.select(none, m.scalar(0), m.divide(total, safe));
}

// Total and count of one batch, as keras.metrics.Mean computes them.
static std::pair<Value, Value> batchMean(Math &m, Value values, Value weight,
                                         Value mask) {
  Type type = nn::elementType(values);
  auto perSample = [&](Value x, int64_t first) {
    Shape axes;
    for (int64_t i = first; i < Math::rank(x); ++i)
      axes.push_back(i);
    return axes.empty() ? x : m.mean(x, axes);
  };
  Value combined;
  if (mask) {
    while (Math::rank(mask) > Math::rank(values))
      mask = m.reduce(nn::ReductionKind::any, mask, {-1});
    combined = m.convert(mask, type);
  }
  if (weight) {
    Value w = m.convert(weight, type);
    while (combined && Math::rank(w) < Math::rank(combined))
      w = m.expandDims(w, -1);
    combined = combined ? m.multiply(w, combined) : w;
  }
  if (!combined) {
    Value each = perSample(values, 1);
    return {m.sumAll(each), m.batchSize(values, type)};
  }
  values = m.multiply(perSample(values, Math::rank(combined)), combined);
  return {m.sumAll(perSample(values, 1)), m.sumAll(perSample(combined, 1))};
}

void cornu::frontend::updateMetric(ModelBuilder &model, Math &m,
                                   const MetricSpec &spec,
                                   const Comparison &given) {
  if (spec.family)
    return spec.family->update(model, m, spec, given);
  const Entry *entry = findMetric(spec.function);
  Value p = m.toFloat(given.prediction), t = given.target;
  if (!p || !t)
    return;
  if (!spec.sparse)
    t = m.convert(t, nn::elementType(p));
  Value values = entry ? entry->values(m, *spec.config, p, t)
                       : lossValues(m, spec.function, *spec.config, p, t);
  if (!values)
    return;
  // A function of the whole batch counts as one sample.
  if (Math::rank(values) == 0)
    values = m.reshape(values, {1});
  Value weight = spec.weighted ? given.weight : Value();
  if (!given.mask) {
    auto [total, count] = batchMean(m, values, weight, {});
    accumulateMean(model, m, spec.key, total, count);
    return;
  }
  // Keras on JAX loses the mask on the way to the metrics in training.
  SmallVector<Value> sums = m.ifTraining(
      [&]() -> SmallVector<Value> {
        auto [total, count] = batchMean(m, values, weight, {});
        return {total, count};
      },
      [&]() -> SmallVector<Value> {
        auto [total, count] = batchMean(m, values, weight, given.mask);
        return {total, count};
      });
  if (sums.size() == 2)
    accumulateMean(model, m, spec.key, sums[0], sums[1]);
}

static Value meanResult(ModelBuilder &model, Math &m, const MetricSpec &spec) {
  Value mean = accumulatedMean(model, m, spec.key);
  return spec.function == "root_mean_squared_error" ? m.sqrt(mean) : mean;
}

MetricResults cornu::frontend::metricResults(ModelBuilder &model, Math &m,
                                             const MetricSpec &spec) {
  Value result = spec.family ? spec.family->result(model, m, spec)
                             : meanResult(model, m, spec);
  if (!result || Math::rank(result) == 0)
    return {{spec.key, result}};
  int64_t count = Math::size(result, 0);
  if (count == 1)
    return {{spec.key, m.squeeze(result, 0)}};
  MetricResults results;
  for (int64_t i = 0; i < count; ++i)
    results.push_back({spec.key + "/" + std::to_string(i),
                       m.squeeze(m.slice(result, 0, i, i + 1), 0)});
  return results;
}
