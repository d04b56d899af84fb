//===- Window.cpp - Formulas of convolution and pooling -----------------------
//===//

#include "test/unit/reference/Formulas.h"

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

/// Calls `f` for each pair of an output position and a tap of its window that
/// lies inside the input: (n, output position, tap, input position).
static void
forEachTap(int64_t batch, const Sizes &input, const Sizes &output,
           const Sizes &window, ArrayRef<int64_t> strides,
           ArrayRef<int64_t> dilations, ArrayRef<int64_t> padding,
           const std::function<void(int64_t, const Sizes &, const Sizes &,
                                    const Sizes &)> &f) {
  if (product(output) == 0)
    return;
  for (int64_t n = 0; n < batch; ++n) {
    Sizes o(output.size(), 0);
    do {
      Sizes tap(window.size(), 0);
      do {
        Sizes position(o.size());
        bool inside = true;
        for (size_t d = 0; d < o.size(); ++d) {
          int64_t dilation = dilations.empty() ? 1 : dilations[d];
          position[d] = o[d] * strides[d] + tap[d] * dilation - padding[2 * d];
          inside &= position[d] >= 0 && position[d] < input[d];
        }
        if (inside)
          f(n, o, tap, position);
      } while (increment(tap, window));
    } while (increment(o, output));
  }
}

static Sizes spatial(const Sizes &shape) {
  return Sizes(shape.begin() + 1, shape.end() - 1);
}

static Sizes at(int64_t n, const Sizes &position, int64_t c) {
  Sizes index{n};
  index.insert(index.end(), position.begin(), position.end());
  index.push_back(c);
  return index;
}

/// One loop serves the convolution and its two transposes: `f` receives
/// references to the elements of input, kernel and output.
template <typename Op>
static void
convolve(Op op, Array &x, Array &w, Array &y,
         const std::function<void(double &, double &, double &)> &f) {
  Sizes window(w.shape.begin(), w.shape.end() - 2);
  int64_t channels = w.shape[w.rank() - 2], features = w.shape.back();
  int64_t perGroup = features / op.getGroups();
  forEachTap(x.shape[0], spatial(x.shape), spatial(y.shape), window,
             op.getStrides(), op.getDilations(), op.getPadding(),
             [&](int64_t n, const Sizes &o, const Sizes &tap, const Sizes &in) {
               for (int64_t k = 0; k < features; ++k)
                 for (int64_t c = 0; c < channels; ++c) {
                   Sizes at3 = tap;
                   at3.push_back(c);
                   at3.push_back(k);
                   f(x.at(at(n, in, c + k / perGroup * channels)), w.at(at3),
                     y.at(at(n, o, k)));
                 }
             });
}

Array convolution(Operation &op, Operands operands) {
  Array a = operands[0], b = operands[1];
  Array result(resultShape(op, a.shape[0]));
  if (auto forward = dyn_cast<nn::ConvolutionOp>(op))
    convolve(forward, a, b, result,
             [](double &x, double &w, double &y) { y += x * w; });
  else if (auto input = dyn_cast<nn::ConvolutionInputGradientOp>(op))
    convolve(input, result, b, a,
             [](double &x, double &w, double &y) { x += w * y; });
  else
    convolve(cast<nn::ConvolutionKernelGradientOp>(op), a, result, b,
             [](double &x, double &w, double &y) { w += x * y; });
  return result;
}

template <typename Op>
static void
forEachWindow(Op op, const Array &input, const Array &output,
              const std::function<void(const Sizes &, const Sizes &)> &f) {
  Sizes window(op.getWindow().begin(), op.getWindow().end());
  for (int64_t c = 0; c < input.shape.back(); ++c)
    forEachTap(input.shape[0], spatial(input.shape), spatial(output.shape),
               window, op.getStrides(), {}, op.getPadding(),
               [&](int64_t n, const Sizes &o, const Sizes &, const Sizes &in) {
                 f(at(n, o, c), at(n, in, c));
               });
}

Array sumPool(nn::SumPoolOp op, const Array &x) {
  Array y(resultShape(*op, x.shape[0]));
  forEachWindow(op, x, y,
                [&](const Sizes &o, const Sizes &in) { y.at(o) += x.at(in); });
  return y;
}

Array sumPoolGradient(nn::SumPoolGradientOp op, const Array &y) {
  Array x(resultShape(*op, y.shape[0]));
  forEachWindow(op, x, y,
                [&](const Sizes &o, const Sizes &in) { x.at(in) += y.at(o); });
  return x;
}

/// The largest element of each window, and where the first such stands.
template <typename Op>
static Array maxima(Op op, const Array &x, Array output,
                    std::vector<int64_t> &positions) {
  std::fill(output.data.begin(), output.data.end(),
            -std::numeric_limits<double>::infinity());
  positions.assign(output.size(), -1);
  forEachWindow(op, x, output, [&](const Sizes &o, const Sizes &in) {
    int64_t i = output.offset(o);
    if (positions[i] < 0 || x.at(in) > output.data[i] ||
        (std::isnan(x.at(in)) && !std::isnan(output.data[i]))) {
      positions[i] = x.offset(in);
      output.data[i] = x.at(in);
    }
  });
  return output;
}

Array maxPool(Operation &op, Operands operands) {
  const Array &x = operands[0];
  std::vector<int64_t> positions;
  if (auto pool = dyn_cast<nn::MaxPoolOp>(op))
    return maxima(pool, x, Array(resultShape(op, x.shape[0])), positions);
  if (auto scatter = dyn_cast<nn::MaxPoolScatterOp>(op)) {
    maxima(scatter, x, Array(operands[1].shape), positions);
    Array result(x.shape);
    for (auto [i, position] : llvm::enumerate(positions))
      if (position >= 0)
        result.data[position] += operands[1].data[i];
    return result;
  }
  Array result(resultShape(op, x.shape[0]));
  maxima(cast<nn::MaxPoolGatherOp>(op), x, result, positions);
  for (auto [i, position] : llvm::enumerate(positions))
    result.data[i] = position >= 0 ? operands[1].data[position] : 0;
  return result;
}

} // namespace cornu::reference
