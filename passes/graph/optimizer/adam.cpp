//===- adam.cpp - Adam and its relatives ----------------------------------===//
//
// w the variable, g its gradient, lr the learning rate, k the step from 1,
// b1 and b2 the decays of the two moments. Epsilon stands outside the root.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/optimizer/Optimizer.h"

using namespace mlir;

namespace cornu::graph {

/// slot += (x - slot)(1 - beta)
static Value moment(Update &u, StringRef slot, Value x, double beta) {
  Value old = u.slot(slot);
  Value updated = u.add(old, u.multiply(u.subtract(x, old), 1 - beta));
  u.assignSlot(slot, updated);
  return updated;
}

static double beta1(const Update &u) { return u.number("beta_1", 0.9); }
static double beta2(const Update &u) { return u.number("beta_2", 0.999); }
static double epsilon(const Update &u) { return u.number("epsilon", 1e-7); }

// w -= m alpha / (sqrt(v) + eps), alpha = lr sqrt(1 - b2^k) / (1 - b1^k)
Value adamStep(Update &u, double beta1, double beta2, Value learningRate) {
  Value alpha = u.divide(
      u.multiply(learningRate, u.sqrt(u.oneMinus(u.powerOfStep(beta2)))),
      u.oneMinus(u.powerOfStep(beta1)));
  Value m = moment(u, "momentum", u.gradient, beta1);
  Value v = moment(u, "velocity", u.square(u.gradient), beta2);
  if (u.config.flag("amsgrad")) {
    v = u.maximum(u.slot("velocity_hat"), v);
    u.assignSlot("velocity_hat", v);
  }
  return u.subtract(
      u.variable, u.divide(u.multiply(m, alpha), u.add(u.sqrt(v), epsilon(u))));
}

static Value adam(Update &u) {
  return adamStep(u, beta1(u), beta2(u), u.learningRate);
}

// u = max(b2 u, |g|), w -= lr m / ((1 - b1^k)(u + eps))
static Value adamax(Update &u) {
  Value m = moment(u, "momentum", u.gradient, beta1(u));
  Value norm = u.maximum(u.multiply(u.slot("norm"), beta2(u)),
                         u.make<nn::AbsoluteOp>(u.gradient));
  u.assignSlot("norm", norm);
  Value correction = u.oneMinus(u.powerOfStep(beta1(u)));
  return u.subtract(u.variable,
                    u.divide(u.multiply(m, u.learningRate),
                             u.multiply(u.add(norm, epsilon(u)), correction)));
}

// Nesterov momentum with the decays u_k = b1 (1 - 0.96^k / 2), whose product
// so far is the variable optimizer/u_product, multiplied once per step.
static Value nadam(Update &u) {
  auto scalarType = RankedTensorType::get({}, nn::elementType(u.variable));
  auto decay = [&](Value step) {
    Value power = u.power(u.scalar(0.96), step);
    return u.multiply(u.oneMinus(u.multiply(power, 0.5)), beta1(u));
  };
  Value now = decay(u.step), next = decay(u.add(u.step, 1.0));
  // Every variable reads the product before the step and assigns the same.
  StringRef name = "optimizer/u_product";
  Value product = u.multiply(u.state.read(name, scalarType, 1), now);
  u.state.assign(name, product);
  Value m = moment(u, "momentum", u.gradient, beta1(u));
  Value v = moment(u, "velocity", u.square(u.gradient), beta2(u));
  Value ahead =
      u.divide(u.multiply(m, next), u.oneMinus(u.multiply(product, next)));
  Value current =
      u.divide(u.multiply(u.gradient, u.oneMinus(now)), u.oneMinus(product));
  Value corrected = u.divide(v, u.oneMinus(u.powerOfStep(beta2(u))));
  return u.subtract(u.variable,
                    u.divide(u.multiply(u.add(ahead, current), u.learningRate),
                             u.add(u.sqrt(corrected), epsilon(u))));
}

// r = (m / (1 - b1^k)) / (sqrt(v / (1 - b2^k)) + eps), w -= lr r |w| / |r|
static Value lamb(Update &u) {
  Value m = moment(u, "momentum", u.gradient, beta1(u));
  Value v = moment(u, "velocity", u.square(u.gradient), beta2(u));
  Value mean = u.divide(m, u.oneMinus(u.powerOfStep(beta1(u))));
  Value root = u.sqrt(u.divide(v, u.oneMinus(u.powerOfStep(beta2(u)))));
  Value r = u.divide(mean, u.add(root, epsilon(u)));
  Value wNorm = u.sqrt(u.sumAll(u.square(u.variable)));
  Value rNorm = u.sqrt(u.sumAll(u.square(r)));
  Value one = u.scalar(1);
  Value ratio = u.select(u.compare(nn::Predicate::gt, rNorm, 0.0),
                         u.divide(wNorm, rNorm), one);
  ratio = u.select(u.compare(nn::Predicate::gt, wNorm, 0.0), ratio, one);
  return u.subtract(u.variable,
                    u.multiply(r, u.multiply(ratio, u.learningRate)));
}

ArrayRef<OptimizerEntry> adamOptimizers() {
  static const OptimizerEntry table[] = {
      {"Adam", adam, 0.001},     {"AdamW", adam, 0.001, 0.004},
      {"Adamax", adamax, 0.001}, {"Nadam", nadam, 0.001},
      {"Lamb", lamb, 0.001},
  };
  return table;
}

} // namespace cornu::graph
