//===- schedules.cpp - Learning rates that change with the iteration ------===//
//
// s the iteration from 0, as a float scalar; formulas of
// keras.optimizers.schedules.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/optimizer/Optimizer.h"

#include <cmath>

using namespace mlir;
using cornu::nn::Predicate;

namespace cornu::graph {

namespace {
struct Schedule : Math {
  Schedule(const Math &math, const Config &config)
      : Math(math), config(config) {}
  const Config &config;

  using Math::number;
  double number(StringRef key, double otherwise = 0) const {
    return config.number(key, otherwise);
  }
  double initial() const { return number("initial_learning_rate", 0.001); }
  Value over(Value s, double steps) const {
    return divide(s, number(s, steps));
  }
  Value ceil(Value x) const { return negate(floor(negate(x))); }
};
} // namespace

/// s / decay_steps, rounded down under `staircase`.
static Value progress(const Schedule &c, Value s) {
  Value p = c.over(s, c.number("decay_steps", 1));
  return c.config.flag("staircase") ? c.floor(p) : p;
}

// lr0 rate^(s / steps)
static Value exponentialDecay(const Schedule &c, Value s) {
  Value rate = c.number(s, c.number("decay_rate", 1));
  return c.multiply(c.power(rate, progress(c, s)), c.initial());
}

// lr0 / (1 + rate s / steps)
static Value inverseTimeDecay(const Schedule &c, Value s) {
  Value denominator =
      c.add(c.multiply(progress(c, s), c.number("decay_rate", 1)), 1.0);
  return c.divide(c.number(s, c.initial()), denominator);
}

// values[i] for boundaries[i-1] < s <= boundaries[i]
static Value piecewiseConstantDecay(const Schedule &c, Value s) {
  SmallVector<double> boundaries = c.config.numbers("boundaries"),
                      values = c.config.numbers("values");
  if (values.size() != boundaries.size() + 1)
    return {};
  Value rate = c.number(s, values.back());
  for (size_t i = boundaries.size(); i-- > 0;)
    rate = c.select(c.compare(Predicate::le, s, boundaries[i]),
                    c.number(s, values[i]), rate);
  return rate;
}

// (lr0 - end)(1 - min(s, n) / n)^power + end; under `cycle` n grows to the
// next multiple of the steps instead.
static Value polynomialDecay(const Schedule &c, Value s) {
  double n = c.number("decay_steps", 1);
  double end = c.number("end_learning_rate", 0.0001);
  Value p;
  if (c.config.flag("cycle")) {
    Value multiplier = c.select(c.compare(Predicate::eq, s, 0.0),
                                c.number(s, 1.0), c.ceil(c.over(s, n)));
    p = c.divide(s, c.multiply(multiplier, n));
  } else {
    p = c.over(c.minimum(s, c.number(s, n)), n);
  }
  Value rest = c.power(c.subtract(c.number(s, 1.0), p),
                       c.number(s, c.number("power", 1.0)));
  return c.add(c.multiply(rest, c.initial() - end), end);
}

/// (1 + cos(pi x)) / 2
static Value cosineHalf(const Schedule &c, Value x) {
  Value cosine = c.make<nn::CosOp>(c.multiply(x, M_PI));
  return c.multiply(c.add(cosine, 1.0), 0.5);
}

// lr0 ((1 - alpha) (1 + cos(pi min(s, n) / n)) / 2 + alpha); with a warmup,
// linear from lr0 to the target first, then the cosine from the target.
static Value cosineDecay(const Schedule &c, Value s) {
  double n = c.number("decay_steps", 1), alpha = c.number("alpha", 0);
  double warmup = c.number("warmup_steps", 0);
  std::optional<double> target = c.config.number("warmup_target");
  auto decay = [&](Value s, double start) {
    Value x = c.over(c.minimum(s, c.number(s, n)), n);
    Value factor = c.add(c.multiply(cosineHalf(c, x), 1 - alpha), alpha);
    return c.multiply(factor, start);
  };
  if (!target)
    return decay(s, c.initial());
  Value cosine = decay(c.subtract(s, warmup), *target);
  if (warmup == 0)
    return cosine;
  Value linear =
      c.add(c.multiply(c.over(s, warmup), *target - c.initial()), c.initial());
  return c.select(c.compare(Predicate::lt, s, warmup), linear, cosine);
}

// Cosines of periods first, first t, first t^2, ..., of heights m^i.
// Loshchilov and Hutter, "SGDR", ICLR 2017.
static Value cosineDecayRestarts(const Schedule &c, Value s) {
  double t = c.number("t_mul", 2), m = c.number("m_mul", 1),
         alpha = c.number("alpha", 0);
  Value fraction = c.over(s, c.number("first_decay_steps", 1));
  Value i;
  if (t == 1) {
    i = c.floor(fraction);
    fraction = c.subtract(fraction, i);
  } else {
    Value grown = c.subtract(c.number(s, 1.0), c.multiply(fraction, 1 - t));
    i = c.floor(c.divide(c.log(grown), c.number(s, std::log(t))));
    Value period = c.power(c.number(s, t), i);
    Value start =
        c.divide(c.subtract(c.number(s, 1.0), period), c.number(s, 1 - t));
    fraction = c.divide(c.subtract(fraction, start), period);
  }
  Value height = c.power(c.number(s, m), i);
  Value cosine = c.multiply(height, cosineHalf(c, fraction));
  Value factor = c.add(c.multiply(cosine, 1 - alpha), alpha);
  return c.multiply(factor, c.initial());
}

Value buildSchedule(const Math &math, const Config &config, Value iteration) {
  using Rule = Value (*)(const Schedule &, Value);
  static const std::pair<StringLiteral, Rule> table[] = {
      {"ExponentialDecay", exponentialDecay},
      {"InverseTimeDecay", inverseTimeDecay},
      {"PiecewiseConstantDecay", piecewiseConstantDecay},
      {"PolynomialDecay", polynomialDecay},
      {"CosineDecay", cosineDecay},
      {"CosineDecayRestarts", cosineDecayRestarts},
  };
  for (auto &[name, rule] : table)
    if (name.equals_insensitive(config.className()))
      return rule(Schedule(math, config), iteration);
  return {};
}

} // namespace cornu::graph
