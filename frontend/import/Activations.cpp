//===- Activations.cpp - Functions of keras.activations -------------------===//
//
// One formula per function, under the name that Keras stores: a string
// ("relu") or the class of an operation ("Relu", whose config holds the
// parameters). The formulas follow keras.src.activations and the JAX backend,
// so that the derivative at a kink is Keras's too.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;
using nn::Predicate;

static double parameter(const Json &config, StringRef key, double missing) {
  return config.at(key).asNumber().value_or(missing);
}

static Value linear(Math &, const Json &, Value x) { return x; }

// 0 at both kinks: relu gives it at 0, the choice at 6.
static Value relu6(Math &m, const Json &, Value x) {
  Value r = m.relu(x);
  return m.select(m.compare(Predicate::ge, x, 6.0),
                  m.scalar(6, nn::elementType(r)), r);
}

static Value leaky(Math &m, Value x, double slope) {
  return m.select(m.compare(Predicate::ge, x, 0.0), x, m.multiply(x, slope));
}

// relu with a slope below, a maximum and a threshold: as
// keras.activations.relu.
static Value relu(Math &m, const Json &config, Value x) {
  double slope = parameter(config, "negative_slope", 0);
  double threshold = parameter(config, "threshold", 0);
  std::optional<double> most = config.at("max_value").asNumber();
  if (slope == 0 && threshold == 0 && !most)
    return m.relu(x);
  if (slope != 0 && threshold == 0 && !most)
    return leaky(m, x, slope);
  Value below;
  if (slope != 0)
    below = m.relu(threshold != 0 ? m.subtract(threshold, x) : m.negate(x));
  Value y;
  bool clipped = most.has_value();
  if (threshold != 0) {
    y = m.select(m.compare(Predicate::gt, x, threshold), x, 0.0);
  } else if (most == 6.0) {
    y = relu6(m, config, x);
    clipped = false;
  } else {
    y = m.relu(x);
  }
  if (clipped)
    y = m.clip(y, 0, *most);
  return slope != 0 ? m.subtract(y, m.multiply(below, slope)) : y;
}

static Value leakyRelu(Math &m, const Json &config, Value x) {
  return leaky(m, x, parameter(config, "negative_slope", 0.2));
}

static Value eluOf(Math &m, Value x, double alpha) {
  Value positive = m.compare(Predicate::gt, x, 0.0);
  Value safe = m.select(positive, m.scalar(0, nn::elementType(x)), x);
  return m.select(positive, x, m.multiply(m.expm1(safe), alpha));
}

static Value elu(Math &m, const Json &config, Value x) {
  return eluOf(m, x, parameter(config, "alpha", 1));
}

static Value celu(Math &m, const Json &config, Value x) {
  double alpha = parameter(config, "alpha", 1);
  Value low = m.expm1(m.divide(m.minimum(x, 0.0), alpha));
  return m.add(m.maximum(x, 0.0), m.multiply(low, alpha));
}

static Value selu(Math &m, const Json &, Value x) {
  return m.multiply(eluOf(m, x, 1.6732632423543772), 1.0507009873554805);
}

static Value gelu(Math &m, const Json &config, Value x) {
  Value inner;
  if (config.at("approximate").asBool() == true) {
    Value cubic = m.multiply(m.multiply(m.square(x), x), 0.044715);
    inner = m.tanh(m.multiply(m.add(x, cubic), 0.7978845608028654));
  } else {
    inner = m.erf(m.multiply(x, 0.7071067811865476));
  }
  return m.multiply(m.multiply(x, 0.5), m.add(inner, 1.0));
}

static Value silu(Math &m, const Json &, Value x) {
  return m.multiply(x, m.sigmoid(x));
}

static Value hardSigmoid(Math &m, const Json &config, Value x) {
  return m.divide(relu6(m, config, m.add(x, 3.0)), 6.0);
}

static Value hardSilu(Math &m, const Json &config, Value x) {
  return m.multiply(x, hardSigmoid(m, config, x));
}

static Value sigmoid(Math &m, const Json &, Value x) { return m.sigmoid(x); }
static Value tanh(Math &m, const Json &, Value x) { return m.tanh(x); }
static Value exponential(Math &m, const Json &, Value x) { return m.exp(x); }
static Value softplus(Math &m, const Json &, Value x) { return m.softplus(x); }

static Value logSigmoid(Math &m, const Json &, Value x) {
  return m.negate(m.softplus(m.negate(x)));
}

static Value softsign(Math &m, const Json &, Value x) {
  return m.divide(x, m.add(m.absolute(x), 1.0));
}

static int64_t axisOf(const Json &config) {
  return config.at("axis").asInteger().value_or(-1);
}

// A list of axes: together, as if they were one.
static Value overAxes(Math &m, const Json &config, Value x, bool logarithm) {
  const Json &axes = config.at("axis");
  if (!axes.isArray() || axes.size() < 2) {
    int64_t axis = axes.isArray() ? axes.at(size_t{0}).asInteger().value_or(-1)
                                  : axisOf(config);
    return logarithm ? m.logSoftmax(x, axis) : m.softmax(x, axis);
  }
  Shape reduced;
  for (const Json *axis : axes.items())
    reduced.push_back(axis->asInteger().value_or(-1));
  Value shifted = m.subtract(x, m.stopGradient(m.max(x, reduced, true)));
  Value exponent = m.exp(shifted);
  Value total = m.sum(exponent, reduced, true);
  return logarithm ? m.subtract(shifted, m.log(total))
                   : m.divide(exponent, total);
}

static Value softmax(Math &m, const Json &config, Value x) {
  return overAxes(m, config, x, false);
}

static Value logSoftmax(Math &m, const Json &config, Value x) {
  return overAxes(m, config, x, true);
}

// As Keras 3 computes it: with the elements sorted downward, c_r the sum of the
// first r, and the support where z_r > (c_r - 1) / r,
//
//   tau = (sum of c_r over the support - 1) / size of the support
//
// (Martins and Astudillo, 2016, have the last c_r of the support in place of
// the sum; the numbers here are Keras's.) Comparing all pairs needs no sort;
// equal elements count in the order of their positions.
static Value sparsemax(Math &m, const Json &config, Value x) {
  int64_t axis = m.axis(x, axisOf(config));
  if (axis < 0)
    return {};
  x = m.toFloat(x);
  Type type = nn::elementType(x);
  bool last = axis == Math::rank(x) - 1;
  Value z = last ? x : m.swap(x, axis, -1);
  int64_t size = Math::size(z, -1);
  Value others = m.expandDims(z, -2);
  Value self = m.expandDims(z, -1);
  Value position = m.iota(size, m.i32());
  Value earlier = m.compare(Predicate::le, m.expandDims(position, 0),
                            m.expandDims(position, 1));
  Value ties = m.logicalAnd(m.compare(Predicate::eq, others, self), earlier);
  Value before = m.logicalOr(m.compare(Predicate::gt, others, self), ties);
  Value rank = m.sum(m.convert(before, type), {-1});
  Value total = m.sum(m.select(before, others, 0.0), {-1});
  Value bound = m.divide(m.subtract(total, 1.0), rank);
  Value inside = m.compare(Predicate::gt, z, bound);
  Value count = m.sum(m.convert(inside, type), {-1}, true);
  Value sums = m.sum(m.select(inside, total, 0.0), {-1}, true);
  Value tau = m.divide(m.subtract(sums, 1.0), count);
  Value y = m.maximum(m.subtract(z, tau), 0.0);
  return last ? y : m.swap(y, axis, -1);
}

static Value hardTanh(Math &m, const Json &, Value x) {
  Type type = nn::elementType(x);
  Value low =
      m.select(m.compare(Predicate::lt, x, -1.0), m.scalar(-1, type), x);
  return m.select(m.compare(Predicate::gt, x, 1.0), m.scalar(1, type), low);
}

static Value tanhShrink(Math &m, const Json &, Value x) {
  return m.subtract(x, m.tanh(x));
}

static Value softShrink(Math &m, const Json &config, Value x) {
  double t = parameter(config, "threshold", 0.5);
  Value low = m.select(m.compare(Predicate::lt, x, -t), m.add(x, t), 0.0);
  return m.select(m.compare(Predicate::gt, x, t), m.subtract(x, t), low);
}

static Value hardShrink(Math &m, const Json &config, Value x) {
  double t = parameter(config, "threshold", 0.5);
  return m.select(m.compare(Predicate::gt, m.absolute(x), t), x, 0.0);
}

static Value squareplus(Math &m, const Json &config, Value x) {
  double b = parameter(config, "b", 4);
  return m.multiply(m.add(x, m.sqrt(m.add(m.square(x), b))), 0.5);
}

static Value sparsePlus(Math &m, const Json &, Value x) {
  Value middle = m.multiply(m.square(m.add(x, 1.0)), 0.25);
  Value high = m.select(m.compare(Predicate::lt, x, 1.0), middle, x);
  return m.select(m.compare(Predicate::le, x, -1.0),
                  m.scalar(0, nn::elementType(x)), high);
}

static Value sparseSigmoid(Math &m, const Json &, Value x) {
  Type type = nn::elementType(x);
  Value middle = m.multiply(m.add(x, 1.0), 0.5);
  Value high =
      m.select(m.compare(Predicate::ge, x, 1.0), m.scalar(1, type), middle);
  return m.select(m.compare(Predicate::le, x, -1.0), m.scalar(0, type), high);
}

static Value mish(Math &m, const Json &, Value x) {
  return m.multiply(x, m.tanh(m.softplus(x)));
}

static Value glu(Math &m, const Json &config, Value x) {
  int64_t axis = m.axis(x, axisOf(config));
  if (axis < 0)
    return {};
  int64_t size = Math::size(x, axis);
  if (size % 2 != 0) {
    m.fail("glu needs an even size along its axis, has " + Twine(size));
    return {};
  }
  return m.multiply(m.slice(x, axis, 0, size / 2),
                    m.sigmoid(m.slice(x, axis, size / 2, size)));
}

static Value threshold(Math &m, const Json &config, Value x) {
  return m.select(
      m.compare(Predicate::gt, x, parameter(config, "threshold", 0)), x,
      parameter(config, "default_value", parameter(config, "value", 0)));
}

namespace {
struct Entry {
  StringRef name;
  Value (*apply)(Math &, const Json &, Value);
};
} // namespace

static constexpr Entry kActivations[] = {
    {"celu", celu},
    {"elu", elu},
    {"exponential", exponential},
    {"gelu", gelu},
    {"glu", glu},
    {"hard_shrink", hardShrink},
    {"hard_sigmoid", hardSigmoid},
    {"hard_silu", hardSilu},
    {"hard_swish", hardSilu},
    {"hard_tanh", hardTanh},
    {"leaky_relu", leakyRelu},
    {"linear", linear},
    {"log_sigmoid", logSigmoid},
    {"log_softmax", logSoftmax},
    {"mish", mish},
    {"relu", relu},
    {"relu6", relu6},
    {"selu", selu},
    {"sigmoid", sigmoid},
    {"silu", silu},
    {"soft_shrink", softShrink},
    {"softmax", softmax},
    {"softplus", softplus},
    {"softsign", softsign},
    {"sparse_plus", sparsePlus},
    {"sparse_sigmoid", sparseSigmoid},
    {"sparsemax", sparsemax},
    {"squareplus", squareplus},
    {"swish", silu},
    {"tanh", tanh},
    {"tanh_shrink", tanhShrink},
    {"threshold", threshold},
};

static const Entry *findActivation(StringRef name) {
  std::string snake = name == "ReLU" ? "relu" : snakeCase(name);
  for (const Entry &entry : kActivations)
    if (entry.name == snake || entry.name == name)
      return &entry;
  return nullptr;
}

bool cornu::frontend::isActivation(StringRef name) {
  return findActivation(name) != nullptr;
}

Value cornu::frontend::applyActivation(Math &math, StringRef name,
                                       const Json &config, Value x) {
  const Entry *entry = findActivation(name);
  if (!entry || !x)
    return {};
  return entry->apply(math, config, math.toFloat(x));
}

std::vector<std::string> cornu::frontend::activationNames() {
  std::vector<std::string> names;
  for (const Entry &entry : kActivations)
    names.push_back(entry.name.str());
  return names;
}
