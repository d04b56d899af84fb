//===- ShapeRules.cpp - How shapes follow from shapes ---------------------===//

#include "dialect/nn/ShapeRules.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace cornu::nn {

FailureOr<Shape> broadcastShapes(ArrayRef<int64_t> lhs, ArrayRef<int64_t> rhs) {
  size_t rank = std::max(lhs.size(), rhs.size());
  Shape result(rank);
  for (size_t i = 0; i < rank; ++i) {
    // Position i counts from the last dimension.
    int64_t a = i < lhs.size() ? lhs[lhs.size() - 1 - i] : 1;
    int64_t b = i < rhs.size() ? rhs[rhs.size() - 1 - i] : 1;
    if (a != b && a != 1 && b != 1)
      return failure();
    result[rank - 1 - i] = a == 1 ? b : a;
  }
  return result;
}

FailureOr<int64_t> windowOutputSize(int64_t input, int64_t window,
                                    int64_t stride, int64_t dilation,
                                    int64_t low, int64_t high) {
  if (ShapedType::isDynamic(input) || window < 1 || stride < 1 || dilation < 1)
    return failure();
  int64_t span = (window - 1) * dilation + 1;
  int64_t padded = low + input + high;
  if (padded < span)
    return failure();
  return (padded - span) / stride + 1;
}

FailureOr<Shape>
windowOutputShape(ArrayRef<int64_t> input, ArrayRef<int64_t> window,
                  ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations,
                  ArrayRef<int64_t> padding, int64_t channels) {
  size_t spatial = window.size();
  if (input.size() != spatial + 2 || strides.size() != spatial ||
      dilations.size() != spatial || padding.size() != 2 * spatial)
    return failure();
  Shape result{input.front()};
  for (size_t d = 0; d < spatial; ++d) {
    FailureOr<int64_t> size =
        windowOutputSize(input[d + 1], window[d], strides[d], dilations[d],
                         padding[2 * d], padding[2 * d + 1]);
    if (failed(size))
      return failure();
    result.push_back(*size);
  }
  result.push_back(channels);
  return result;
}

FailureOr<Shape> reducedShape(ArrayRef<int64_t> input, ArrayRef<int64_t> axes,
                              bool keepAxes) {
  llvm::SmallBitVector reduced(input.size());
  for (int64_t axis : axes) {
    if (axis < 0 || axis >= static_cast<int64_t>(input.size()) ||
        reduced.test(axis))
      return failure();
    reduced.set(axis);
  }
  Shape result;
  for (auto [i, size] : llvm::enumerate(input)) {
    if (!reduced.test(i))
      result.push_back(size);
    else if (keepAxes)
      result.push_back(1);
  }
  return result;
}

FailureOr<ContractionLabels> parseEquation(StringRef equation) {
  auto [operands, result] = equation.split("->");
  auto [lhs, rhs] = operands.split(',');
  auto isLetters = [](StringRef labels) {
    return llvm::all_of(labels, [](char c) { return llvm::isAlpha(c); });
  };
  if (!equation.contains("->") || !operands.contains(',') || !isLetters(lhs) ||
      !isLetters(rhs) || !isLetters(result))
    return failure();
  return ContractionLabels{lhs, rhs, result};
}

std::string formatShape(ArrayRef<int64_t> shape) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << '(';
  llvm::interleaveComma(shape, os, [&](int64_t size) {
    if (ShapedType::isDynamic(size))
      os << '?';
    else
      os << size;
  });
  os << ')';
  return text;
}

} // namespace cornu::nn
