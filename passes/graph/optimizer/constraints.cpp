//===- constraints.cpp - Constraints on variables as nn IR ----------------===//
//
// Formulas and order of operations are those of keras.constraints. A norm is
// over `axis`, one or several, of the variable in Keras's layout.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/optimizer/Optimizer.h"

using namespace mlir;

namespace cornu::graph {

static constexpr double kEpsilon = 1e-7;

static Value norms(const Math &m, const Config &config, Value w) {
  int64_t rank = nn::tensorType(w).getRank();
  SmallVector<double> numbers = config.numbers("axis");
  if (numbers.empty())
    numbers.push_back(config.number("axis", 0));
  SmallVector<int64_t> axes;
  for (double number : numbers) {
    auto axis = static_cast<int64_t>(number);
    axes.push_back(axis < 0 ? axis + rank : axis);
  }
  llvm::sort(axes);
  return m.sqrt(m.sum(m.square(w), axes, /*keepAxes=*/true));
}

static Value clip(const Math &m, Value x, double low, double high) {
  return m.minimum(m.maximum(x, m.number(x, low)), m.number(x, high));
}

/// w with the norms `desired` in place of `norms`.
static Value scale(const Math &m, Value w, Value desired, Value norms) {
  return m.multiply(w, m.divide(desired, m.add(norms, kEpsilon)));
}

static Value maxNorm(const Math &m, const Config &config, Value w) {
  Value n = norms(m, config, w);
  return scale(m, w, clip(m, n, 0, config.number("max_value", 2)), n);
}

static Value nonNegative(const Math &m, const Config &, Value w) {
  return m.maximum(w, m.number(w, 0));
}

static Value unitNorm(const Math &m, const Config &config, Value w) {
  return m.divide(w, m.add(norms(m, config, w), kEpsilon));
}

static Value minMaxNorm(const Math &m, const Config &config, Value w) {
  Value n = norms(m, config, w);
  double rate = config.number("rate", 1);
  Value clipped =
      clip(m, n, config.number("min_value", 0), config.number("max_value", 1));
  return scale(m, w, m.add(m.multiply(clipped, rate), m.multiply(n, 1 - rate)),
               n);
}

namespace {
struct Entry {
  StringLiteral className; // in lower case, see Config
  Value (*apply)(const Math &, const Config &, Value);
};
} // namespace

static constexpr Entry kConstraints[] = {{"maxnorm", maxNorm},
                                         {"nonneg", nonNegative},
                                         {"unitnorm", unitNorm},
                                         {"minmaxnorm", minMaxNorm}};

Value constrain(const Math &m, const Config &constraint, Value value) {
  for (const Entry &entry : kConstraints)
    if (entry.className == constraint.className())
      return entry.apply(m, constraint, value);
  return {};
}

} // namespace cornu::graph
