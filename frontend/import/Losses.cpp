//===- Losses.cpp - Loss functions ----------------------------------------===//
//
// Each function maps predictions p and targets t to one value per sample: the
// last axis is reduced. Formulas and order of operations are those of
// keras.src.losses and the JAX backend; epsilon is 1e-7.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Training.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;
using nn::Predicate;

static constexpr double kEpsilon = 1e-7;

static double parameter(const Json &config, StringRef key, double missing) {
  return config.at(key).asNumber().value_or(missing);
}

static bool fromLogits(const Json &config) {
  return config.at("from_logits").asBool().value_or(false);
}

static int64_t axisOf(const Json &config) {
  return config.at("axis").asInteger().value_or(-1);
}

static Value meanSquared(Math &m, const Json &, Value p, Value t) {
  return m.mean(m.square(m.subtract(p, t)), {-1});
}

static Value meanAbsolute(Math &m, const Json &, Value p, Value t) {
  return m.mean(m.absolute(m.subtract(p, t)), {-1});
}

static Value meanAbsolutePercentage(Math &m, const Json &, Value p, Value t) {
  Value scale = m.maximum(m.absolute(t), kEpsilon);
  return m.multiply(m.mean(m.absolute(m.divide(m.subtract(t, p), scale)), {-1}),
                    100.0);
}

static Value meanSquaredLogarithmic(Math &m, const Json &, Value p, Value t) {
  auto logarithm = [&](Value x) {
    return m.log(m.add(m.maximum(x, kEpsilon), 1.0));
  };
  return m.mean(m.square(m.subtract(logarithm(p), logarithm(t))), {-1});
}

static Value cosine(Math &m, Value p, Value t, int64_t axis) {
  return m.sum(
      m.multiply(m.l2Normalize(t, {axis}, 1e7), m.l2Normalize(p, {axis}, 1e7)),
      {axis});
}

// `axis` is not in Keras's files: the last one.
static Value cosineSimilarity(Math &m, const Json &config, Value p, Value t) {
  return m.negate(cosine(m, p, t, axisOf(config)));
}

static Value huber(Math &m, const Json &config, Value p, Value t) {
  double delta = parameter(config, "delta", 1);
  Value error = m.subtract(p, t), size = m.absolute(error);
  Value inner = m.multiply(m.square(error), 0.5);
  Value outer = m.subtract(m.multiply(size, delta), 0.5 * delta * delta);
  return m.mean(m.select(m.compare(Predicate::le, size, delta), inner, outer),
                {-1});
}

static Value logCosh(Math &m, const Json &, Value p, Value t) {
  Value e = m.subtract(p, t);
  Value soft = m.softplus(m.multiply(e, -2.0));
  return m.mean(m.subtract(m.add(e, soft), 0.6931471805599453), {-1});
}

// Labels of 0 and 1 become -1 and 1, if all of the batch's are.
static Value signedLabels(Math &m, Value t) {
  Value binary = m.logicalOr(m.compare(Predicate::eq, t, 0.0),
                             m.compare(Predicate::eq, t, 1.0));
  Shape axes;
  for (int64_t i = 0; i < Math::rank(t); ++i)
    axes.push_back(i);
  Value all = m.reduce(nn::ReductionKind::all, binary, axes);
  return m.select(all, m.subtract(m.multiply(t, 2.0), 1.0), t);
}

static Value hingeTerm(Math &m, Value p, Value t) {
  return m.maximum(m.subtract(1.0, m.multiply(signedLabels(m, t), p)), 0.0);
}

static Value hinge(Math &m, const Json &, Value p, Value t) {
  return m.mean(hingeTerm(m, p, t), {-1});
}

static Value squaredHinge(Math &m, const Json &, Value p, Value t) {
  return m.mean(m.square(hingeTerm(m, p, t)), {-1});
}

static Value categoricalHinge(Math &m, const Json &, Value p, Value t) {
  Value positive = m.sum(m.multiply(t, p), {-1});
  Value negative = m.max(m.multiply(m.subtract(1.0, t), p), {-1});
  return m.maximum(m.add(m.subtract(negative, positive), 1.0), 0.0);
}

static Value klDivergence(Math &m, const Json &, Value p, Value t) {
  t = m.clip(t, kEpsilon, 1);
  p = m.clip(p, kEpsilon, 1);
  return m.sum(m.multiply(t, m.log(m.divide(t, p))), {-1});
}

static Value poisson(Math &m, const Json &, Value p, Value t) {
  return m.mean(m.subtract(p, m.multiply(t, m.log(m.add(p, kEpsilon)))), {-1});
}

// Elementwise, before the mean.
static Value binaryTerm(Math &m, bool logits, Value p, Value t) {
  Value one, other;
  if (logits) {
    one = m.negate(m.softplus(m.negate(p)));
    other = m.negate(m.softplus(p));
  } else {
    p = m.clip(p, kEpsilon, 1 - kEpsilon);
    one = m.log(p);
    other = m.log(m.subtract(1.0, p));
  }
  return m.negate(
      m.add(m.multiply(t, one), m.multiply(m.subtract(1.0, t), other)));
}

static Value smoothBinary(Math &m, const Json &config, Value t) {
  double s = parameter(config, "label_smoothing", 0);
  return s ? m.add(m.multiply(t, 1 - s), 0.5 * s) : t;
}

static Value smoothCategorical(Math &m, const Json &config, Value t) {
  double s = parameter(config, "label_smoothing", 0);
  if (s == 0 || !t)
    return t;
  return m.add(m.multiply(t, 1 - s),
               s / static_cast<double>(Math::size(t, -1)));
}

static Value binaryCrossentropy(Math &m, const Json &config, Value p, Value t) {
  t = smoothBinary(m, config, t);
  return m.mean(binaryTerm(m, fromLogits(config), p, t), {axisOf(config)});
}

static Value binaryFocal(Math &m, const Json &config, Value p, Value t) {
  double alpha = parameter(config, "alpha", 0.25);
  double gamma = parameter(config, "gamma", 2);
  t = smoothBinary(m, config, t);
  if (fromLogits(config))
    p = m.sigmoid(p);
  Value base = binaryTerm(m, false, p, t);
  Value pt = m.add(m.multiply(t, p),
                   m.multiply(m.subtract(1.0, t), m.subtract(1.0, p)));
  Value focal =
      m.power(m.subtract(1.0, pt), m.scalar(gamma, nn::elementType(p)));
  Value loss = m.multiply(focal, base);
  if (config.at("apply_class_balancing").asBool() == true)
    loss = m.multiply(loss, m.add(m.multiply(t, alpha),
                                  m.multiply(m.subtract(1.0, t), 1 - alpha)));
  return m.mean(loss, {axisOf(config)});
}

// Renormalized and clipped probabilities.
static Value probabilities(Math &m, Value p, int64_t axis) {
  return m.clip(m.divide(p, m.sum(p, {axis}, true)), kEpsilon, 1 - kEpsilon);
}

static Value crossentropy(Math &m, bool logits, int64_t axis, Value p,
                          Value t) {
  Value logarithm =
      logits ? m.logSoftmax(p, axis) : m.log(probabilities(m, p, axis));
  return m.negate(m.sum(m.multiply(t, logarithm), {axis}));
}

static Value categoricalCrossentropy(Math &m, const Json &config, Value p,
                                     Value t) {
  t = smoothCategorical(m, config, t);
  return crossentropy(m, fromLogits(config), axisOf(config), p, t);
}

static Value categoricalFocal(Math &m, const Json &config, Value p, Value t) {
  double alpha = parameter(config, "alpha", 0.25);
  double gamma = parameter(config, "gamma", 2);
  int64_t axis = axisOf(config);
  t = smoothCategorical(m, config, t);
  if (fromLogits(config))
    p = m.softmax(p, axis);
  p = probabilities(m, p, axis);
  Value base = m.negate(m.multiply(t, m.log(p)));
  Value focal =
      m.power(m.subtract(1.0, p), m.scalar(gamma, nn::elementType(p)));
  return m.sum(m.multiply(m.multiply(focal, alpha), base), {axis});
}

// Targets are class indices; one out of range gives a loss of 0.
static Value sparseCrossentropy(Math &m, const Json &config, Value p, Value t) {
  if (!p)
    return {};
  Value hot = m.oneHot(t, Math::size(p, -1), nn::elementType(p));
  return crossentropy(m, fromLogits(config), -1, p, hot);
}

static Value generalizedCrossentropy(Math &m, const Json &config, Value p,
                                     Value t) {
  if (!p)
    return {};
  double q = parameter(config, "q", 0.5);
  Value hot = m.oneHot(t, Math::size(p, -1), nn::elementType(p));
  Value chosen = m.sum(m.multiply(p, hot), {-1});
  Value power = m.power(chosen, m.scalar(q, nn::elementType(p)));
  return m.divide(m.subtract(1.0, power), q);
}

static Shape diceAxes(const Json &config, Value p) {
  Shape axes;
  const Json &json = config.at("axis");
  for (const Json *item : json.items())
    axes.push_back(item->asInteger().value_or(-1));
  if (json.isInteger())
    axes.push_back(*json.asInteger());
  if (axes.empty())
    for (int64_t i = 0; i < Math::rank(p); ++i)
      axes.push_back(i);
  return axes;
}

static Value dice(Math &m, const Json &config, Value p, Value t) {
  if (!p)
    return {};
  Shape axes = diceAxes(config, p);
  Value common = m.sum(m.multiply(t, p), axes);
  Value total = m.add(m.add(m.sum(t, axes), m.sum(p, axes)), kEpsilon);
  return m.subtract(1.0, m.divide(m.multiply(common, 2.0), total));
}

static Value tversky(Math &m, const Json &config, Value p, Value t) {
  if (!p)
    return {};
  Shape axes = diceAxes(config, p);
  double alpha = parameter(config, "alpha", 0.5);
  double beta = parameter(config, "beta", 0.5);
  Value common = m.sum(m.multiply(t, p), axes);
  Value fp = m.sum(m.multiply(m.subtract(1.0, p), t), axes);
  Value fn = m.sum(m.multiply(p, m.subtract(1.0, t)), axes);
  Value total = m.add(m.add(common, m.multiply(fp, alpha)),
                      m.add(m.multiply(fn, beta), kEpsilon));
  return m.subtract(1.0, m.divide(common, total));
}

namespace {
struct Entry {
  StringRef function, className, alias;
  Value (*values)(Math &, const Json &, Value p, Value t);
  bool sparse;
};
} // namespace

static constexpr Entry kLosses[] = {
    {"mean_squared_error", "MeanSquaredError", "mse", meanSquared, false},
    {"mean_absolute_error", "MeanAbsoluteError", "mae", meanAbsolute, false},
    {"mean_absolute_percentage_error", "MeanAbsolutePercentageError", "mape",
     meanAbsolutePercentage, false},
    {"mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", "msle",
     meanSquaredLogarithmic, false},
    {"cosine_similarity", "CosineSimilarity", "", cosineSimilarity, false},
    {"huber", "Huber", "", huber, false},
    {"log_cosh", "LogCosh", "logcosh", logCosh, false},
    {"hinge", "Hinge", "", hinge, false},
    {"squared_hinge", "SquaredHinge", "", squaredHinge, false},
    {"categorical_hinge", "CategoricalHinge", "", categoricalHinge, false},
    {"kl_divergence", "KLDivergence", "kld", klDivergence, false},
    {"poisson", "Poisson", "", poisson, false},
    {"binary_crossentropy", "BinaryCrossentropy", "bce", binaryCrossentropy,
     false},
    {"binary_focal_crossentropy", "BinaryFocalCrossentropy", "", binaryFocal,
     false},
    {"categorical_crossentropy", "CategoricalCrossentropy", "",
     categoricalCrossentropy, false},
    {"categorical_focal_crossentropy", "CategoricalFocalCrossentropy", "",
     categoricalFocal, false},
    {"sparse_categorical_crossentropy", "SparseCategoricalCrossentropy", "",
     sparseCrossentropy, true},
    {"categorical_generalized_cross_entropy",
     "CategoricalGeneralizedCrossEntropy", "", generalizedCrossentropy, true},
    {"dice", "Dice", "", dice, false},
    {"tversky", "Tversky", "", tversky, false},
};

static const Entry *findLoss(StringRef name) {
  for (const Entry &entry : kLosses)
    if (name == entry.function || name == entry.className ||
        (!entry.alias.empty() && name.equals_insensitive(entry.alias)))
      return &entry;
  return nullptr;
}

bool cornu::frontend::isLossFunction(StringRef name) { return findLoss(name); }

std::string cornu::frontend::lossFunction(StringRef name) {
  const Entry *entry = findLoss(name);
  return entry ? entry->function.str() : "";
}

bool cornu::frontend::takesClassIndices(StringRef name) {
  const Entry *entry = findLoss(name);
  return entry && entry->sparse;
}

Value cornu::frontend::lossValues(Math &math, StringRef name,
                                  const Json &config, Value prediction,
                                  Value target) {
  const Entry *entry = findLoss(name);
  prediction = math.toFloat(prediction);
  if (!entry->sparse && prediction && target)
    target = math.convert(target, nn::elementType(prediction));
  return entry->values(math, config, prediction, target);
}

std::vector<std::string> cornu::frontend::lossNames() {
  std::vector<std::string> names;
  for (const Entry &entry : kLosses)
    names.push_back(entry.className.str());
  return names;
}

//===----------------------------------------------------------------------===//
// Resolution and reduction
//===----------------------------------------------------------------------===//

static std::string reductionOf(const Json &config) {
  const Json &given = config.at("reduction");
  return given.isString() ? given.str().str() : "sum_over_batch_size";
}

/// True for the mean over all values, weighted or not.
static bool averages(StringRef reduction) {
  return reduction == "sum_over_batch_size" || reduction == "mean" ||
         reduction == "auto";
}

std::optional<LossSpec> cornu::frontend::resolveLoss(ModelBuilder &model,
                                                     const Json &spec,
                                                     const Output *output) {
  NamedObject object = namedObject(spec);
  std::string name = object.className;
  // "crossentropy" depends on the predictions.
  if (name == "crossentropy" || name == "ce")
    name = output && output->type.getShape().back() == 1
               ? "binary_crossentropy"
               : "categorical_crossentropy";
  // Keras 2 and custom wrappers: {"fn": "mean_squared_error", ...}.
  if (name == "LossFunctionWrapper")
    name = namedObject(object.config->at("fn")).className;
  const Entry *entry = findLoss(name);
  if (!entry) {
    model.diagnostics.error(
        {}, &spec, "the loss '" + object.className + "' is not supported",
        "give another one with --loss=, for example mean_squared_error or "
        "sparse_categorical_crossentropy");
    return std::nullopt;
  }
  std::string reduction = reductionOf(*object.config);
  if (!averages(reduction) && reduction != "mean_with_sample_weight" &&
      reduction != "sum") {
    model.diagnostics.error({}, &spec,
                            "the loss reduction '" + reduction +
                                "' leaves no scalar to minimize",
                            "sum_over_batch_size, sum or "
                            "mean_with_sample_weight");
    return std::nullopt;
  }
  LossSpec out;
  out.name = entry->function.str();
  out.config = object.config;
  out.where = &spec;
  out.sparse = entry->sparse;
  return out;
}

// Weights (batch) beside values (batch, ...).
static Value alignWeights(Math &m, Value weights, Value values) {
  while (weights && values && Math::rank(weights) < Math::rank(values))
    weights = m.expandDims(weights, -1);
  return weights;
}

Value cornu::frontend::reducedLoss(ModelBuilder &model, Math &m,
                                   const LossSpec &spec,
                                   const Comparison &given) {
  const Json &config = *spec.config;
  Value values =
      lossValues(m, spec.name, config, given.prediction, given.target);
  if (!values)
    return {};
  Type type = nn::elementType(values);
  Value mask = given.mask;
  const Json &ignored = config.at("ignore_class");
  if (ignored.isNumber() && spec.sparse) {
    Value valid =
        m.compare(Predicate::ne, given.target, ignored.asNumber().value_or(-1));
    values = m.select(valid, values, 0.0);
    mask = mask ? m.logicalAnd(mask, valid) : valid;
  }
  // A loss over the whole batch (dice) has no axis left to weight.
  if (Math::rank(values) == 0)
    return values;
  std::string reduction = reductionOf(config);
  bool mean = averages(reduction);
  bool weighted = reduction == "mean_with_sample_weight";
  Value weight = m.convert(alignWeights(m, given.weight, values), type);
  if (mask) {
    while (Math::rank(mask) > Math::rank(values))
      mask = m.reduce(nn::ReductionKind::any, mask, {-1});
    Value factor = m.convert(alignWeights(m, mask, values), type);
    if (mean) {
      // total / valid, so that the result is the mean over valid elements.
      Shape axes;
      for (int64_t i = 0; i < Math::rank(factor); ++i)
        axes.push_back(i);
      Value share = m.mean(factor, axes);
      Value safe = m.maximum(share, 1e-30);
      factor = m.divide(factor, safe);
    }
    weight = weight ? m.multiply(weight, factor) : factor;
  }
  if (weight)
    values = m.multiply(values, weight);
  Shape axes;
  for (int64_t i = 0; i < Math::rank(values); ++i)
    axes.push_back(i);
  Value loss = mean ? m.mean(values, axes) : m.sum(values, axes);
  if (weighted && weight) {
    Value total = m.sumAll(m.broadcast(weight, Math::shape(values)));
    Value zero = m.compare(Predicate::eq, total, 0.0);
    loss = m.select(zero, m.scalar(0, type),
                    m.divide(loss, m.select(zero, m.scalar(1, type), total)));
  }
  return loss;
}
