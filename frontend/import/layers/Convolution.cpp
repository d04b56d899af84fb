//===- Convolution.cpp - Convolutional layers of rank 1 to 3 --------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

namespace {

/// What all convolutional layers read from their configuration.
struct Window {
  int64_t rank;
  Shape kernel, strides, dilations, padding;
  bool channelsFirst;
  Value input; // channels last
};

} // namespace

static int64_t spatialRank(LayerCall &call) {
  StringRef name = call.className();
  return name.contains("1D") ? 1 : name.contains("2D") ? 2 : 3;
}

// `same` pads so that the output has ceil(n / stride) positions; the odd cell
// goes to the end. `causal` pads only in front.
static bool computePadding(LayerCall &call, Window &w) {
  std::string mode = call.string("padding", "valid");
  if (mode != "valid" && mode != "same" &&
      !(mode == "causal" && call.className() == "Conv1D")) {
    call.errorAt("padding", "unknown padding '" + mode + "'",
                 "valid or same; causal for Conv1D");
    return false;
  }
  for (int64_t d = 0; d < w.rank; ++d) {
    int64_t n = Math::size(w.input, d + 1);
    int64_t span = (w.kernel[d] - 1) * w.dilations[d] + 1;
    int64_t low = 0, high = 0;
    if (mode == "same") {
      int64_t out = (n + w.strides[d] - 1) / w.strides[d];
      int64_t total = std::max<int64_t>((out - 1) * w.strides[d] + span - n, 0);
      low = total / 2;
      high = total - low;
    } else if (mode == "causal") {
      low = span - 1;
    }
    if (low + n + high < span) {
      call.error("the window of " + Twine(span) +
                 " positions does not fit into the input of size " + Twine(n) +
                 " in dimension " + Twine(d + 1));
      return false;
    }
    w.padding.push_back(low);
    w.padding.push_back(high);
  }
  return true;
}

static bool readWindow(LayerCall &call, Window &w) {
  w.rank = spatialRank(call);
  if (!call.expectRank(w.rank + 2, w.rank + 2))
    return false;
  w.kernel = call.sizes("kernel_size", w.rank);
  w.strides = call.sizes("strides", w.rank, 1);
  w.dilations = call.sizes("dilation_rate", w.rank, 1);
  auto beyondOne = [](int64_t step) { return step > 1; };
  if (llvm::any_of(w.strides, beyondOne) &&
      llvm::any_of(w.dilations, beyondOne))
    call.errorAt("strides", "strides and dilation_rate are both greater than 1",
                 "Keras has no such convolution either: make one of them 1");
  w.channelsFirst = call.channelsFirst();
  call.refuse("quantization_config", "save the model before quantization");
  call.refuse("lora_rank", "merge the LoRA weights before saving");
  w.input = call.math.toFloat(call.input());
  if (w.channelsFirst)
    w.input = call.math.toChannelsLast(w.input);
  return true;
}

static void finish(LayerCall &call, const Window &w, Value y, int64_t filters) {
  if (y && call.boolean("use_bias", true))
    y = call.math.add(y, call.weight("bias", {filters}));
  // An activation along an axis (softmax, glu) sees Keras's layout.
  if (w.channelsFirst)
    y = call.math.toChannelsFirst(y);
  call.result(call.activate("activation", y));
}

static Value convolve(LayerCall &call, const Window &w, Value x, Value kernel,
                      ArrayRef<int64_t> strides, ArrayRef<int64_t> padding,
                      ArrayRef<int64_t> dilations, int64_t groups) {
  if (!x || !kernel)
    return {};
  return nn::ConvolutionOp::create(call.model.builder, call.math.getLoc(), x,
                                   kernel, strides, padding, dilations,
                                   static_cast<uint64_t>(groups));
}

static void importConv(LayerCall &call) {
  Window w;
  int64_t filters = call.integer("filters");
  int64_t groups = call.integer("groups", 1);
  if (!readWindow(call, w) || !computePadding(call, w))
    return;
  int64_t channels = Math::size(w.input, -1);
  if (channels % groups != 0 || filters % groups != 0) {
    call.errorAt("groups", "groups = " + Twine(groups) + " must divide the " +
                               Twine(channels) + " input channels and the " +
                               Twine(filters) + " filters");
    return;
  }
  Shape kernelShape = w.kernel;
  kernelShape.push_back(channels / groups);
  kernelShape.push_back(filters);
  Value kernel = call.weight("kernel", kernelShape);
  finish(call, w,
         convolve(call, w, w.input, kernel, w.strides, w.padding, w.dilations,
                  groups),
         filters);
}

// Kernel (window, C, m): output channel c * m + j. As a grouped convolution
// with one group per input channel its kernel is (window, 1, C * m).
static Value depthwise(LayerCall &call, const Window &w, StringRef weightName,
                       StringRef prefix) {
  int64_t channels = Math::size(w.input, -1);
  int64_t multiplier = call.integer("depth_multiplier", 1);
  Shape shape = w.kernel;
  shape.push_back(channels);
  shape.push_back(multiplier);
  Value kernel = call.weight(weightName, shape, prefix);
  Shape grouped = w.kernel;
  grouped.push_back(1);
  grouped.push_back(channels * multiplier);
  return convolve(call, w, w.input, call.math.reshape(kernel, grouped),
                  w.strides, w.padding, w.dilations, channels);
}

static void importDepthwise(LayerCall &call) {
  Window w;
  if (!readWindow(call, w) || !computePadding(call, w))
    return;
  Value y = depthwise(call, w, "kernel", "depthwise");
  finish(call, w, y,
         Math::size(w.input, -1) * call.integer("depth_multiplier", 1));
}

static void importSeparable(LayerCall &call) {
  Window w;
  int64_t filters = call.integer("filters");
  if (!readWindow(call, w) || !computePadding(call, w))
    return;
  Value y = depthwise(call, w, "depthwise_kernel", "depthwise");
  if (!y)
    return;
  Shape shape(w.rank, 1), ones(w.rank, 1), zeros(2 * w.rank, 0);
  shape.push_back(Math::size(y, -1));
  shape.push_back(filters);
  Value pointwise = call.weight("pointwise_kernel", shape, "pointwise");
  finish(call, w, convolve(call, w, y, pointwise, ones, zeros, ones, 1),
         filters);
}

// The transpose of a convolution from the output to the input, whose kernel
// (window, F, Cin) is Keras's as it stands.
static void importTranspose(LayerCall &call) {
  Window w;
  int64_t filters = call.integer("filters");
  if (!readWindow(call, w))
    return;
  std::string mode = call.string("padding", "valid");
  if (mode != "valid" && mode != "same") {
    call.errorAt("padding", "unknown padding '" + mode + "'", "valid or same");
    return;
  }
  bool explicitPadding = !call.config.at("output_padding").isNull();
  Shape extra = explicitPadding ? call.sizes("output_padding", w.rank, {}, 0)
                                : Shape(w.rank, 0);
  Shape resultShape{Math::size(w.input, 0)};
  for (int64_t d = 0; d < w.rank; ++d) {
    int64_t n = Math::size(w.input, d + 1), s = w.strides[d];
    int64_t span = (w.kernel[d] - 1) * w.dilations[d] + 1;
    int64_t out, left;
    if (mode == "valid") {
      int64_t p = explicitPadding ? extra[d] : std::max(span, s) - span;
      out = (n - 1) * s + span + p;
      left = span - 1;
    } else {
      int64_t total =
          explicitPadding ? span + span % 2 - 2 + extra[d] : s + span - 2;
      out = explicitPadding ? (n - 1) * s + span % 2 + extra[d] : n * s;
      left = std::min((total + 1) / 2, span - 1);
    }
    // In the convolution that this one transposes.
    int64_t low = span - 1 - left;
    int64_t high = (n - 1) * s + span - low - out;
    if (high < 0 && -high < s)
      high = 0;
    if (out < 1 || high < 0) {
      call.error("the output would have size " + Twine(out) + " in dimension " +
                     Twine(d + 1),
                 "output_padding must be smaller than the stride");
      return;
    }
    w.padding.push_back(low);
    w.padding.push_back(high);
    resultShape.push_back(out);
  }
  resultShape.push_back(filters);
  Shape kernelShape = w.kernel;
  kernelShape.push_back(filters);
  kernelShape.push_back(Math::size(w.input, -1));
  Value kernel = call.weight("kernel", kernelShape);
  if (!kernel)
    return;
  auto type = RankedTensorType::get(resultShape, nn::elementType(w.input));
  Value y = nn::ConvolutionInputGradientOp::create(
      call.model.builder, call.math.getLoc(), type, w.input, kernel, w.strides,
      w.padding, w.dilations, uint64_t{1});
  finish(call, w, y, filters);
}

void cornu::frontend::registerConvolution(Registry &registry) {
  StringRef family = "Convolution";
  auto add = [&](StringRef name, void (*import)(LayerCall &)) {
    registry.add({name, family, import, MaskRule::Drop, ""});
  };
  add("Conv1D", importConv);
  add("Conv2D", importConv);
  add("Conv3D", importConv);
  add("DepthwiseConv1D", importDepthwise);
  add("DepthwiseConv2D", importDepthwise);
  add("SeparableConv1D", importSeparable);
  add("SeparableConv2D", importSeparable);
  add("Conv1DTranspose", importTranspose);
  add("Conv2DTranspose", importTranspose);
  add("Conv3DTranspose", importTranspose);
  registry.alias("Convolution1D", "Conv1D");
  registry.alias("Convolution2D", "Conv2D");
  registry.alias("Convolution3D", "Conv3D");
  registry.alias("Convolution1DTranspose", "Conv1DTranspose");
  registry.alias("Convolution2DTranspose", "Conv2DTranspose");
  registry.alias("Convolution3DTranspose", "Conv3DTranspose");
  registry.alias("SeparableConvolution1D", "SeparableConv1D");
  registry.alias("SeparableConvolution2D", "SeparableConv2D");
}
