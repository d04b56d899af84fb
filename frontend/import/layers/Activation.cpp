//===- Activation.cpp - Activation layers ---------------------------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

static void importReLU(LayerCall &call) {
  call.result(applyActivation(call.math, "relu", call.config, call.input()));
}

static void importLeakyReLU(LayerCall &call) {
  Math &m = call.math;
  double slope = call.number("negative_slope", 0.3);
  Value x = m.toFloat(call.input());
  call.result(
      m.select(m.compare(nn::Predicate::ge, x, 0.0), x, m.multiply(x, slope)));
}

static void importELU(LayerCall &call) {
  call.result(applyActivation(call.math, "elu", call.config, call.input()));
}

// x > 0 ? x : alpha * x, alpha trained, of size 1 along shared axes.
static void importPReLU(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  Shape shape = Math::shape(x);
  shape.erase(shape.begin());
  for (const Json *axis : call.config.at("shared_axes").items()) {
    int64_t i = axis->asInteger().value_or(0);
    if (i < 1 || i > static_cast<int64_t>(shape.size())) {
      call.errorAt("shared_axes", "shared_axes counts the axes after the batch "
                                  "from 1");
      return;
    }
    shape[i - 1] = 1;
  }
  Value alpha = call.weight("alpha", shape);
  Value negative = m.multiply(alpha, m.relu(m.negate(x)));
  call.result(m.subtract(m.relu(x), negative));
}

static void importSoftmax(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  // The second argument selects positions: others get -1e9, then 0.
  Value mask;
  if (const Argument *given = call.argument(1, "mask"))
    if (given->kind == Argument::Kind::Tensor)
      mask = m.convert(given->tensor.value, m.i1());
  if (!mask)
    mask = call.mask();
  if (mask)
    x = m.select(mask, x, m.scalar(-1e9, nn::elementType(x)));
  Value y = applyActivation(m, "softmax", call.config, x);
  if (mask)
    y = m.select(mask, y, 0.0);
  call.result(y);
}

void cornu::frontend::registerActivations(Registry &registry) {
  StringRef family = "Activation";
  registry.add({"ReLU", family, importReLU, MaskRule::Pass, ""});
  registry.add({"LeakyReLU", family, importLeakyReLU, MaskRule::Pass, ""});
  registry.add({"ELU", family, importELU, MaskRule::Pass, ""});
  registry.add({"PReLU", family, importPReLU, MaskRule::Pass, ""});
  registry.add({"Softmax", family, importSoftmax, MaskRule::Pass, ""});
}
