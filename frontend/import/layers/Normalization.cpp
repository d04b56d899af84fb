//===- Normalization.cpp - Normalization layers ---------------------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// Moves one axis to the end and returns how to move it back.
static Value axisToEnd(Math &m, Value x, int64_t axis, Shape &inverse) {
  int64_t rank = Math::rank(x);
  Shape permutation;
  for (int64_t i = 0; i < rank; ++i)
    if (i != axis)
      permutation.push_back(i);
  permutation.push_back(axis);
  inverse.resize(rank);
  for (int64_t i = 0; i < rank; ++i)
    inverse[permutation[i]] = i;
  return m.transpose(x, permutation);
}

namespace {
struct Moments {
  Value mean, variance;
};
} // namespace

// Of all axes but the last. With a mask, of the positions that count.
static Moments moments(Math &m, Value x, Value mask) {
  Shape axes;
  for (int64_t i = 0; i + 1 < Math::rank(x); ++i)
    axes.push_back(i);
  if (!mask) {
    Value mean = m.mean(x, axes);
    return {mean, m.mean(m.square(m.subtract(x, mean)), axes)};
  }
  Value weights = m.convert(m.expandDims(mask, -1), nn::elementType(x));
  Value total = m.add(m.sum(weights, axes), 1e-7);
  Value mean = m.divide(m.sum(m.multiply(weights, x), axes), total);
  Value squares = m.square(m.subtract(x, mean));
  return {mean, m.divide(m.sum(m.multiply(weights, squares), axes), total)};
}

// y = x * inv + (beta - mean * inv), inv = gamma / sqrt(variance + epsilon):
// Keras's order of operations.
static Value scaleAndShift(Math &m, Value x, Moments of, double epsilon,
                           Value gamma, Value beta) {
  Value inv = m.rsqrt(m.add(of.variance, epsilon));
  if (gamma)
    inv = m.multiply(inv, gamma);
  Value shift = m.negate(m.multiply(of.mean, inv));
  if (beta)
    shift = m.add(shift, beta);
  return m.add(m.multiply(x, inv), shift);
}

static void importBatchNormalization(LayerCall &call) {
  Math &m = call.math;
  call.refuse("renorm", "batch renormalization is not supported: use plain "
                        "batch normalization");
  if (!call.expectRank(2, 16))
    return;
  Value x = m.toFloat(call.input());
  int64_t axis = m.axis(x, call.config.at("axis").asInteger().value_or(-1));
  if (axis < 1) {
    call.errorAt("axis", "the axis must not be the batch");
    return;
  }
  int64_t channels = Math::size(x, axis);
  double epsilon = call.number("epsilon", 1e-3);
  double momentum = call.number("momentum", 0.99);
  Value gamma, beta;
  if (call.boolean("scale", true))
    gamma = call.weight("gamma", {channels});
  if (call.boolean("center", true))
    beta = call.weight("beta", {channels});
  Value movingMean =
      call.state("moving_mean", {channels}, call.initializer("moving_mean"));
  Value movingVariance = call.state("moving_variance", {channels},
                                    call.initializer("moving_variance"));
  Shape inverse;
  bool last = axis == Math::rank(x) - 1;
  if (!last)
    x = axisToEnd(m, x, axis, inverse);
  Value mask = call.maskArgument(2);
  if (mask && (!last || Math::rank(mask) != Math::rank(x) - 1))
    mask = {};
  auto infer = [&] {
    return scaleAndShift(m, x, {movingMean, movingVariance}, epsilon, gamma,
                         beta);
  };
  auto train = [&] {
    Moments batch = moments(m, x, mask);
    auto moved = [&](Value old, Value fresh) {
      return m.add(m.multiply(old, momentum), m.multiply(fresh, 1 - momentum));
    };
    call.assign("moving_mean", moved(movingMean, batch.mean));
    call.assign("moving_variance", moved(movingVariance, batch.variance));
    return scaleAndShift(m, x, batch, epsilon, gamma, beta);
  };
  // A frozen layer normalizes with its averages even in training.
  Value y = call.scope.trainable ? m.ifTraining(train, infer) : infer();
  call.result(last ? y : m.transpose(y, inverse));
}

static bool readAxes(LayerCall &call, Value x, Shape &axes) {
  const Json &json = call.config.at("axis");
  bool known = true;
  auto add = [&](const Json &item) {
    std::optional<int64_t> value = item.asInteger();
    int64_t axis = value ? call.math.axis(x, *value) : -1;
    if (axis < 0)
      call.errorAt("axis", "axis must be an integer or a list of integers "
                           "within the input's rank");
    known &= axis >= 0;
    axes.push_back(axis);
  };
  if (json.isArray())
    for (const Json *item : json.items())
      add(*item);
  else if (json.isNull())
    axes.push_back(Math::rank(x) - 1);
  else
    add(json);
  if (!known)
    return false;
  llvm::sort(axes);
  if (axes.empty() ||
      std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
    call.errorAt("axis", "axis must name at least one axis, and none twice");
    return false;
  }
  return true;
}

static Shape sizesOf(Value x, ArrayRef<int64_t> axes) {
  Shape out;
  for (int64_t axis : axes)
    out.push_back(Math::size(x, axis));
  return out;
}

// A weight over some axes, as a tensor that broadcasts with x.
static Value alignWeight(Math &m, Value weight, Value x,
                         ArrayRef<int64_t> axes) {
  Shape shape;
  for (int64_t i = axes[0]; i < Math::rank(x); ++i)
    shape.push_back(llvm::is_contained(axes, i) ? Math::size(x, i) : 1);
  return m.reshape(weight, shape);
}

static void importLayerNormalization(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  Shape axes;
  if (!readAxes(call, x, axes))
    return;
  double epsilon = call.number("epsilon", 1e-3);
  Shape shape = sizesOf(x, axes);
  bool rms = call.boolean("rms_scaling", false);
  Value gamma, beta;
  if (call.boolean("scale", true) || rms)
    gamma = alignWeight(m, call.weight("gamma", shape), x, axes);
  if (call.boolean("center", true) && !rms)
    beta = alignWeight(m, call.weight("beta", shape), x, axes);
  Value mean = m.mean(x, axes, true);
  Value centered = m.subtract(x, mean);
  Value variance = m.mean(m.square(centered), axes, true);
  Value inv = m.rsqrt(m.add(variance, epsilon));
  Value y = m.multiply(rms ? x : centered, inv);
  if (gamma)
    y = m.multiply(y, gamma);
  if (beta)
    y = m.add(y, beta);
  call.result(y);
}

static void importRMSNormalization(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  Shape axes;
  if (!readAxes(call, x, axes))
    return;
  Value scale =
      alignWeight(m,
                  call.weightWith("scale", sizesOf(x, axes),
                                  call.initializerOf("Ones"), "scale"),
                  x, axes);
  Value square = m.mean(m.square(x), axes, true);
  Value inv = m.rsqrt(m.add(square, call.number("epsilon", 1e-6)));
  call.result(m.multiply(m.multiply(x, inv), scale));
}

static void importUnitNormalization(LayerCall &call) {
  Value x = call.math.toFloat(call.input());
  Shape axes;
  if (readAxes(call, x, axes))
    call.result(call.math.l2Normalize(x, axes, 1e12));
}

// Statistics of groups of neighbouring channels and all positions.
static void importGroupNormalization(LayerCall &call) {
  Math &m = call.math;
  if (!call.expectRank(2, 16))
    return;
  Value x = m.toFloat(call.input());
  int64_t axis = m.axis(x, call.config.at("axis").asInteger().value_or(-1));
  if (axis < 1) {
    call.errorAt("axis", "the axis must not be the batch");
    return;
  }
  int64_t channels = Math::size(x, axis);
  int64_t groups = call.config.at("groups").asInteger().value_or(32);
  if (groups == -1)
    groups = channels;
  if (groups < 1 || channels % groups != 0) {
    call.errorAt("groups", "groups must divide the " + Twine(channels) +
                               " channels, is " + Twine(groups));
    return;
  }
  Shape inverse;
  bool last = axis == Math::rank(x) - 1;
  if (!last)
    x = axisToEnd(m, x, axis, inverse);
  Value gamma, beta;
  if (call.boolean("scale", true))
    gamma = call.weight("gamma", {channels});
  if (call.boolean("center", true))
    beta = call.weight("beta", {channels});
  Shape original = Math::shape(x), split = original;
  split.back() = groups;
  split.push_back(channels / groups);
  Value g = m.reshape(x, split);
  Shape axes;
  for (int64_t i = 1; i < static_cast<int64_t>(split.size()); ++i)
    if (i != static_cast<int64_t>(split.size()) - 2)
      axes.push_back(i);
  Value centered = m.subtract(g, m.mean(g, axes, true));
  Value variance = m.mean(m.square(centered), axes, true);
  Value normal = m.multiply(
      centered, m.rsqrt(m.add(variance, call.number("epsilon", 1e-3))));
  Value y = m.reshape(normal, original);
  if (gamma)
    y = m.multiply(y, gamma);
  if (beta)
    y = m.add(y, beta);
  call.result(last ? y : m.transpose(y, inverse));
}

void cornu::frontend::registerNormalization(Registry &registry) {
  StringRef family = "Normalization";
  registry.add({"BatchNormalization", family, importBatchNormalization,
                MaskRule::Pass, "without renorm"});
  registry.add({"LayerNormalization", family, importLayerNormalization,
                MaskRule::Pass, ""});
  registry.add({"GroupNormalization", family, importGroupNormalization,
                MaskRule::Pass, ""});
  registry.add(
      {"RMSNormalization", family, importRMSNormalization, MaskRule::Drop, ""});
  registry.add({"UnitNormalization", family, importUnitNormalization,
                MaskRule::Pass, ""});
}
