//===- IntersectionMetrics.cpp - Intersection over union ------------------===//
//
// A matrix counts how often class t was taken for class p, in the variable
// metrics/KEY/total_confusion_matrix; the intersection over union of a class is
// its element of the diagonal over its row and column. Formulas are those of
// keras.metrics.IoU. As there, counts and weights are integers unless the
// metric's dtype is another.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Training.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;
using nn::Predicate;

static constexpr double kEpsilon = 1e-7;
static constexpr StringLiteral kMatrix = "total_confusion_matrix";

namespace {
struct Entry {
  StringRef className;
  /// What the configuration says if it does not say it.
  bool sparseTarget, sparsePrediction;
};
} // namespace

static constexpr Entry kMetrics[] = {{"IoU", true, true},
                                     {"BinaryIoU", true, true},
                                     {"MeanIoU", true, true},
                                     {"OneHotIoU", false, false},
                                     {"OneHotMeanIoU", false, false}};

static bool sparseTarget(StringRef className, const Json &config) {
  return config.at("sparse_y_true")
      .asBool()
      .value_or(findByClass(kMetrics, className)->sparseTarget);
}

static bool sparsePrediction(StringRef className, const Json &config) {
  return config.at("sparse_y_pred")
      .asBool()
      .value_or(findByClass(kMetrics, className)->sparsePrediction);
}

// Where predictions are indices of classes, too, targets are like these.
static bool sparse(StringRef className, const Json &config) {
  return sparseTarget(className, config) &&
         !sparsePrediction(className, config);
}

static int64_t numClasses(const MetricSpec &spec) {
  if (spec.function == "BinaryIoU")
    return 2;
  return spec.config->at("num_classes").asInteger().value_or(0);
}

/// How often each class is among those whose mean is the result.
static std::vector<double> classWeights(const MetricSpec &spec) {
  size_t classes = static_cast<size_t>(numClasses(spec));
  const Json &ids = spec.config->at("target_class_ids");
  if (ids.isNull())
    return std::vector<double>(classes, 1);
  std::vector<double> weights(classes, 0);
  for (const Json *id : ids.items())
    weights[static_cast<size_t>(*id->asInteger())] += 1;
  return weights;
}

static bool check(ModelBuilder &model, const Json &where,
                  const MetricSpec &spec, const Output *) {
  const Json &config = *spec.config;
  auto refuse = [&](const Twine &why, const Twine &help) {
    return refuseMetric(model, where, spec, why, help);
  };
  int64_t classes = numClasses(spec);
  if (classes < 1 || classes > 4096)
    return refuse("has no num_classes between 1 and 4096",
                  "give the number of classes");
  for (const Json *id : config.at("target_class_ids").items())
    if (int64_t index = id->asInteger().value_or(-1);
        index < 0 || index >= classes)
      return refuse("has target_class_ids that are none of the " +
                        Twine(classes) + " classes",
                    "give some from 0 to " + Twine(classes - 1));
  if (config.at("axis").asInteger().value_or(-1) != -1)
    return refuse("has classes on an axis that is not the last", "use axis=-1");
  if (sparsePrediction(spec.function, config) &&
      !sparseTarget(spec.function, config))
    return refuse("compares one-hot targets with predictions that are indices",
                  "use sparse_y_pred=False, or sparse_y_true=True");
  return true;
}

/// Whether counts are floats.
static bool countsFloats(const MetricSpec &spec) {
  const Json &type = spec.config->at("dtype");
  StringRef name =
      type.has("config") ? type.at("config").at("name").str() : type.str();
  return name.contains("float");
}

static void update(ModelBuilder &model, Math &m, const MetricSpec &spec,
                   const Comparison &given) {
  const Json &config = *spec.config;
  int64_t classes = numClasses(spec);
  Type type = countsFloats(spec) ? m.f32() : m.i32();
  Value p = given.prediction, t = given.target;
  if (!p || !t)
    return;
  if (spec.function == "BinaryIoU")
    p = m.compare(Predicate::ge, m.convert(p, m.f32()),
                  config.at("threshold").asNumber().value_or(0.5));
  if (!sparsePrediction(spec.function, config))
    p = m.argmax(p, -1);
  if (!sparseTarget(spec.function, config))
    t = m.argmax(t, -1);
  p = m.convert(p, type), t = m.convert(t, type);
  // Classes out of range have no row: oneHot leaves them out.
  Value rows = m.oneHot(t, classes, m.f32());
  Value columns = m.oneHot(p, classes, m.f32());
  auto keepWhere = [&](Value condition) {
    rows = m.multiply(rows, m.expandDims(m.convert(condition, m.f32()), -1));
  };
  // Between -1 and 0 a float becomes class 0.
  if (type == m.f32())
    keepWhere(m.logicalAnd(m.compare(Predicate::ge, t, 0.0),
                           m.compare(Predicate::ge, p, 0.0)));
  if (std::optional<int64_t> ignored = config.at("ignore_class").asInteger())
    keepWhere(m.compare(Predicate::ne, t, static_cast<double>(*ignored)));
  if (spec.weighted && given.weight) {
    // Integers lose what is behind the point.
    Value weight = m.convert(m.convert(given.weight, type), m.f32());
    while (Math::rank(weight) < Math::rank(rows))
      weight = m.expandDims(weight, -1);
    rows = m.multiply(rows, weight);
  }
  // "abX,abY->XY" for two axes before the classes.
  std::string axes = StringRef("abcdefghijklmnop")
                         .take_front(static_cast<size_t>(Math::rank(t)))
                         .str();
  Value counts = m.contract(axes + "X," + axes + "Y->XY", rows, columns);
  accumulate(model, m, metricVariable(spec, kMatrix), m.convert(counts, type));
}

static Value result(ModelBuilder &model, Math &m, const MetricSpec &spec) {
  int64_t classes = numClasses(spec);
  Value matrix =
      m.toFloat(accumulated(model, m, metricVariable(spec, kMatrix)));
  Value number = m.iota(classes, m.f32());
  Value diagonal = m.compare(Predicate::eq, number, m.expandDims(number, -1));
  Value intersection = m.sum(m.select(diagonal, matrix, 0.0), {1});
  Value both =
      m.subtract(m.add(m.sum(matrix, {0}), m.sum(matrix, {1})), intersection);
  Value wanted = m.constant(classWeights(spec), {classes});
  // Classes that do not occur are left out of the mean.
  Value occurs = m.compare(Predicate::gt, both, 1e-9);
  Value share =
      m.select(occurs, m.divide(intersection, m.add(both, kEpsilon)), 0.0);
  Value count = m.sumAll(m.multiply(wanted, m.convert(occurs, m.f32())));
  return m.divide(m.sumAll(m.multiply(wanted, share)), m.add(count, kEpsilon));
}

const MetricFamily cornu::frontend::intersectionMetrics = {
    [](StringRef name) { return classIn(kMetrics, name); },
    [] { return classNames(kMetrics); },
    sparse,
    check,
    update,
    result};
