//===- adaptive.cpp - Adagrad, Adadelta, Ftrl -----------------------------===//
//
// w the variable, g its gradient, lr the learning rate.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/optimizer/Optimizer.h"

using namespace mlir;

namespace cornu::graph {

// a += g^2, w -= lr g / sqrt(a + eps)
static Value adagrad(Update &u) {
  Value a =
      u.add(u.slot("accumulator", u.number("initial_accumulator_value", 0.1)),
            u.square(u.gradient));
  u.assignSlot("accumulator", a);
  Value root = u.sqrt(u.add(a, u.number("epsilon", 1e-7)));
  return u.subtract(u.variable,
                    u.divide(u.multiply(u.gradient, u.learningRate), root));
}

// a = rho a + (1-rho) g^2, d = -sqrt(s + eps) g / sqrt(a + eps),
// s = rho s + (1-rho) d^2, w += lr d
static Value adadelta(Update &u) {
  double rho = u.number("rho", 0.95), epsilon = u.number("epsilon", 1e-7);
  auto average = [&](Value old, Value x) {
    return u.add(u.multiply(old, rho), u.multiply(u.square(x), 1 - rho));
  };
  auto root = [&](Value x) { return u.sqrt(u.add(x, epsilon)); };
  Value a = average(u.slot("accumulated_grad"), u.gradient);
  Value s = u.slot("accumulated_delta_var");
  Value d = u.negate(u.divide(u.multiply(root(s), u.gradient), root(a)));
  u.assignSlot("accumulated_grad", a);
  u.assignSlot("accumulated_delta_var", average(s, d));
  return u.add(u.variable, u.multiply(d, u.learningRate));
}

// McMahan et al., "Ad click prediction", KDD 2013, as in Keras.
static Value ftrl(Update &u) {
  double power = -u.number("learning_rate_power", -0.5);
  double l1 = u.number("l1_regularization_strength", 0);
  Value l2 = u.add(u.divide(u.scalar(u.number("beta", 0) / 2), u.learningRate),
                   u.number("l2_regularization_strength", 0));
  Value g = u.add(
      u.gradient,
      u.multiply(u.variable,
                 2 * u.number("l2_shrinkage_regularization_strength", 0)));
  Value n = u.slot("accumulator", u.number("initial_accumulator_value", 0.1));
  Value newN = u.add(n, u.square(u.gradient));
  Value root = u.power(newN, u.scalar(power));
  Value sigma =
      u.divide(u.subtract(root, u.power(n, u.scalar(power))), u.learningRate);
  Value z =
      u.add(u.slot("linear"), u.subtract(g, u.multiply(sigma, u.variable)));
  u.assignSlot("accumulator", newN);
  u.assignSlot("linear", z);
  Value quadratic = u.add(u.divide(root, u.learningRate), u.multiply(l2, 2.0));
  Value clipped = u.minimum(u.maximum(z, u.scalar(-l1)), u.scalar(l1));
  return u.divide(u.subtract(clipped, z), quadratic);
}

ArrayRef<OptimizerEntry> adaptiveOptimizers() {
  static const OptimizerEntry table[] = {
      {"Adagrad", adagrad, 0.001},
      {"Adadelta", adadelta, 0.001},
      {"Ftrl", ftrl, 0.001},
  };
  return table;
}

} // namespace cornu::graph
