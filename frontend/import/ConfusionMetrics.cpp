//===- ConfusionMetrics.cpp - Metrics of true and false positives ---------===//
//
// A prediction is positive where it is above a threshold. For each of its
// thresholds a metric adds up the weights of the true positives, false
// positives and so on, in variables metrics/KEY/true_positives, ...; its result
// is a formula of these. With several labels apart (AUC) they have a row each.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Training.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;
using nn::Predicate;

namespace {

/// Each is (thresholds), or (labels, thresholds).
struct Counts {
  Value tp, fp, tn, fn;
};

struct Thresholds {
  std::vector<double> values;
  /// They are i / (n - 1): Keras puts predictions into buckets between them,
  /// which rounds in another way than comparisons do.
  bool even = false;
  /// The first is below all predictions.
  bool openBelow = false;
};

struct Entry {
  StringRef className;
  Thresholds (*thresholds)(const Json &config);
  /// From counts to a value for each threshold, or to the result.
  Value (*result)(Math &, const Json &config, const Counts &);
};

} // namespace

//===----------------------------------------------------------------------===//
// Thresholds
//===----------------------------------------------------------------------===//

static std::vector<double> numbers(const Json &json) {
  std::vector<double> out;
  if (std::optional<double> number = json.asNumber())
    out.push_back(*number);
  // A tensor has its values in its configuration.
  const Json &list = json.has("config") ? json.at("config").at("value") : json;
  for (const Json *item : list.items())
    out.push_back(item->asNumber().value_or(0));
  return out;
}

/// Of predictions that are not among the k highest.
static constexpr double kLowest = -1e10;

static Thresholds givenThresholds(const Json &config) {
  std::vector<double> given = numbers(config.at("thresholds"));
  if (given.empty())
    given.push_back(config.at("top_k").isNull() ? 0.5 : kLowest);
  return {given};
}

static Thresholds evenThresholds(const Json &config) {
  int64_t count = config.at("num_thresholds").asInteger().value_or(200);
  if (count < 2)
    return {{0.5}};
  Thresholds out;
  out.even = true;
  for (int64_t i = 0; i < count; ++i)
    out.values.push_back(static_cast<double>(i) /
                         static_cast<double>(count - 1));
  return out;
}

static Thresholds aucThresholds(const Json &config) {
  std::vector<double> given = numbers(config.at("thresholds"));
  Thresholds out;
  if (given.empty()) {
    out = evenThresholds(config);
  } else {
    llvm::sort(given);
    out.values = given;
    out.values.insert(out.values.begin(), 0);
    out.values.push_back(1);
  }
  out.values.front() = -1e-7;
  out.values.back() = 1 + 1e-7;
  out.openBelow = true;
  return out;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// a / b, 0 where b is 0.
static Value share(Math &m, Value a, Value b) {
  Value none = m.compare(Predicate::eq, b, 0.0);
  Value one = m.scalar(1, nn::elementType(b));
  return m.select(none, m.scalar(0, nn::elementType(b)),
                  m.divide(a, m.select(none, one, b)));
}

static Value precision(Math &m, const Counts &c) {
  return share(m, c.tp, m.add(c.tp, c.fp));
}

static Value recall(Math &m, const Counts &c) {
  return share(m, c.tp, m.add(c.tp, c.fn));
}

static Value specificity(Math &m, const Counts &c) {
  return share(m, c.tn, m.add(c.tn, c.fp));
}

/// The largest of `values` where `constrained` is at least the number `key`.
static Value best(Math &m, const Json &config, StringRef key, Value constrained,
                  Value values) {
  double bound = config.at(key).asNumber().value_or(0.5);
  Value fits = m.compare(Predicate::ge, constrained, bound);
  return m.max(m.select(fits, values, 0.0), {-1});
}

static Value withoutLast(Math &m, Value x) {
  return m.slice(x, Math::rank(x) - 1, 0, Math::size(x, -1) - 1);
}

static Value withoutFirst(Math &m, Value x) {
  return m.slice(x, Math::rank(x) - 1, 1, Math::size(x, -1));
}

/// Between two thresholds of a curve of precision over recall the counts, not
/// the precision, are linear (Davis & Goadrich 2006).
static Value interpolatedPrecisionRecall(Math &m, const Counts &c) {
  Value p = m.add(c.tp, c.fp);
  Value tp = withoutFirst(m, c.tp);
  Value p0 = withoutLast(m, p), p1 = withoutFirst(m, p);
  Value gained = m.subtract(withoutLast(m, c.tp), tp);
  Value slope = share(m, gained, m.maximum(m.subtract(p0, p1), 0.0));
  Value intercept = m.subtract(tp, m.multiply(slope, p1));
  Value both = m.logicalAnd(m.compare(Predicate::gt, p0, 0.0),
                            m.compare(Predicate::gt, p1, 0.0));
  Value ratio = m.select(both, share(m, p0, m.maximum(p1, 0.0)), 1.0);
  Value area =
      m.multiply(slope, m.add(gained, m.multiply(intercept, m.log(ratio))));
  return share(m, area, m.maximum(m.add(tp, withoutFirst(m, c.fn)), 0.0));
}

/// Precision and recall on a hyperbolic scale (Flach & Kull 2015).
static std::pair<Value, Value> gains(Math &m, const Counts &c) {
  Value scale = share(m, m.add(c.tp, c.fn), m.add(c.tn, c.fp));
  auto gain = [&](Value wrong, double ifNone) {
    Value lost = m.multiply(scale, share(m, wrong, c.tp));
    Value none = m.compare(Predicate::eq, c.tp, 0.0);
    return m.select(m.logicalNot(none), m.subtract(1.0, lost), ifNone);
  };
  return {m.maximum(gain(c.fn, 0), 0.0), gain(c.fp, 1)};
}

static Value areaUnderCurve(Math &m, const Json &config, const Counts &c) {
  StringRef curve = config.at("curve").str(),
            method = config.at("summation_method").str();
  bool interpolates = method.empty() || method == "interpolation";
  Value areas;
  if (curve == "PR" && interpolates) {
    areas = interpolatedPrecisionRecall(m, c);
  } else {
    Value x, y;
    if (curve == "PR")
      x = recall(m, c), y = precision(m, c);
    else if (curve == "PRGAIN")
      std::tie(x, y) = gains(m, c);
    else
      x = share(m, c.fp, m.add(c.fp, c.tn)), y = recall(m, c);
    Value y0 = withoutLast(m, y), y1 = withoutFirst(m, y);
    Value height = interpolates           ? m.multiply(m.add(y0, y1), 0.5)
                   : method == "minoring" ? m.minimum(y0, y1)
                                          : m.maximum(y0, y1);
    areas =
        m.multiply(m.subtract(withoutLast(m, x), withoutFirst(m, x)), height);
  }
  Value area = m.sum(areas, {-1});
  if (!Math::rank(area))
    return area;
  std::vector<double> weights = numbers(config.at("label_weights"));
  if (weights.empty())
    return m.mean(area, {0});
  Value weight = m.constant(weights, {Math::size(area, 0)});
  return share(m, m.sumAll(m.multiply(area, weight)), m.sumAll(weight));
}

static constexpr Entry kMetrics[] = {
    {"TruePositives", givenThresholds,
     [](Math &, const Json &, const Counts &c) { return c.tp; }},
    {"FalsePositives", givenThresholds,
     [](Math &, const Json &, const Counts &c) { return c.fp; }},
    {"TrueNegatives", givenThresholds,
     [](Math &, const Json &, const Counts &c) { return c.tn; }},
    {"FalseNegatives", givenThresholds,
     [](Math &, const Json &, const Counts &c) { return c.fn; }},
    {"Precision", givenThresholds,
     [](Math &m, const Json &, const Counts &c) { return precision(m, c); }},
    {"Recall", givenThresholds,
     [](Math &m, const Json &, const Counts &c) { return recall(m, c); }},
    {"AUC", aucThresholds, areaUnderCurve},
    {"SensitivityAtSpecificity", evenThresholds,
     [](Math &m, const Json &config, const Counts &c) {
       return best(m, config, "specificity", specificity(m, c), recall(m, c));
     }},
    {"SpecificityAtSensitivity", evenThresholds,
     [](Math &m, const Json &config, const Counts &c) {
       return best(m, config, "sensitivity", recall(m, c), specificity(m, c));
     }},
    {"PrecisionAtRecall", evenThresholds,
     [](Math &m, const Json &config, const Counts &c) {
       return best(m, config, "recall", recall(m, c), precision(m, c));
     }},
    {"RecallAtPrecision", evenThresholds,
     [](Math &m, const Json &config, const Counts &c) {
       return best(m, config, "precision", precision(m, c), recall(m, c));
     }},
};

static bool check(ModelBuilder &model, const Json &where,
                  const MetricSpec &metric, const Output *output) {
  if (!output)
    return true;
  const Json &config = *metric.config;
  auto refuse = [&](const Twine &why, const Twine &help) {
    return refuseMetric(model, where, metric, why, help);
  };
  if (config.at("multi_label").asBool() == true && output->type.getRank() != 2)
    return refuse("has multi_label, but its output is no row of labels",
                  "leave multi_label out");
  int64_t classes = output->type.getShape().back();
  if (std::optional<int64_t> id = config.at("class_id").asInteger())
    if (*id < 0 || *id >= classes)
      return refuse("has a class_id that is none of the " + Twine(classes) +
                        " classes",
                    "give one from 0 to " + Twine(classes - 1));
  if (std::optional<int64_t> k = config.at("top_k").asInteger())
    if (*k < 1 || *k > classes)
      return refuse("has a top_k that is not between 1 and the " +
                        Twine(classes) + " classes",
                    "give a smaller one");
  std::vector<double> weights = numbers(config.at("label_weights"));
  if (!weights.empty() && static_cast<int64_t>(weights.size()) != classes)
    return refuse("has " + Twine(weights.size()) + " label_weights for " +
                      Twine(classes) + " labels",
                  "give one for each label");
  return true;
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

/// Predictions (...) as 1 or 0 for each threshold (..., thresholds).
static Value positives(Math &m, Value p, const Thresholds &thresholds) {
  int64_t count = static_cast<int64_t>(thresholds.values.size());
  if (!thresholds.even)
    return m.convert(m.compare(Predicate::gt, m.expandDims(p, -1),
                               m.constant(thresholds.values, {count})),
                     m.f32());
  // The bucket: the number of the last threshold below.
  Value scaled = m.multiply(m.clip(p, 0, 1), static_cast<double>(count - 1));
  Value bucket = m.subtract(m.negate(m.floor(m.negate(scaled))), 1.0);
  if (thresholds.openBelow)
    bucket = m.relu(bucket);
  return m.convert(m.compare(Predicate::ge, m.expandDims(bucket, -1),
                             m.iota(count, m.f32())),
                   m.f32());
}

/// Predictions that are not among the k highest of their row become -1e10. Of
/// equal ones the first are higher.
static Value filterTopK(Math &m, Value p, int64_t k) {
  int64_t classes = Math::size(p, -1);
  Value own = m.expandDims(p, -1), other = m.expandDims(p, Math::rank(p) - 1);
  Value number = m.iota(classes, m.f32());
  Value before = m.compare(Predicate::lt, number, m.expandDims(number, -1));
  Value higher =
      m.logicalOr(m.compare(Predicate::gt, other, own),
                  m.logicalAnd(m.compare(Predicate::eq, other, own), before));
  Value rank = m.sum(m.convert(higher, m.f32()), {-1});
  return m.select(m.compare(Predicate::lt, rank, static_cast<double>(k)), p,
                  kLowest);
}

static constexpr StringLiteral kCounts[] = {
    "true_positives", "false_positives", "true_negatives", "false_negatives"};

static void update(ModelBuilder &model, Math &m, const MetricSpec &spec,
                   const Comparison &given) {
  const Json &config = *spec.config;
  Value p = m.convert(given.prediction, m.f32());
  Value t = m.convert(m.compare(Predicate::ne, given.target, 0.0), m.f32());
  if (config.at("from_logits").asBool() == true)
    p = m.sigmoid(p);
  if (std::optional<int64_t> k = config.at("top_k").asInteger())
    p = filterTopK(m, p, *k);
  if (std::optional<int64_t> id = config.at("class_id").asInteger()) {
    p = m.slice(p, Math::rank(p) - 1, *id, *id + 1);
    t = m.slice(t, Math::rank(t) - 1, *id, *id + 1);
  }
  Value isTrue = t, isFalse = m.subtract(1.0, t);
  if (spec.weighted && given.weight) {
    Value weight = given.weight;
    while (Math::rank(weight) < Math::rank(p))
      weight = m.expandDims(weight, -1);
    isTrue = m.multiply(isTrue, weight);
    isFalse = m.multiply(isFalse, weight);
  }
  bool apart = config.at("multi_label").asBool() == true;
  std::vector<double> labelWeights = numbers(config.at("label_weights"));
  if (!labelWeights.empty() && !apart) {
    Value weight = m.constant(labelWeights, {Math::size(p, -1)});
    isTrue = m.multiply(isTrue, weight);
    isFalse = m.multiply(isFalse, weight);
  }
  isTrue = m.expandDims(isTrue, -1), isFalse = m.expandDims(isFalse, -1);
  Value positive =
      positives(m, p, findByClass(kMetrics, spec.function)->thresholds(config));
  Value negative = m.subtract(1.0, positive);
  Shape axes;
  for (int64_t i = 0; i < Math::rank(p); ++i)
    if (!apart || i == 0)
      axes.push_back(i);
  std::pair<Value, Value> products[] = {{isTrue, positive},
                                        {isFalse, positive},
                                        {isFalse, negative},
                                        {isTrue, negative}};
  for (auto [name, factors] : llvm::zip(kCounts, products))
    accumulate(model, m, metricVariable(spec, name),
               m.sum(m.multiply(factors.first, factors.second), axes));
}

static Value result(ModelBuilder &model, Math &m, const MetricSpec &spec) {
  Value counts[4];
  for (auto [name, count] : llvm::zip(kCounts, counts))
    count = accumulated(model, m, metricVariable(spec, name));
  const Entry *entry = findByClass(kMetrics, spec.function);
  return entry->result(m, *spec.config,
                       {counts[0], counts[1], counts[2], counts[3]});
}

const MetricFamily cornu::frontend::confusionMetrics = {
    [](StringRef name) { return classIn(kMetrics, name); },
    [] { return classNames(kMetrics); },
    [](StringRef, const Json &) { return false; },
    check,
    update,
    result};
