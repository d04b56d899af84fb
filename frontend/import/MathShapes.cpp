//===- MathShapes.cpp - Building nn ops that move elements, and products --===//

#include "frontend/import/Math.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// 2^40 elements per sample, beyond which products of sizes could overflow.
bool Math::fits(ArrayRef<int64_t> sizes) {
  int64_t count = 1;
  for (int64_t size : sizes) {
    if (ShapedType::isDynamic(size) || size <= 1)
      continue;
    if (size > (int64_t{1} << 40) / count) {
      fail("a tensor of shape " + nn::formatShape(sizes) +
           " is impossibly large");
      return false;
    }
    count *= size;
  }
  return true;
}

Value Math::reshape(Value x, ArrayRef<int64_t> newShape) {
  if (!x)
    return {};
  if (shape(x) == newShape)
    return x;
  if (!fits(newShape) || !fits(shape(x)))
    return {};
  auto perBatch = [](ArrayRef<int64_t> sizes) {
    int64_t count = 1;
    for (int64_t size : sizes)
      if (!ShapedType::isDynamic(size))
        count *= size;
    return count;
  };
  int64_t before = perBatch(shape(x)), after = perBatch(newShape);
  bool dynamic = !newShape.empty() && ShapedType::isDynamic(newShape[0]);
  bool fits = before == after || (dynamic && after && before &&
                                  (before % after == 0 || after % before == 0));
  if (!fits) {
    fail("the shape " + nn::formatShape(shape(x)) + " cannot become " +
         nn::formatShape(newShape));
    return {};
  }
  auto type = RankedTensorType::get(newShape, nn::elementType(x));
  return nn::ReshapeOp::create(builder, location, type, x);
}

Value Math::transpose(Value x, ArrayRef<int64_t> permutation) {
  if (!x)
    return {};
  bool identity = true;
  for (auto [i, p] : llvm::enumerate(permutation))
    identity &= p == static_cast<int64_t>(i);
  if (identity)
    return x;
  return nn::TransposeOp::create(builder, location, permutation, x);
}

Value Math::swap(Value x, int64_t a, int64_t b) {
  a = axis(x, a);
  b = axis(x, b);
  if (a < 0 || b < 0)
    return {};
  Shape permutation;
  for (int64_t i = 0; i < rank(x); ++i)
    permutation.push_back(i == a ? b : i == b ? a : i);
  return transpose(x, permutation);
}

Value Math::expandDims(Value x, int64_t at) {
  if (!x)
    return {};
  Shape sizes = shape(x);
  if (at < 0)
    at += rank(x) + 1;
  if (at < 0 || at > rank(x)) {
    fail("axis " + Twine(at) + " is out of range for a new axis of " +
         nn::formatShape(sizes));
    return {};
  }
  sizes.insert(sizes.begin() + at, 1);
  return reshape(x, sizes);
}

Value Math::squeeze(Value x, int64_t at) {
  at = axis(x, at);
  if (at < 0)
    return {};
  Shape sizes = shape(x);
  if (sizes[at] != 1) {
    fail("axis " + Twine(at) + " of the shape " + nn::formatShape(sizes) +
         " is not 1 and cannot be removed");
    return {};
  }
  sizes.erase(sizes.begin() + at);
  return reshape(x, sizes);
}

Value Math::broadcast(Value x, ArrayRef<int64_t> newShape, Value like) {
  if (!x)
    return {};
  if (shape(x) == newShape)
    return x;
  if (!fits(newShape))
    return {};
  FailureOr<Shape> result = nn::broadcastShapes(shape(x), newShape);
  if (failed(result) || *result != newShape) {
    fail("the shape " + nn::formatShape(shape(x)) + " does not broadcast to " +
         nn::formatShape(newShape));
    return {};
  }
  auto type = RankedTensorType::get(newShape, nn::elementType(x));
  bool needsLike = !type.hasStaticShape() && nn::tensorType(x).hasStaticShape();
  return nn::BroadcastOp::create(builder, location, type, x,
                                 needsLike ? like : Value());
}

Value Math::concatenate(ArrayRef<Value> xs, int64_t at) {
  for (Value x : xs)
    if (!x)
      return {};
  at = axis(xs[0], at);
  if (at < 0)
    return {};
  SmallVector<Value> operands(xs);
  Type type = nn::elementType(xs[0]);
  for (Value x : xs)
    if (isFloat(x))
      type = nn::elementType(x);
  for (Value &x : operands) {
    x = convert(x, type);
    Shape a = shape(xs[0]), b = shape(x);
    if (a.size() == b.size())
      a[at] = b[at] = 0;
    if (a != b || ShapedType::isDynamic(size(x, at))) {
      fail("the shapes " + nn::formatShape(shape(xs[0])) + " and " +
           nn::formatShape(shape(x)) + " cannot be joined along axis " +
           Twine(at));
      return {};
    }
  }
  if (operands.size() == 1)
    return operands[0];
  return nn::ConcatenateOp::create(builder, location, at, operands);
}

Value Math::slice(Value x, int64_t at, int64_t start, int64_t limit,
                  int64_t stride) {
  at = axis(x, at);
  if (at < 0)
    return {};
  Shape sizes = shape(x);
  if (start == 0 && limit == sizes[at] && stride == 1)
    return x;
  if (ShapedType::isDynamic(sizes[at]) || start < 0 || limit > sizes[at] ||
      start >= limit || stride < 1) {
    fail("the slice [" + Twine(start) + ":" + Twine(limit) +
         "] lies outside axis " + Twine(at) + " of the shape " +
         nn::formatShape(sizes) + " or is empty");
    return {};
  }
  Shape starts(sizes.size(), 0), limits = sizes, strides(sizes.size(), 1);
  for (int64_t &value : limits)
    if (ShapedType::isDynamic(value))
      value = -1;
  starts[at] = start;
  limits[at] = limit;
  strides[at] = stride;
  return nn::SliceOp::create(builder, location, starts, limits, strides, x);
}

Value Math::pad(Value x, ArrayRef<int64_t> low, ArrayRef<int64_t> high,
                double value) {
  if (!x)
    return {};
  Shape interior(low.size(), 0), padded = shape(x);
  for (auto [i, size] : llvm::enumerate(padded))
    if (!ShapedType::isDynamic(size))
      size += low[i] + high[i];
  if (!fits(padded))
    return {};
  if (llvm::all_of(low, [](int64_t v) { return v == 0; }) &&
      llvm::all_of(high, [](int64_t v) { return v == 0; }))
    return x;
  return nn::PadOp::create(builder, location, low, high, interior,
                           APFloat(value), x);
}

Value Math::reverse(Value x, int64_t at) {
  at = axis(x, at);
  if (at < 0)
    return {};
  return nn::ReverseOp::create(builder, location, x.getType(),
                               ArrayRef<int64_t>{at}, x);
}

Value Math::repeat(Value x, int64_t first, ArrayRef<int64_t> counts) {
  first = axis(x, first);
  if (first < 0 || llvm::all_of(counts, [](int64_t n) { return n == 1; }))
    return x;
  Shape sizes = shape(x), narrow, wide;
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    narrow.push_back(size);
    wide.push_back(size);
    int64_t at = int64_t(dim) - first;
    if (at < 0 || at >= int64_t(counts.size()) || counts[at] == 1)
      continue;
    narrow.push_back(1);
    wide.push_back(counts[at]);
    size *= counts[at];
  }
  return reshape(broadcast(reshape(x, narrow), wide), sizes);
}

Value Math::toChannelsLast(Value x) {
  if (!x)
    return {};
  Shape permutation{0};
  for (int64_t i = 2; i < rank(x); ++i)
    permutation.push_back(i);
  permutation.push_back(1);
  return transpose(x, permutation);
}

Value Math::toChannelsFirst(Value x) {
  if (!x)
    return {};
  Shape permutation{0, rank(x) - 1};
  for (int64_t i = 1; i + 1 < rank(x); ++i)
    permutation.push_back(i);
  return transpose(x, permutation);
}

// Sizes of equal letters must agree before the op is built.
static bool labelsFit(StringRef labels, ArrayRef<int64_t> sizes,
                      llvm::SmallDenseMap<char, int64_t> &known) {
  if (labels.size() != sizes.size())
    return false;
  for (auto [label, size] : llvm::zip(labels, sizes)) {
    auto [it, isNew] = known.try_emplace(label, size);
    if (!isNew && it->second != size)
      return false;
  }
  return true;
}

Value Math::contract(StringRef equation, Value a, Value b) {
  if (!a || !b)
    return {};
  a = toFloat(a);
  b = toFloat(b);
  unifyTypes(a, b);
  FailureOr<nn::ContractionLabels> labels = nn::parseEquation(equation);
  llvm::SmallDenseMap<char, int64_t> known;
  if (failed(labels) || !labelsFit(labels->lhs, shape(a), known) ||
      !labelsFit(labels->rhs, shape(b), known)) {
    fail("the shapes " + nn::formatShape(shape(a)) + " and " +
         nn::formatShape(shape(b)) + " do not fit the contraction " + equation);
    return {};
  }
  return nn::ContractOp::create(builder, location, equation, a, b);
}

Value Math::gather(Value table, Value indices) {
  if (!table || !indices)
    return {};
  Type type = nn::elementType(indices);
  if (!type.isInteger(32) && !type.isInteger(64))
    indices = convert(indices, i32());
  return nn::GatherOp::create(builder, location, table, indices);
}

Value Math::oneHot(Value indices, int64_t classes, Type type) {
  if (!indices)
    return {};
  if (isFloat(indices))
    indices = convert(indices, i32());
  Value column = expandDims(indices, -1);
  return convert(compare(nn::Predicate::eq, column,
                         iota(classes, nn::elementType(indices))),
                 type);
}

Value Math::batchSize(Value like, Type type) {
  if (!like)
    return {};
  return nn::BatchSizeOp::create(
      builder, location, RankedTensorType::get({}, type ? type : f32()), like);
}
