//===- Pooling.cpp - Pooling layers of rank 1 to 3 ------------------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

static int64_t spatialRank(LayerCall &call) {
  StringRef name = call.className();
  return name.contains("1D") ? 1 : name.contains("2D") ? 2 : 3;
}

// How many positions of the window at each output position lie in the input:
// the product over the dimensions, as a constant (spatial..., 1).
static Value windowCounts(LayerCall &call, Value input,
                          ArrayRef<int64_t> window, ArrayRef<int64_t> strides,
                          ArrayRef<int64_t> padding) {
  Value counts;
  for (size_t d = 0; d < window.size(); ++d) {
    int64_t n = Math::size(input, d + 1);
    int64_t out =
        (padding[2 * d] + n + padding[2 * d + 1] - window[d]) / strides[d] + 1;
    std::vector<double> row;
    for (int64_t o = 0; o < out; ++o) {
      int64_t begin = o * strides[d] - padding[2 * d];
      int64_t end = std::min(begin + window[d], n);
      row.push_back(static_cast<double>(end - std::max<int64_t>(begin, 0)));
    }
    Shape shape(window.size() + 1, 1);
    shape[d] = out;
    Value one = call.math.constant(row, shape, nn::elementType(input));
    counts = counts ? call.math.multiply(counts, one) : one;
  }
  return counts;
}

static void importPooling(LayerCall &call) {
  Math &m = call.math;
  int64_t rank = spatialRank(call);
  if (!call.expectRank(rank + 2, rank + 2))
    return;
  bool maximum = call.className().starts_with("Max");
  Shape window = call.sizes("pool_size", rank,
                            maximum ? std::optional<int64_t>(2) : std::nullopt);
  Shape strides =
      call.config.at("strides").isNull() ? window : call.sizes("strides", rank);
  std::string mode = call.string("padding", "valid");
  if (mode != "valid" && mode != "same") {
    call.errorAt("padding", "unknown padding '" + mode + "'", "valid or same");
    return;
  }
  bool first = call.channelsFirst();
  Value x = m.toFloat(call.input());
  if (first)
    x = m.toChannelsLast(x);
  Shape padding;
  bool padded = false;
  for (int64_t d = 0; d < rank; ++d) {
    int64_t n = Math::size(x, d + 1), low = 0, high = 0;
    if (mode == "same") {
      int64_t out = (n + strides[d] - 1) / strides[d];
      int64_t total =
          std::max<int64_t>((out - 1) * strides[d] + window[d] - n, 0);
      low = total / 2;
      high = total - low;
    }
    if (low + n + high < window[d]) {
      call.errorAt("pool_size", "the window of " + Twine(window[d]) +
                                    " positions does not fit into the input "
                                    "of size " +
                                    Twine(n));
      return;
    }
    padded |= low + high > 0;
    if (padded && n > (1 << 22)) {
      call.error("padded windows over " + Twine(n) +
                 " positions are not supported");
      return;
    }
    padding.push_back(low);
    padding.push_back(high);
  }
  OpBuilder &b = call.model.builder;
  Value y;
  if (maximum) {
    y = nn::MaxPoolOp::create(b, m.getLoc(), x, window, strides, padding);
  } else {
    y = nn::SumPoolOp::create(b, m.getLoc(), x, window, strides, padding);
    double size = 1;
    for (int64_t w : window)
      size *= static_cast<double>(w);
    y = padded ? m.divide(y, windowCounts(call, x, window, strides, padding))
               : m.divide(y, size);
  }
  call.result(first ? m.toChannelsFirst(y) : y);
}

static void importGlobal(LayerCall &call) {
  Math &m = call.math;
  int64_t rank = spatialRank(call);
  if (!call.expectRank(rank + 2, rank + 2))
    return;
  bool first = call.channelsFirst();
  bool keep = call.boolean("keepdims", false);
  Shape axes;
  for (int64_t d = 0; d < rank; ++d)
    axes.push_back(d + (first ? 2 : 1));
  Value x = m.toFloat(call.input());
  if (call.className().starts_with("GlobalMax"))
    return call.result(m.max(x, axes, keep));
  Value mask = rank == 1 ? call.maskArgument(1) : Value();
  if (!mask)
    return call.result(m.mean(x, axes, keep));
  Value weights =
      m.convert(m.expandDims(mask, first ? 1 : 2), nn::elementType(x));
  call.result(m.divide(m.sum(m.multiply(x, weights), axes, keep),
                       m.sum(weights, axes, keep)));
}

void cornu::frontend::registerPooling(Registry &registry) {
  StringRef family = "Pooling";
  static constexpr StringRef windows[] = {
      "MaxPooling1D",     "MaxPooling2D",     "MaxPooling3D",
      "AveragePooling1D", "AveragePooling2D", "AveragePooling3D"};
  static constexpr StringRef global[] = {
      "GlobalMaxPooling1D",     "GlobalMaxPooling2D",
      "GlobalMaxPooling3D",     "GlobalAveragePooling1D",
      "GlobalAveragePooling2D", "GlobalAveragePooling3D"};
  for (StringRef name : windows)
    registry.add({name, family, importPooling, MaskRule::Drop, ""});
  for (StringRef name : global)
    registry.add({name, family, importGlobal, MaskRule::Drop, ""});
  for (const char *rank : {"1D", "2D", "3D"}) {
    std::string r = rank;
    registry.alias("MaxPool" + r, "MaxPooling" + r);
    registry.alias("AvgPool" + r, "AveragePooling" + r);
    registry.alias("GlobalMaxPool" + r, "GlobalMaxPooling" + r);
    registry.alias("GlobalAvgPool" + r, "GlobalAveragePooling" + r);
  }
}
