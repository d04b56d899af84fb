//===- PureOps.cpp - The formulas of the nn ops ---------------------------===//

#include "test/unit/reference/Interpreter.h"

#include "dialect/nn/ShapeRules.h"

#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <functional>
#include <limits>

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

namespace {

using Operands = const std::vector<Array> &;

Type resultElement(Operation &op) { return nn::elementType(op.getResult(0)); }

/// The result's shape, its dynamic dimension being `batch`.
Sizes resultShape(Operation &op, int64_t batch) {
  Sizes shape(nn::tensorType(op.getResult(0)).getShape());
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = batch;
  return shape;
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

Array map(Operands x, const std::function<double(const double *)> &formula) {
  nn::Shape shape;
  for (const Array &operand : x)
    shape = *nn::broadcastShapes(shape, operand.shape);
  Array result(Sizes(shape.begin(), shape.end()));
  Sizes index(result.rank(), 0);
  if (result.size() == 0)
    return result;
  int64_t i = 0;
  do {
    double operands[3];
    for (size_t k = 0; k < x.size(); ++k)
      operands[k] = x[k].atBroadcast(index);
    result.data[i++] = formula(operands);
  } while (increment(index, result.shape));
  return result;
}

double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b);
}
double minimum(double a, double b) { return -maximum(-a, -b); }

bool holds(nn::Predicate predicate, double a, double b) {
  switch (predicate) {
  case nn::Predicate::eq:
    return a == b;
  case nn::Predicate::ne:
    return a != b;
  case nn::Predicate::lt:
    return a < b;
  case nn::Predicate::le:
    return a <= b;
  case nn::Predicate::gt:
    return a > b;
  case nn::Predicate::ge:
    return a >= b;
  }
  llvm_unreachable("unknown predicate");
}

double convert(double x, Type type) {
  if (type.isInteger(1))
    return x != 0;
  return isa<FloatType>(type) ? x : std::trunc(x);
}

Array elementwise(Operation &op, Operands x) {
  bool isFloat = isa<FloatType>(resultElement(op));
  using P = const double *;
  std::function<double(P)> f =
      llvm::TypeSwitch<Operation *, std::function<double(P)>>(&op)
          .Case([](nn::NegateOp) { return [](P a) { return -a[0]; }; })
          .Case([](nn::AbsoluteOp) {
            return [](P a) { return std::fabs(a[0]); };
          })
          .Case([](nn::SignOp) {
            return [](P a) {
              return std::isnan(a[0]) ? a[0] : double((a[0] > 0) - (a[0] < 0));
            };
          })
          .Case([](nn::ExpOp) { return [](P a) { return std::exp(a[0]); }; })
          .Case(
              [](nn::Expm1Op) { return [](P a) { return std::expm1(a[0]); }; })
          .Case([](nn::LogOp) { return [](P a) { return std::log(a[0]); }; })
          .Case(
              [](nn::Log1pOp) { return [](P a) { return std::log1p(a[0]); }; })
          .Case([](nn::SqrtOp) { return [](P a) { return std::sqrt(a[0]); }; })
          .Case([](nn::RsqrtOp) {
            return [](P a) { return 1 / std::sqrt(a[0]); };
          })
          .Case([](nn::SinOp) { return [](P a) { return std::sin(a[0]); }; })
          .Case([](nn::CosOp) { return [](P a) { return std::cos(a[0]); }; })
          .Case([](nn::TanhOp) { return [](P a) { return std::tanh(a[0]); }; })
          .Case([](nn::SigmoidOp) {
            return [](P a) { return 1 / (1 + std::exp(-a[0])); };
          })
          .Case([](nn::ErfOp) { return [](P a) { return std::erf(a[0]); }; })
          .Case([](nn::SoftplusOp) {
            return [](P a) {
              return maximum(a[0], 0) + std::log1p(std::exp(-std::fabs(a[0])));
            };
          })
          .Case(
              [](nn::FloorOp) { return [](P a) { return std::floor(a[0]); }; })
          .Case([](nn::ReluOp) { return [](P a) { return maximum(a[0], 0); }; })
          .Case([](nn::LogicalNotOp) {
            return [](P a) { return double(!a[0]); };
          })
          .Case([](nn::StopGradientOp) { return [](P a) { return a[0]; }; })
          .Case([](nn::AddOp) { return [](P a) { return a[0] + a[1]; }; })
          .Case([](nn::SubtractOp) { return [](P a) { return a[0] - a[1]; }; })
          .Case([](nn::MultiplyOp) { return [](P a) { return a[0] * a[1]; }; })
          .Case([&](nn::DivideOp) -> std::function<double(P)> {
            if (isFloat)
              return [](P a) { return a[0] / a[1]; };
            return [](P a) { return std::trunc(a[0] / a[1]); };
          })
          .Case([](nn::MaximumOp) {
            return [](P a) { return maximum(a[0], a[1]); };
          })
          .Case([](nn::MinimumOp) {
            return [](P a) { return minimum(a[0], a[1]); };
          })
          .Case([](nn::PowerOp) {
            return [](P a) { return std::pow(a[0], a[1]); };
          })
          .Case([](nn::RemainderOp) {
            return [](P a) { return a[0] - a[1] * std::floor(a[0] / a[1]); };
          })
          .Case([](nn::LogicalAndOp) {
            return [](P a) { return double(a[0] && a[1]); };
          })
          .Case([](nn::LogicalOrOp) {
            return [](P a) { return double(a[0] || a[1]); };
          })
          .Case([](nn::LogicalXorOp) {
            return [](P a) { return double(!a[0] != !a[1]); };
          })
          .Case([](nn::CompareOp compare) {
            nn::Predicate predicate = compare.getPredicate();
            return [=](P a) { return double(holds(predicate, a[0], a[1])); };
          })
          .Case([](nn::SelectOp) {
            return [](P a) { return a[0] ? a[1] : a[2]; };
          })
          .Case([](nn::ConvertOp op) {
            Type type = nn::elementType(op.getResult());
            return [=](P a) { return convert(a[0], type); };
          })
          .Default(std::function<double(P)>());
  if (!f)
    llvm::report_fatal_error("the interpreter lacks an elementwise op");
  return map(x, f);
}

//===----------------------------------------------------------------------===//
// Shape
//===----------------------------------------------------------------------===//

/// Builds each element of a result from its index.
Array generate(Sizes shape, const std::function<double(const Sizes &)> &f) {
  Array result(std::move(shape));
  if (result.size() == 0)
    return result;
  Sizes index(result.rank(), 0);
  int64_t i = 0;
  do {
    result.data[i++] = f(index);
  } while (increment(index, result.shape));
  return result;
}

Array constant(nn::ConstantOp op) {
  Array result(resultShape(*op, 0));
  Type type = resultElement(*op);
  int64_t i = 0;
  if (isa<FloatType>(type)) {
    for (APFloat value : op.getValue().getValues<APFloat>())
      result.data[i++] = value.convertToDouble();
  } else {
    for (APInt value : op.getValue().getValues<APInt>())
      result.data[i++] = type.isInteger(1) || type.isUnsignedInteger()
                             ? double(value.getZExtValue())
                             : double(value.getSExtValue());
  }
  return result;
}

Array reshape(nn::ReshapeOp op, const Array &x) {
  Sizes shape = resultShape(*op, 1);
  if (ShapedType::isDynamic(nn::tensorType(op.getResult()).getShape().empty()
                                ? 0
                                : nn::tensorType(op.getResult()).getDimSize(0)))
    shape[0] = x.size() / product(shape);
  return Array(shape, x.data);
}

Array transpose(nn::TransposeOp op, const Array &x) {
  Sizes shape;
  for (int64_t axis : op.getPermutation())
    shape.push_back(x.shape[axis]);
  return generate(shape, [&](const Sizes &index) {
    Sizes from(index.size());
    for (auto [i, axis] : llvm::enumerate(op.getPermutation()))
      from[axis] = index[i];
    return x.at(from);
  });
}

Array broadcast(nn::BroadcastOp op, Operands x) {
  auto type = nn::tensorType(op.getResult());
  bool supplied = x[0].rank() == type.getRank() && x[0].rank() > 0 &&
                  nn::tensorType(op.getInput()).isDynamicDim(0);
  int64_t batch = supplied ? x[0].shape[0] : x.size() > 1 ? x[1].shape[0] : 0;
  return generate(resultShape(*op, batch),
                  [&](const Sizes &index) { return x[0].atBroadcast(index); });
}

Array concatenate(nn::ConcatenateOp op, Operands x) {
  Sizes shape = x[0].shape;
  int64_t axis = op.getAxis();
  shape[axis] = 0;
  for (const Array &input : x)
    shape[axis] += input.shape[axis];
  return generate(shape, [&](Sizes index) {
    for (const Array &input : x) {
      if (index[axis] < input.shape[axis])
        return input.at(index);
      index[axis] -= input.shape[axis];
    }
    llvm_unreachable("index outside all inputs");
  });
}

Array slice(nn::SliceOp op, const Array &x) {
  auto type = nn::tensorType(op.getInput());
  Sizes shape = x.shape;
  for (int64_t d = 0; d < x.rank(); ++d)
    if (!type.isDynamicDim(d))
      shape[d] = nn::tensorType(op.getResult()).getDimSize(d);
  return generate(shape, [&](Sizes index) {
    for (int64_t d = 0; d < x.rank(); ++d)
      index[d] = op.getStarts()[d] + index[d] * op.getStrides()[d];
    return x.at(index);
  });
}

Array pad(nn::PadOp op, const Array &x) {
  Sizes shape = x.shape;
  for (int64_t d = 0; d < x.rank(); ++d)
    shape[d] += op.getLow()[d] + op.getHigh()[d] +
                std::max<int64_t>(x.shape[d] - 1, 0) * op.getInterior()[d];
  double value = op.getValue().convertToDouble();
  return generate(shape, [&](Sizes index) {
    for (int64_t d = 0; d < x.rank(); ++d) {
      int64_t shifted = index[d] - op.getLow()[d];
      int64_t stride = op.getInterior()[d] + 1;
      if (shifted < 0 || shifted % stride || shifted / stride >= x.shape[d])
        return value;
      index[d] = shifted / stride;
    }
    return x.at(index);
  });
}

Array reverse(nn::ReverseOp op, const Array &x) {
  return generate(x.shape, [&](Sizes index) {
    for (int64_t axis : op.getAxes())
      index[axis] = x.shape[axis] - 1 - index[axis];
    return x.at(index);
  });
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

double neutral(nn::ReductionKind kind) {
  switch (kind) {
  case nn::ReductionKind::max:
    return -std::numeric_limits<double>::infinity();
  case nn::ReductionKind::min:
    return std::numeric_limits<double>::infinity();
  case nn::ReductionKind::product:
  case nn::ReductionKind::all:
    return 1;
  default:
    return 0;
  }
}

double combine(nn::ReductionKind kind, double a, double b) {
  switch (kind) {
  case nn::ReductionKind::max:
    return maximum(a, b);
  case nn::ReductionKind::min:
    return minimum(a, b);
  case nn::ReductionKind::product:
    return a * b;
  case nn::ReductionKind::any:
    return a || b;
  case nn::ReductionKind::all:
    return a && b;
  default:
    return a + b;
  }
}

Array reduceAxes(const Array &x, ArrayRef<int64_t> axes, bool keep,
                 nn::ReductionKind kind) {
  Sizes kept = x.shape, dropped;
  int64_t count = 1;
  for (int64_t axis : axes) {
    count *= x.shape[axis];
    kept[axis] = 1;
  }
  for (int64_t d = 0; d < x.rank(); ++d)
    if (!llvm::is_contained(axes, d))
      dropped.push_back(x.shape[d]);
  Array result(kept, neutral(kind));
  Sizes index(x.rank(), 0);
  if (x.size() > 0)
    do {
      Sizes to = index;
      for (int64_t axis : axes)
        to[axis] = 0;
      result.at(to) = combine(kind, result.at(to), x.at(index));
    } while (increment(index, x.shape));
  if (kind == nn::ReductionKind::mean)
    for (double &value : result.data)
      value /= count;
  if (!keep)
    result.shape = dropped;
  return result;
}

Array argmax(nn::ArgmaxOp op, const Array &x) {
  int64_t axis = op.getAxisAttr().getInt();
  Sizes shape = x.shape;
  shape.erase(shape.begin() + axis);
  return generate(shape, [&](const Sizes &index) {
    Sizes at = index;
    at.insert(at.begin() + axis, 0);
    int64_t best = 0;
    double largest = x.at(at);
    for (int64_t i = 1; i < x.shape[axis]; ++i) {
      at[axis] = i;
      if (x.at(at) > largest) {
        largest = x.at(at);
        best = i;
      }
    }
    return double(best);
  });
}

Array softmax(const Array &x, int64_t axis, bool logarithm) {
  auto reduce = [&](const Array &y, nn::ReductionKind kind) {
    return reduceAxes(y, axis, true, kind);
  };
  Array shifted = map({x, reduce(x, nn::ReductionKind::max)},
                      [](const double *a) { return a[0] - a[1]; });
  Array power = map({shifted}, [](const double *a) { return std::exp(a[0]); });
  Array sum = reduce(power, nn::ReductionKind::sum);
  if (logarithm)
    return map({shifted, sum},
               [](const double *a) { return a[0] - std::log(a[1]); });
  return map({power, sum}, [](const double *a) { return a[0] / a[1]; });
}

//===----------------------------------------------------------------------===//
// Contraction, convolution, pooling
//===----------------------------------------------------------------------===//

Array contract(nn::ContractOp op, Operands x) {
  std::string labels[3] = {op.getLhsLabels().str(), op.getRhsLabels().str(),
                           op.getResultLabels().str()};
  std::map<char, int64_t> sizes;
  for (int k = 0; k < 2; ++k)
    for (size_t d = 0; d < labels[k].size(); ++d)
      sizes[labels[k][d]] = x[k].shape[d];
  std::string letters;
  Sizes all, shape;
  for (auto [letter, size] : sizes) {
    letters += letter;
    all.push_back(size);
  }
  for (char letter : labels[2])
    shape.push_back(sizes[letter]);
  Array result(shape);
  if (product(all) == 0)
    return result;
  Sizes index(all.size(), 0);
  auto project = [&](const std::string &wanted) {
    Sizes part;
    for (char letter : wanted)
      part.push_back(index[letters.find(letter)]);
    return part;
  };
  do {
    result.at(project(labels[2])) +=
        x[0].at(project(labels[0])) * x[1].at(project(labels[1]));
  } while (increment(index, all));
  return result;
}

/// Calls `f` for each pair of an output position and a tap of its window that
/// lies inside the input: (n, output position, tap, input position).
void forEachTap(int64_t batch, const Sizes &input, const Sizes &output,
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

Sizes spatial(const Sizes &shape) {
  return Sizes(shape.begin() + 1, shape.end() - 1);
}

Sizes at(int64_t n, const Sizes &position, int64_t c) {
  Sizes index{n};
  index.insert(index.end(), position.begin(), position.end());
  index.push_back(c);
  return index;
}

/// One loop serves the convolution and its two transposes: `f` receives
/// references to the elements of input, kernel and output.
template <typename Op>
void convolve(Op op, Array &x, Array &w, Array &y,
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
void forEachWindow(Op op, const Array &input, const Array &output,
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
Array maxima(Op op, const Array &x, Array output,
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

//===----------------------------------------------------------------------===//
// Indexing
//===----------------------------------------------------------------------===//

/// The row for an index, or -1.
int64_t rowOf(double index, int64_t rows) {
  int64_t i = static_cast<int64_t>(index);
  if (i < 0)
    i += rows;
  return i >= 0 && i < rows ? i : -1;
}

Array gather(const Array &table, const Array &indices) {
  Sizes shape = indices.shape;
  shape.insert(shape.end(), table.shape.begin() + 1, table.shape.end());
  Array result(shape);
  int64_t width = table.size() / std::max<int64_t>(table.shape[0], 1);
  for (int64_t i = 0; i < indices.size(); ++i) {
    int64_t row = rowOf(indices.data[i], table.shape[0]);
    for (int64_t k = 0; k < width; ++k)
      result.data[i * width + k] =
          row < 0 ? std::nan("") : table.data[row * width + k];
  }
  return result;
}

Array scatterAdd(nn::ScatterAddOp op, const Array &indices,
                 const Array &updates) {
  Array table(resultShape(*op, 0));
  int64_t width = table.size() / std::max<int64_t>(table.shape[0], 1);
  for (int64_t i = 0; i < indices.size(); ++i) {
    int64_t row = rowOf(indices.data[i], table.shape[0]);
    for (int64_t k = 0; row >= 0 && k < width; ++k)
      table.data[row * width + k] += updates.data[i * width + k];
  }
  return table;
}

/// Philox 4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2,
/// 3", SC 2011.
void philox(uint32_t counter[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * counter[0];
    uint64_t b = uint64_t(0xCD9E8D57u) * counter[2];
    uint32_t next[4] = {uint32_t(b >> 32) ^ counter[1] ^ key0, uint32_t(b),
                        uint32_t(a >> 32) ^ counter[3] ^ key1, uint32_t(a)};
    std::copy(next, next + 4, counter);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

Array randomUniform(nn::RandomUniformOp op, Operands x) {
  Array result(resultShape(*op, x.size() > 1 ? x[1].shape[0] : 0));
  auto word = [&](int i) {
    return static_cast<uint32_t>(static_cast<int64_t>(x[0].data[i]));
  };
  for (int64_t i = 0; i < result.size(); ++i) {
    uint64_t block = i / 4;
    uint32_t counter[4] = {uint32_t(block), uint32_t(block >> 32),
                           uint32_t(op.getStream()), word(2)};
    philox(counter, word(0), word(1));
    result.data[i] = (counter[i % 4] >> 8) * 0x1p-24;
  }
  return result;
}

} // namespace

Array evaluatePure(Operation &op, Operands x) {
  if (nn::isElementwise(&op))
    return elementwise(op, x);
  return llvm::TypeSwitch<Operation *, Array>(&op)
      .Case([&](nn::ConstantOp op) { return constant(op); })
      .Case([&](nn::IotaOp iota) {
        return generate(resultShape(op, 0), [&](const Sizes &index) {
          return double(index[iota.getAxis()]);
        });
      })
      .Case([&](nn::BatchSizeOp) { return Array({}, double(x[0].shape[0])); })
      .Case([&](nn::ReshapeOp op) { return reshape(op, x[0]); })
      .Case([&](nn::TransposeOp op) { return transpose(op, x[0]); })
      .Case([&](nn::BroadcastOp op) { return broadcast(op, x); })
      .Case([&](nn::ConcatenateOp op) { return concatenate(op, x); })
      .Case([&](nn::SliceOp op) { return slice(op, x[0]); })
      .Case([&](nn::PadOp op) { return pad(op, x[0]); })
      .Case([&](nn::ReverseOp op) { return reverse(op, x[0]); })
      .Case([&](nn::ReduceOp op) {
        return reduceAxes(x[0], op.getAxes(), op.getKeepAxes(), op.getKind());
      })
      .Case([&](nn::ArgmaxOp op) { return argmax(op, x[0]); })
      .Case([&](nn::SoftmaxOp op) {
        return softmax(x[0], op.getAxisAttr().getInt(), false);
      })
      .Case([&](nn::LogSoftmaxOp op) {
        return softmax(x[0], op.getAxisAttr().getInt(), true);
      })
      .Case([&](nn::ContractOp op) { return contract(op, x); })
      .Case<nn::ConvolutionOp, nn::ConvolutionInputGradientOp,
            nn::ConvolutionKernelGradientOp>(
          [&](auto op) { return convolution(*op, x); })
      .Case([&](nn::SumPoolOp op) { return sumPool(op, x[0]); })
      .Case([&](nn::SumPoolGradientOp op) { return sumPoolGradient(op, x[0]); })
      .Case<nn::MaxPoolOp, nn::MaxPoolScatterOp, nn::MaxPoolGatherOp>(
          [&](auto op) { return maxPool(*op, x); })
      .Case([&](nn::GatherOp) { return gather(x[0], x[1]); })
      .Case([&](nn::ScatterAddOp op) { return scatterAdd(op, x[0], x[1]); })
      .Case([&](nn::RandomUniformOp op) { return randomUniform(op, x); })
      .Default([](Operation *op) -> Array {
        llvm::report_fatal_error("the interpreter lacks an op");
      });
}

} // namespace cornu::reference
