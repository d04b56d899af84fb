//===- Resize.cpp - Resampling along one axis -----------------------------===//

#include "frontend/import/layers/Resize.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// Resampling is linear: a contraction with a constant matrix (in, out).
Value cornu::frontend::resizeAxis(LayerCall &call, Value x, int64_t axis,
                                  int64_t size, StringRef mode) {
  if (!x)
    return {};
  int64_t in = Math::size(x, axis);
  if (in == size)
    return x;
  if (in > 8192 || size > 8192) {
    call.error("resizing to or from more than 8192 positions is not "
               "supported");
    return {};
  }
  if (mode != "nearest" && mode != "bilinear") {
    call.errorAt("interpolation",
                 "the interpolation " + mode + " is not supported",
                 "nearest or bilinear");
    return {};
  }
  std::vector<double> matrix(in * size, 0);
  for (int64_t i = 0; i < size; ++i) {
    double scale = static_cast<double>(in) / static_cast<double>(size);
    if (mode == "nearest") {
      auto source = static_cast<int64_t>((i + 0.5) * scale);
      matrix[std::min(source, in - 1) * size + i] = 1;
      continue;
    }
    double at =
        std::clamp((i + 0.5) * scale - 0.5, 0.0, static_cast<double>(in - 1));
    auto below = static_cast<int64_t>(at);
    int64_t above = std::min(below + 1, in - 1);
    matrix[below * size + i] += 1 - (at - below);
    matrix[above * size + i] += at - below;
  }
  Value weights = call.math.constant(matrix, {in, size}, nn::elementType(x));
  std::string labels = StringRef("abcdefgh").take_front(Math::rank(x)).str();
  std::string result = labels;
  result[axis] = 'z';
  std::string equation = labels + "," + labels[axis] + "z->" + result;
  return call.math.contract(equation, x, weights);
}
