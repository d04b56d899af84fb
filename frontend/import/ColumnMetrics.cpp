//===- ColumnMetrics.cpp - Metrics with sums for each column --------------===//
//
// F-scores and R2: predictions and targets are (samples, columns), and a metric
// adds up a few rows of (columns) in variables metrics/KEY/... . Formulas and
// order of operations are those of keras.metrics.FBetaScore and R2Score.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Training.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;
using nn::Predicate;

static constexpr double kEpsilon = 1e-7;

/// A row of sums; weights are (samples) or null.
static Value columnSums(Math &m, Value values, Value weight) {
  if (weight)
    values = m.multiply(values, m.expandDims(weight, -1));
  return m.sum(values, {0});
}

//===----------------------------------------------------------------------===//
// F-scores
//===----------------------------------------------------------------------===//

static void updateScore(ModelBuilder &model, Math &m, const MetricSpec &spec,
                        Value p, Value t, Value weight) {
  std::optional<double> threshold = spec.config->at("threshold").asNumber();
  // Without a threshold a row's maximum counts, but for a row of zeros.
  Value positive =
      threshold
          ? m.compare(Predicate::gt, p, *threshold)
          : m.logicalAnd(m.compare(Predicate::ge, p, m.max(p, {-1}, true)),
                         m.compare(Predicate::gt, m.absolute(p), 1e-9));
  p = m.convert(positive, m.f32());
  bool micro = spec.config->at("average").str() == "micro";
  auto add = [&](StringRef part, Value values) {
    Value sums = columnSums(m, values, weight);
    accumulate(model, m, metricVariable(spec, part),
               micro ? m.sumAll(sums) : sums);
  };
  add("true_positives", m.multiply(p, t));
  add("false_positives", m.multiply(p, m.subtract(1.0, t)));
  add("false_negatives", m.multiply(m.subtract(1.0, p), t));
  add("intermediate_weights", t);
}

static Value scoreResult(ModelBuilder &model, Math &m, const MetricSpec &spec) {
  auto sums = [&](StringRef part) {
    return accumulated(model, m, metricVariable(spec, part));
  };
  Value tp = sums("true_positives");
  auto rate = [&](StringRef wrong) {
    return m.divide(tp, m.add(m.add(tp, sums(wrong)), kEpsilon));
  };
  Value precision = rate("false_positives"), recall = rate("false_negatives");
  double beta = spec.config->at("beta").asNumber().value_or(1);
  Value both = m.add(m.multiply(precision, beta * beta), recall);
  Value mean = m.divide(m.multiply(precision, recall), m.add(both, kEpsilon));
  Value score = m.multiply(mean, 1 + beta * beta);
  StringRef average = spec.config->at("average").str();
  if (average == "macro")
    return m.mean(score, {0});
  if (average != "weighted")
    return score; // one for each column, or of all (micro)
  Value support = sums("intermediate_weights");
  Value total = m.add(m.sumAll(support), kEpsilon);
  return m.sumAll(m.multiply(score, m.divide(support, total)));
}

//===----------------------------------------------------------------------===//
// R2
//===----------------------------------------------------------------------===//

static void updateR2(ModelBuilder &model, Math &m, const MetricSpec &spec,
                     Value p, Value t, Value weight) {
  auto add = [&](StringRef part, Value values) {
    accumulate(model, m, metricVariable(spec, part),
               columnSums(m, values, weight));
  };
  add("sum", t);
  add("squared_sum", m.square(t));
  add("residual", m.square(m.subtract(t, p)));
  Value ones = m.broadcast(m.scalar(1), Math::shape(t), t);
  add("count", ones);
  // Keras counts elements.
  accumulate(model, m, metricVariable(spec, "num_samples"), m.sumAll(ones));
}

/// 1 - (1 - r2) (n - 1) / (n - p - 1): adjusted for p regressors; r2 itself if
/// they are too many.
static Value adjusted(Math &m, Value r2, Value samples, double regressors) {
  Value freedom = m.subtract(samples, regressors + 1);
  Value enough = m.compare(Predicate::gt, freedom, 0.0);
  Value unexplained = m.multiply(m.subtract(1.0, r2), m.subtract(samples, 1.0));
  Value better =
      m.subtract(1.0, m.divide(unexplained, m.select(enough, freedom, 1.0)));
  return m.select(enough, better, r2);
}

static Value r2Result(ModelBuilder &model, Math &m, const MetricSpec &spec) {
  auto sums = [&](StringRef part) {
    return accumulated(model, m, metricVariable(spec, part));
  };
  Value sum = sums("sum"), count = sums("count");
  Value total =
      m.subtract(sums("squared_sum"), m.multiply(sum, m.divide(sum, count)));
  Value raw = m.subtract(1.0, m.divide(sums("residual"), total));
  // Keras: 0 where the total is 0 and the residual is not.
  Value infinite = m.compare(Predicate::eq, m.absolute(raw),
                             std::numeric_limits<double>::infinity());
  raw = m.select(infinite, m.scalar(0), raw);
  const Json &aggregation = spec.config->at("class_aggregation");
  Value r2 = raw;
  if (aggregation.str() == "variance_weighted_average")
    r2 = m.divide(m.sumAll(m.multiply(total, raw)), m.sumAll(total));
  else if (!aggregation.isNull() || !spec.config->has("class_aggregation"))
    r2 = m.mean(raw, {0});
  double regressors = spec.config->at("num_regressors").asNumber().value_or(0);
  return regressors == 0 ? r2
                         : adjusted(m, r2, sums("num_samples"), regressors);
}

//===----------------------------------------------------------------------===//
// The family
//===----------------------------------------------------------------------===//

namespace {
struct Entry {
  StringRef className;
  void (*update)(ModelBuilder &, Math &, const MetricSpec &, Value p, Value t,
                 Value weight);
  Value (*result)(ModelBuilder &, Math &, const MetricSpec &);
};
} // namespace

static constexpr Entry kMetrics[] = {{"F1Score", updateScore, scoreResult},
                                     {"FBetaScore", updateScore, scoreResult},
                                     {"R2Score", updateR2, r2Result}};

static bool check(ModelBuilder &model, const Json &where,
                  const MetricSpec &spec, const Output *output) {
  if (output && output->type.getRank() != 2)
    return refuseMetric(model, where, spec,
                        "is of outputs of (samples, columns)",
                        "use one that is a mean over all elements");
  return true;
}

static void update(ModelBuilder &model, Math &m, const MetricSpec &spec,
                   const Comparison &given) {
  findByClass(kMetrics, spec.function)
      ->update(model, m, spec, m.convert(given.prediction, m.f32()),
               m.convert(given.target, m.f32()),
               spec.weighted ? given.weight : Value());
}

static Value result(ModelBuilder &model, Math &m, const MetricSpec &spec) {
  return findByClass(kMetrics, spec.function)->result(model, m, spec);
}

const MetricFamily cornu::frontend::columnMetrics = {
    [](StringRef name) { return classIn(kMetrics, name); },
    [] { return classNames(kMetrics); },
    [](StringRef, const Json &) { return false; },
    check,
    update,
    result};
