//===- ContractionCase.cpp - Contractions to test the engine with ---------===//
//
// Cases, and what must come out of them; ContractionText.cpp writes the kernel.
//
//===----------------------------------------------------------------------===//

#include "test/unit/codegen/ContractionCase.h"

#include <algorithm>
#include <cmath>
#include <sstream>

namespace cornu::test {

//===----------------------------------------------------------------------===//
// Making cases
//===----------------------------------------------------------------------===//

ContractionCase ContractionCase::einsum(const std::string &spec,
                                        const std::map<char, int64_t> &sizes) {
  ContractionCase result;
  size_t comma = spec.find(','), arrow = spec.find("->");
  std::string parts[3] = {spec.substr(0, comma),
                          spec.substr(comma + 1, arrow - comma - 1),
                          spec.substr(arrow + 2)};
  std::string letters;
  for (char c : parts[2] + parts[0] + parts[1])
    if (letters.find(c) == std::string::npos)
      letters += c;
  for (char c : letters) {
    result.extents.push_back(sizes.at(c));
    result.reduction.push_back(parts[2].find(c) == std::string::npos);
  }
  for (int i = 0; i < 3; ++i)
    for (char c : parts[i]) {
      Dim dim;
      dim.coefficients.assign(letters.size(), 0);
      dim.coefficients[letters.find(c)] = 1;
      dim.size = sizes.at(c);
      result.operands[i].push_back(dim);
    }
  return result;
}

std::vector<int64_t> ContractionCase::Conv::output() const {
  std::vector<int64_t> result;
  for (size_t i = 0; i < input.size(); ++i)
    result.push_back(
        (input[i] + low[i] + high[i] - (kernel[i] - 1) * dilation[i] - 1) /
            stride[i] +
        1);
  return result;
}

ContractionCase ContractionCase::convolution(const Conv &conv,
                                             Direction direction) {
  // Loops: n, output..., [g], f, kernel..., c. Only the roles differ.
  ContractionCase result;
  std::vector<int64_t> output = conv.output();
  size_t rank = output.size();
  bool grouped = conv.groups > 1;
  std::vector<int64_t> &extents = result.extents;
  auto loop = [&](int64_t extent) {
    extents.push_back(extent);
    return extents.size() - 1;
  };
  // The loops over positions: of the output, or (gradient for the input) of
  // the input.
  bool toInput = direction == Direction::Input;
  size_t n = loop(conv.batch);
  std::vector<size_t> position, tap;
  for (size_t i = 0; i < rank; ++i)
    position.push_back(loop(toInput ? conv.input[i] : output[i]));
  size_t g = grouped ? loop(conv.groups) : 0;
  size_t f = loop(conv.filters);
  for (size_t i = 0; i < rank; ++i)
    tap.push_back(loop(conv.kernel[i]));
  size_t c = loop(conv.channels);
  size_t loops = extents.size();
  auto dim = [&](size_t of, int64_t coefficient = 1) {
    Dim d;
    d.coefficients.assign(loops, 0);
    d.coefficients[of] = coefficient;
    d.size = extents[of];
    return d;
  };
  auto tensor = [&](bool isInput) {
    std::vector<Dim> dims = {dim(n)};
    for (size_t i = 0; i < rank; ++i) {
      Dim d = dim(position[i]);
      if (isInput && !toInput) {
        d.coefficients[position[i]] = conv.stride[i];
        d.coefficients[tap[i]] = conv.dilation[i];
        d.low = conv.low[i];
        d.high = conv.high[i];
        d.size = conv.input[i] + d.low + d.high;
      } else if (!isInput && toInput) {
        // dx[i] = sum over k of dy[i + low - k * dilation]
        int64_t reach = (conv.kernel[i] - 1) * conv.dilation[i];
        d.coefficients[tap[i]] = -conv.dilation[i];
        d.low = reach - conv.low[i];
        d.high = reach - conv.high[i];
        d.constant = reach;
        d.size = output[i] + d.low + d.high;
      }
      dims.push_back(d);
    }
    if (grouped)
      dims.push_back(dim(g));
    dims.push_back(dim(isInput ? c : f));
    return dims;
  };
  std::vector<Dim> kernel;
  for (size_t i = 0; i < rank; ++i)
    kernel.push_back(dim(tap[i]));
  if (grouped)
    kernel.push_back(dim(g));
  kernel.push_back(dim(c));
  kernel.push_back(dim(f));
  switch (direction) {
  case Direction::Forward:
    result.operands[0] = tensor(true);
    result.operands[1] = kernel;
    result.operands[2] = tensor(false);
    break;
  case Direction::Kernel:
    result.operands[0] = tensor(true);
    result.operands[1] = tensor(false);
    result.operands[2] = kernel;
    break;
  case Direction::Input:
    result.operands[0] = tensor(false);
    result.operands[1] = kernel;
    result.operands[2] = tensor(true);
    break;
  }
  for (size_t l = 0; l < loops; ++l) {
    bool inOutput = false;
    for (const Dim &d : result.operands[2])
      inOutput |= d.coefficients[l] != 0;
    result.reduction.push_back(!inOutput);
  }
  return result;
}

void ContractionCase::dropUnitLoops() {
  for (size_t l = extents.size(); l-- > 1;) {
    bool channel = extents[l] == 1;
    for (auto &dims : operands)
      for (size_t i = 0; i < dims.size(); ++i)
        if (dims[i].coefficients[l] != 0)
          channel &= dims[i].size == 1 && i > 0 && i + 2 >= dims.size();
    bool used = false;
    for (auto &dims : operands)
      for (size_t i = dims.size(); i-- > 0;)
        if (channel && dims[i].coefficients[l] != 0) {
          dims.erase(dims.begin() + i);
          used = true;
        }
    if (!used)
      continue;
    extents.erase(extents.begin() + l);
    reduction.erase(reduction.begin() + l);
    for (auto &dims : operands)
      for (auto &dim : dims)
        dim.coefficients.erase(dim.coefficients.begin() + l);
  }
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

std::vector<int64_t> ContractionCase::sourceShape(unsigned operand) const {
  std::vector<int64_t> shape;
  for (const Dim &d : operands[operand])
    shape.push_back(d.size - d.low - d.high);
  return shape;
}

double ContractionCase::multiplyAdds() const {
  double product = 1;
  for (int64_t extent : extents)
    product *= double(extent);
  return product;
}

std::string ContractionCase::describe() const {
  std::ostringstream out;
  out << text("kernel") << "\nwith extents";
  for (int64_t extent : extents)
    out << ' ' << extent;
  return out.str();
}

//===----------------------------------------------------------------------===//
// Data
//===----------------------------------------------------------------------===//

template <typename T>
ContractionCase::Arguments<T>
ContractionCase::arguments(std::mt19937 &random) const {
  Arguments<T> result;
  auto make = [&](std::vector<int64_t> shape) {
    result.arrays.emplace_back(std::move(shape));
    Array<T> &array = result.arrays.back();
    for (int64_t i = 0; i < array.count(); ++i)
      array[i] = T(int64_t(random() % 33) - 16) / T(16);
  };
  result.arrays.reserve(6);
  make(sourceShape(0));
  make(sourceShape(1));
  if (epilogue) {
    make({operands[2].back().size});
    make(sourceShape(2));
  }
  make(sourceShape(2));
  if (secondResult)
    make(sourceShape(2));
  return result;
}

template <typename T>
std::vector<std::vector<double>>
ContractionCase::reference(Arguments<T> &arguments) const {
  std::vector<int64_t> index(extents.size(), 0);
  Array<T> &a = arguments.arrays[0], &b = arguments.arrays[1];
  Array<T> &out = arguments.arrays[epilogue ? 4 : 2];
  std::vector<double> sum(out.count(), 0.0);
  bool direct = !epilogue && !secondResult;
  if (accumulate && direct)
    for (int64_t i = 0; i < out.count(); ++i)
      sum[i] = out[i];
  auto offset = [&](unsigned operand) -> int64_t {
    int64_t result = 0;
    for (const Dim &d : operands[operand]) {
      int64_t i = d.constant - d.low;
      for (size_t l = 0; l < index.size(); ++l)
        i += d.coefficients[l] * index[l];
      int64_t size = d.size - d.low - d.high;
      if (i < 0 || i >= size)
        return -1;
      result = result * size + i;
    }
    return result;
  };
  bool any = true;
  for (int64_t extent : extents)
    any &= extent > 0;
  while (any) {
    int64_t i = offset(0), j = offset(1), o = offset(2);
    if (i >= 0 && j >= 0) {
      double x = a[i], y = b[j];
      if (prologue[0])
        x = std::max(x, -0.5);
      if (prologue[1])
        y = std::max(y, -0.5);
      sum[o] += x * y;
    }
    size_t l = index.size();
    while (l-- > 0) {
      if (++index[l] < extents[l])
        break;
      index[l] = 0;
      if (l == 0)
        any = false;
    }
  }
  std::vector<std::vector<double>> results;
  if (epilogue) {
    Array<T> &bias = arguments.arrays[2], &other = arguments.arrays[3];
    int64_t last = operands[2].back().size;
    std::vector<double> y(sum.size());
    for (size_t i = 0; i < sum.size(); ++i) {
      double x = sum[i] + double(bias[i % last]);
      y[i] = (function ? std::tanh(x) : std::max(x, 0.0)) + double(other[i]);
    }
    results.push_back(y);
  } else if (direct) {
    results.push_back(sum);
  } else {
    // %out is left alone.
    std::vector<double> y(sum.size());
    for (size_t i = 0; i < sum.size(); ++i)
      y[i] = out[i];
    results.push_back(y);
  }
  if (secondResult) {
    for (double &value : sum)
      value *= 2;
    results.push_back(sum);
  }
  return results;
}

template struct ContractionCase::Arguments<float>;
template struct ContractionCase::Arguments<double>;
template ContractionCase::Arguments<float>
ContractionCase::arguments(std::mt19937 &) const;
template ContractionCase::Arguments<double>
ContractionCase::arguments(std::mt19937 &) const;
template std::vector<std::vector<double>>
ContractionCase::reference(Arguments<float> &) const;
template std::vector<std::vector<double>>
ContractionCase::reference(Arguments<double> &) const;

} // namespace cornu::test
