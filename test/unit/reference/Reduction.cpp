//===- Reduction.cpp - Formulas of reductions ---------------------------------
//===//

#include "test/unit/reference/Formulas.h"

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

static double neutral(nn::ReductionKind kind) {
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

static double combine(nn::ReductionKind kind, double a, double b) {
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

} // namespace cornu::reference
