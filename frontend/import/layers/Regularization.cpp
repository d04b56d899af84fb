//===- Regularization.cpp - Dropout, noise, activity regularization -------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

static double readRate(LayerCall &call, StringRef key) {
  double rate = call.number(key);
  if (rate >= 0 && rate <= 1)
    return rate;
  call.errorAt(key, key + " must lie in [0, 1]");
  return 0;
}

static void importDropout(LayerCall &call) {
  Value x = call.math.toFloat(call.input());
  Shape noise = Math::shape(x);
  const Json &given = call.config.at("noise_shape");
  if (given.isArray()) {
    if (given.size() != noise.size()) {
      call.errorAt("noise_shape", "noise_shape must have the input's rank");
      return;
    }
    for (size_t i = 0; i < noise.size(); ++i) {
      if (given.at(i).isNull())
        continue;
      std::optional<int64_t> size = given.at(i).asInteger();
      if (size == 1)
        noise[i] = 1;
      else if (!size || *size != noise[i])
        call.errorAt("noise_shape", "each entry of noise_shape is null, 1 or "
                                    "the input's size");
    }
  }
  call.result(call.dropout(x, readRate(call, "rate"), noise));
}

// Whole channels are dropped.
static void importSpatialDropout(LayerCall &call) {
  StringRef name = call.className();
  int64_t rank = name.contains("1D") ? 1 : name.contains("2D") ? 2 : 3;
  if (!call.expectRank(rank + 2, rank + 2))
    return;
  Value x = call.math.toFloat(call.input());
  Shape noise = Math::shape(x);
  int64_t first = rank > 1 && call.channelsFirst() ? 2 : 1;
  for (int64_t i = 0; i < rank; ++i)
    noise[first + i] = 1;
  call.result(call.dropout(x, readRate(call, "rate"), noise));
}

// Klambauer et al. (2017), section "new dropout technique".
static void importAlphaDropout(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  double rate = readRate(call, "rate");
  if (rate == 0 || rate == 1)
    return call.result(x);
  const double alpha = -1.6732632423543772 * 1.0507009873554805;
  double a = 1 / std::sqrt((1 - rate) * (1 + rate * alpha * alpha));
  double b = -a * alpha * rate;
  call.result(m.ifTraining(
      [&]() -> Value {
        Value keep =
            m.compare(nn::Predicate::ge, call.random(Math::shape(x), x), rate);
        Value kept = m.select(keep, x, m.scalar(alpha, nn::elementType(x)));
        return m.add(m.multiply(kept, a), b);
      },
      [&] { return x; }));
}

static void importGaussianDropout(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  double rate = readRate(call, "rate");
  if (rate == 0)
    return call.result(x);
  double deviation = std::sqrt(rate / std::max(1 - rate, 1e-12));
  call.result(m.ifTraining(
      [&]() -> Value {
        Value noise = call.randomNormal(Math::shape(x), x);
        return m.multiply(x, m.add(m.multiply(noise, deviation), 1.0));
      },
      [&] { return x; }));
}

static void importGaussianNoise(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  double deviation = call.number("stddev");
  call.result(m.ifTraining(
      [&]() -> Value {
        Value noise = call.randomNormal(Math::shape(x), x);
        return m.add(x, m.multiply(noise, deviation));
      },
      [&] { return x; }));
}

static void importActivityRegularization(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  double l1 = call.number("l1", 0), l2 = call.number("l2", 0);
  Value total;
  if (l1 != 0)
    total = m.multiply(m.sumAll(m.absolute(x)), l1);
  if (l2 != 0) {
    Value squares = m.multiply(m.sumAll(m.square(x)), l2);
    total = total ? m.add(total, squares) : squares;
  }
  // Keras also stores the same as activity_regularizer, which counts once.
  if (total && !call.model.options.inferenceOnly &&
      call.config.at("activity_regularizer").isNull())
    call.model.activityLosses.push_back(m.divide(total, m.batchSize(x)));
  call.result(x);
}

// Stochastic depth of keras.applications.convnext: whole samples are dropped.
static void importStochasticDepth(LayerCall &call) {
  Value x = call.math.toFloat(call.input());
  Shape noise(Math::rank(x), 1);
  noise[0] = Math::size(x, 0);
  call.result(call.dropout(x, readRate(call, "drop_path_rate"), noise));
}

void cornu::frontend::registerRegularization(Registry &registry) {
  StringRef family = "Regularization";
  auto add = [&](StringRef name, void (*import)(LayerCall &)) {
    registry.add({name, family, import, MaskRule::Pass, ""});
  };
  add("Dropout", importDropout);
  add("SpatialDropout1D", importSpatialDropout);
  add("SpatialDropout2D", importSpatialDropout);
  add("SpatialDropout3D", importSpatialDropout);
  add("AlphaDropout", importAlphaDropout);
  add("GaussianDropout", importGaussianDropout);
  add("GaussianNoise", importGaussianNoise);
  add("ActivityRegularization", importActivityRegularization);
  add("StochasticDepth", importStochasticDepth);
}
