//===- Reshaping.cpp - Layers that move elements --------------------------===//

#include "frontend/import/layers/Resize.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

static int64_t elementsPerSample(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape.drop_front())
    count *= size;
  return count;
}

static void importFlatten(LayerCall &call) {
  Math &m = call.math;
  Value x = call.input();
  if (call.channelsFirst() && Math::rank(x) > 2)
    x = m.toChannelsLast(x);
  call.result(
      m.reshape(x, {Math::size(x, 0), elementsPerSample(Math::shape(x))}));
}

static void importReshape(LayerCall &call) {
  Value x = call.input();
  Shape target{Math::size(x, 0)};
  int64_t known = 1, open = -1;
  const Json &json = call.config.at("target_shape");
  if (!json.isArray()) {
    call.errorAt("target_shape", "target_shape must be a list of sizes");
    return;
  }
  for (size_t i = 0; i < json.size(); ++i) {
    std::optional<int64_t> size = json.at(i).asInteger();
    if ((size == -1 || json.at(i).isNull()) && open < 0) {
      open = static_cast<int64_t>(i) + 1;
      target.push_back(1);
    } else if (size && *size > 0 && *size < (int64_t{1} << 31) &&
               known < (int64_t{1} << 31)) {
      known *= *size;
      target.push_back(*size);
    } else {
      call.errorAt("target_shape", "impossible target_shape " +
                                       StringRef(json.dump()).take_front(80));
      return;
    }
  }
  int64_t count = elementsPerSample(Math::shape(x));
  if (open >= 0 && known > 0 && count % known == 0)
    target[open] = count / known;
  call.result(call.math.reshape(x, target));
}

static void importPermute(LayerCall &call) {
  Value x = call.input();
  Shape permutation{0};
  for (const Json *item : call.config.at("dims").items())
    permutation.push_back(item->asInteger().value_or(-1));
  Shape sorted = permutation;
  llvm::sort(sorted);
  bool valid = static_cast<int64_t>(sorted.size()) == Math::rank(x);
  for (auto [i, p] : llvm::enumerate(sorted))
    valid &= p == static_cast<int64_t>(i);
  if (!valid) {
    call.errorAt("dims", "dims must be a permutation of 1 to " +
                             Twine(Math::rank(x) - 1));
    return;
  }
  call.result(call.math.transpose(x, permutation));
}

static void importRepeatVector(LayerCall &call) {
  if (!call.expectRank(2, 2))
    return;
  Value x = call.input();
  int64_t n = call.integer("n");
  call.result(call.math.broadcast(call.math.expandDims(x, 1),
                                  {Math::size(x, 0), n, Math::size(x, 1)}));
}

// A layer's spatial rank is in its name: Cropping2D.
static int64_t spatialRank(LayerCall &call) {
  StringRef name = call.className();
  return name.contains("1D") ? 1 : name.contains("2D") ? 2 : 3;
}

// ((a, b), (c, d)), (a, b) per axis, or one number; for one axis also (a, b).
static bool readAmounts(LayerCall &call, StringRef key, int64_t rank,
                        int64_t missing, Shape &low, Shape &high) {
  const Json *given = call.config.find(key);
  if (!given) {
    low.assign(rank, missing);
    high.assign(rank, missing);
    return true;
  }
  const Json &json = *given;
  auto amount = [](const Json &item) {
    std::optional<int64_t> value = item.asInteger();
    return value && *value >= 0 && *value < (int64_t{1} << 31) ? *value : -1;
  };
  for (int64_t i = 0; i < rank; ++i) {
    const Json *pair = &json;
    if (json.isArray() &&
        !(rank == 1 && json.size() == 2 && json.at(size_t{0}).isNumber()))
      pair = &json.at(i);
    low.push_back(amount(pair->isArray() ? pair->at(size_t{0}) : *pair));
    high.push_back(amount(pair->isArray() ? pair->at(1) : *pair));
    if (low.back() < 0 || high.back() < 0) {
      call.errorAt(key, key + " must be numbers or pairs of numbers that are "
                              "not negative");
      return false;
    }
  }
  return true;
}

static void importZeroPadding(LayerCall &call) {
  int64_t rank = spatialRank(call);
  Shape low, high;
  if (!call.expectRank(rank + 2, rank + 2) ||
      !readAmounts(call, "padding", rank, 1, low, high))
    return;
  bool first = call.channelsFirst();
  low.insert(low.begin(), 0);
  high.insert(high.begin(), 0);
  low.insert(first ? low.begin() + 1 : low.end(), 0);
  high.insert(first ? high.begin() + 1 : high.end(), 0);
  call.result(call.math.pad(call.input(), low, high));
}

static void importCropping(LayerCall &call) {
  int64_t rank = spatialRank(call);
  Shape low, high;
  if (!call.expectRank(rank + 2, rank + 2) ||
      !readAmounts(call, "cropping", rank, rank == 2 ? 0 : 1, low, high))
    return;
  int64_t axis = call.channelsFirst() ? 2 : 1;
  Value x = call.input();
  for (int64_t i = 0; i < rank && x; ++i)
    x = call.math.slice(x, axis + i, low[i], Math::size(x, axis + i) - high[i]);
  call.result(x);
}

static void importUpSampling(LayerCall &call) {
  int64_t rank = spatialRank(call);
  if (!call.expectRank(rank + 2, rank + 2))
    return;
  Shape sizes = call.sizes("size", rank, 2);
  std::string mode = call.string("interpolation", "nearest");
  int64_t axis = call.channelsFirst() ? 2 : 1;
  Value x = call.input();
  if (mode == "nearest")
    return call.result(call.math.repeat(x, axis, sizes));
  for (int64_t i = 0; i < rank && x; ++i)
    x = resizeAxis(call, x, axis + i, Math::size(x, axis + i) * sizes[i], mode);
  call.result(x);
}

void cornu::frontend::registerReshaping(Registry &registry) {
  StringRef family = "Reshaping";
  registry.add({"Flatten", family, importFlatten, MaskRule::Drop, ""});
  registry.add({"Reshape", family, importReshape, MaskRule::Drop, ""});
  registry.add({"Permute", family, importPermute, MaskRule::Drop, ""});
  registry.add(
      {"RepeatVector", family, importRepeatVector, MaskRule::Drop, ""});
  static constexpr StringRef padding[] = {"ZeroPadding1D", "ZeroPadding2D",
                                          "ZeroPadding3D"};
  static constexpr StringRef cropping[] = {"Cropping1D", "Cropping2D",
                                           "Cropping3D"};
  static constexpr StringRef up[] = {"UpSampling1D", "UpSampling2D",
                                     "UpSampling3D"};
  for (StringRef name : padding)
    registry.add({name, family, importZeroPadding, MaskRule::Drop, ""});
  for (StringRef name : cropping)
    registry.add({name, family, importCropping, MaskRule::Drop, ""});
  for (StringRef name : up)
    registry.add({name, family, importUpSampling, MaskRule::Drop,
                  name == "UpSampling2D" ? "nearest and bilinear" : ""});
}
