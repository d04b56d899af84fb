//===- Preprocessing.cpp - Rescaling, Normalization, Resizing -------------===//

#include "frontend/import/layers/Resize.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// A number, or a list that broadcasts over the last axis.
static Value readFactor(LayerCall &call, StringRef key,
                        std::optional<double> missing = {}) {
  const Json &json = call.config.at(key);
  if (!json.isArray())
    return call.math.scalar(call.number(key, missing), call.floatType());
  std::vector<double> values;
  for (const Json *item : json.items())
    values.push_back(item->asNumber().value_or(0));
  if (values.empty()) {
    call.errorAt(key, key + " is empty");
    return {};
  }
  return call.math.constant(values, {static_cast<int64_t>(values.size())},
                            call.floatType());
}

static void importRescaling(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  Value scaled = m.multiply(x, readFactor(call, "scale"));
  call.result(m.add(scaled, readFactor(call, "offset", 0)));
}

// Numbers in nested lists, flattened.
static void flattenNumbers(const Json &json, std::vector<double> &out) {
  if (std::optional<double> number = json.asNumber())
    out.push_back(*number);
  for (const Json *item : json.items())
    flattenNumbers(*item, out);
}

// (x - mean) / max(sqrt(variance), 1e-7), from the constructor or adapted.
static void importNormalization(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  Shape axes;
  const Json &json = call.config.at("axis");
  if (json.isArray())
    for (const Json *item : json.items())
      axes.push_back(m.axis(x, item->asInteger().value_or(-1)));
  else if (!json.isNull() || !call.config.has("axis"))
    axes.push_back(m.axis(x, json.asInteger().value_or(-1)));
  llvm::sort(axes);
  if (!axes.empty() && axes[0] < 0)
    return;
  Shape broadcastShape(Math::rank(x), 1), own;
  for (int64_t axis : axes) {
    broadcastShape[axis] = Math::size(x, axis);
    own.push_back(Math::size(x, axis));
  }
  Value mean, variance;
  if (!call.config.at("mean").isNull()) {
    auto constant = [&](StringRef key) -> Value {
      std::vector<double> values;
      flattenNumbers(call.config.at(key), values);
      std::optional<int64_t> count = countElements(own);
      if (values.size() == 1 && count && *count < (1 << 24))
        values.assign(*count, values[0]);
      if (!count || static_cast<int64_t>(values.size()) != *count) {
        call.errorAt(key, key + " must have " + Twine(count.value_or(0)) +
                              " elements");
        return {};
      }
      return m.constant(values, broadcastShape, call.floatType());
    };
    mean = constant("mean");
    variance = constant("variance");
  } else {
    mean = m.reshape(call.state("mean", own, call.initializerOf("Zeros")),
                     broadcastShape);
    variance =
        m.reshape(call.state("variance", own, call.initializerOf("Ones")),
                  broadcastShape);
    call.state("count", {}, call.initializerOf("Zeros"), m.i32());
  }
  Value deviation = m.maximum(m.sqrt(variance), 1e-7);
  bool invert = call.boolean("invert", false);
  call.result(invert ? m.add(mean, m.multiply(x, deviation))
                     : m.divide(m.subtract(x, mean), deviation));
}

static void importResizing(LayerCall &call) {
  if (!call.expectRank(4, 4))
    return;
  int64_t height = call.integer("height"), width = call.integer("width");
  std::string mode = call.string("interpolation", "bilinear");
  for (StringRef key :
       {"crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"})
    call.refuse(key, "resize without it");
  int64_t axis = call.channelsFirst() ? 2 : 1;
  Value x = call.math.toFloat(call.input());
  x = resizeAxis(call, x, axis, height, mode);
  call.result(resizeAxis(call, x, axis + 1, width, mode));
}

static void importCenterCrop(LayerCall &call) {
  if (!call.expectRank(4, 4))
    return;
  int64_t axis = call.channelsFirst() ? 2 : 1;
  Value x = call.input();
  int64_t wanted[] = {call.integer("height"), call.integer("width")};
  for (int64_t i = 0; i < 2 && x; ++i) {
    int64_t size = Math::size(x, axis + i);
    if (wanted[i] > size) {
      call.error("the input is smaller than the crop",
                 "use Resizing to enlarge it");
      return;
    }
    int64_t start = (size - wanted[i]) / 2;
    x = call.math.slice(x, axis + i, start, start + wanted[i]);
  }
  call.result(x);
}

static void importCategoryEncoding(LayerCall &call) {
  Math &m = call.math;
  int64_t tokens = call.integer("num_tokens");
  std::string mode = call.string("output_mode", "multi_hot");
  Value x = call.input();
  if (call.argument(1, "count_weights")) {
    call.error("count_weights is not supported");
    return;
  }
  Type type = call.floatType();
  if (mode == "one_hot") {
    if (Math::rank(x) > 1 && Math::size(x, -1) == 1)
      x = m.squeeze(x, -1);
    return call.result(m.oneHot(x, tokens, type));
  }
  if (!call.expectRank(1, 2))
    return;
  Value hot = m.oneHot(x, tokens, type);
  if (Math::rank(x) > 1)
    hot = mode == "count" ? m.sum(hot, {1}) : m.max(hot, {1});
  if (mode != "count" && mode != "multi_hot")
    call.errorAt("output_mode", "unknown output_mode '" + mode + "'",
                 "one_hot, multi_hot or count");
  call.result(hot);
}

// Random augmentation is the identity outside of training; in training it
// would need operations that this compiler does not have.
static void importAugmentation(LayerCall &call) {
  if (!call.model.options.inferenceOnly &&
      !call.model.archive.getCompileConfig().isNull())
    call.error("random augmentation is not supported in training",
               "compile with --inference-only, or augment the data before it "
               "is given to the program");
  call.result(call.input());
}

// y = gamma * x, of keras.applications.convnext; its weight has no name.
static void importLayerScale(LayerCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.input());
  Builder &b = call.model.builder;
  auto value = b.getNamedAttr(
      "value", b.getF64FloatAttr(call.number("init_values", 1e-6)));
  Value gamma = call.weightWith("variable", {Math::size(x, -1)},
                                call.initializerOf("Constant", value), "gamma");
  call.result(m.multiply(x, gamma));
}

// a + b * scale, of keras.applications.inception_resnet_v2.
static void importCustomScale(LayerCall &call) {
  Math &m = call.math;
  if (call.inputs().size() != 2) {
    call.error("needs 2 inputs");
    return;
  }
  call.result(
      m.add(call.input(0), m.multiply(call.input(1), call.number("scale"))));
}

void cornu::frontend::registerPreprocessing(Registry &registry) {
  StringRef family = "Preprocessing";
  registry.add({"Rescaling", family, importRescaling, MaskRule::Pass, ""});
  registry.add(
      {"Normalization", family, importNormalization, MaskRule::Pass, ""});
  registry.add({"Resizing", family, importResizing, MaskRule::Drop,
                "nearest and bilinear, without antialias"});
  registry.add({"CenterCrop", family, importCenterCrop, MaskRule::Drop,
                "inputs that are large enough"});
  registry.add(
      {"CategoryEncoding", family, importCategoryEncoding, MaskRule::Drop, ""});
  static constexpr StringRef random[] = {
      "RandomFlip",     "RandomRotation",   "RandomZoom",
      "RandomContrast", "RandomBrightness", "RandomTranslation"};
  for (StringRef name : random)
    registry.add(
        {name, family, importAugmentation, MaskRule::Drop, "inference only"});
  registry.add({"LayerScale", "Applications", importLayerScale, MaskRule::Drop,
                "of ConvNeXt"});
  registry.add({"CustomScaleLayer", "Applications", importCustomScale,
                MaskRule::Drop, "of InceptionResNetV2"});
}
