//===- momentum.cpp - SGD, RMSprop, Lion ----------------------------------===//
//
// w the variable, g its gradient, lr the learning rate.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/optimizer/Optimizer.h"

using namespace mlir;

namespace cornu::graph {

// w -= lr g, or with momentum mu: m = mu m - lr g, and w += m, or
// w += mu m - lr g under Nesterov.
static Value sgd(Update &u) {
  Value scaled = u.multiply(u.gradient, u.learningRate);
  double mu = u.number("momentum", 0);
  if (mu == 0)
    return u.subtract(u.variable, scaled);
  Value m = u.subtract(u.multiply(u.slot("momentum"), mu), scaled);
  u.assignSlot("momentum", m);
  if (u.config.flag("nesterov"))
    return u.add(u.variable, u.subtract(u.multiply(m, mu), scaled));
  return u.add(u.variable, m);
}

// v = rho v + (1 - rho) g^2, w -= lr g / sqrt(v + eps); centered: the variance
// v - mean(g)^2 in place of v; momentum: of the increments.
static Value rmsprop(Update &u) {
  double rho = u.number("rho", 0.9), mu = u.number("momentum", 0);
  auto average = [&](StringRef slot, Value x) {
    Value mean = u.add(u.multiply(u.slot(slot), rho), u.multiply(x, 1 - rho));
    u.assignSlot(slot, mean);
    return mean;
  };
  Value denominator = average("velocity", u.square(u.gradient));
  if (u.config.flag("centered"))
    denominator = u.subtract(denominator,
                             u.square(average("average_gradient", u.gradient)));
  denominator = u.add(denominator, u.number("epsilon", 1e-7));
  Value increment =
      u.divide(u.multiply(u.gradient, u.learningRate), u.sqrt(denominator));
  if (mu > 0) {
    increment = u.add(u.multiply(u.slot("momentum"), mu), increment);
    u.assignSlot("momentum", increment);
  }
  return u.subtract(u.variable, increment);
}

// w -= lr sign(b1 m + (1 - b1) g), then m = b2 m + (1 - b2) g.
static Value lion(Update &u) {
  double b1 = u.number("beta_1", 0.9), b2 = u.number("beta_2", 0.99);
  Value m = u.slot("momentum");
  auto mix = [&](double b) {
    return u.add(u.multiply(m, b), u.multiply(u.gradient, 1 - b));
  };
  u.assignSlot("momentum", mix(b2));
  Value direction = u.make<nn::SignOp>(mix(b1));
  return u.subtract(u.variable, u.multiply(direction, u.learningRate));
}

ArrayRef<OptimizerEntry> momentumOptimizers() {
  static const OptimizerEntry table[] = {
      {"SGD", sgd, 0.01},
      {"RMSprop", rmsprop, 0.001},
      {"Lion", lion, 0.001},
  };
  return table;
}

} // namespace cornu::graph
