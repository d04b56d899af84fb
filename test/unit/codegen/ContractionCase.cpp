//===- ContractionCase.cpp - Contractions to test the engine with ---------===//
//
// Text of a kernel and its reference:
//
//   func.func @kernel_0(%a: memref<?x7xf32>, %b: memref<7x10xf32>, ...)
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
// Text
//===----------------------------------------------------------------------===//

std::string ContractionCase::text(const std::string &name) const {
  std::ostringstream out;
  std::string scalar = isDouble ? "f64" : "f32";
  auto isDynamic = [&](const Dim &d) {
    return dynamicLoop >= 0 && d.coefficients[dynamicLoop] != 0;
  };
  auto shape = [&](const std::vector<Dim> &dims, bool padded) {
    std::string s;
    for (const Dim &d : dims)
      s += (isDynamic(d)
                ? "?"
                : std::to_string(padded ? d.size : d.size - d.low - d.high)) +
           "x";
    return s;
  };
  auto type = [&](const std::vector<Dim> &dims, bool padded) {
    return "memref<" + shape(dims, padded) + scalar + ">";
  };
  auto map = [&](const std::vector<Dim> &dims) {
    std::string s = "affine_map<(";
    for (size_t l = 0; l < extents.size(); ++l)
      s += (l ? ", d" : "d") + std::to_string(l);
    s += ") -> (";
    for (size_t i = 0; i < dims.size(); ++i) {
      s += i ? ", " : "";
      bool first = true;
      for (size_t l = 0; l < extents.size(); ++l) {
        int64_t c = dims[i].coefficients[l];
        if (c == 0)
          continue;
        s += (first ? "" : " + ") + std::string("d") + std::to_string(l);
        if (c != 1)
          s += " * " + std::to_string(c);
        first = false;
      }
      if (dims[i].constant)
        s += " + " + std::to_string(dims[i].constant);
    }
    return s + ")>";
  };
  auto identity = [&](size_t rank) {
    std::string s;
    for (size_t l = 0; l < rank; ++l)
      s += (l ? ", d" : "d") + std::to_string(l);
    return "affine_map<(" + s + ") -> (" + s + ")>";
  };
  auto lastDim = [&](size_t rank) {
    std::string s;
    for (size_t l = 0; l < rank; ++l)
      s += (l ? ", d" : "d") + std::to_string(l);
    return "affine_map<(" + s + ") -> (d" + std::to_string(rank - 1) + ")>";
  };
  auto parallel = [&](size_t rank) {
    std::string s;
    for (size_t l = 0; l < rank; ++l)
      s += l ? ", \"parallel\"" : "\"parallel\"";
    return "[" + s + "]";
  };

  size_t outRank = operands[2].size();
  std::string outType = type(operands[2], true);
  std::vector<Dim> lastOnly = {operands[2].back()};
  std::string biasType = type(lastOnly, true);
  out << "func.func @" << name << "(%a: " << type(operands[0], false)
      << ", %b: " << type(operands[1], false);
  if (epilogue)
    out << ", %bias: " << biasType << ", %other: " << outType;
  out << ", %out: " << outType;
  if (secondResult)
    out << ", %second: " << outType;
  out << ", %workspace: memref<?xi8>) {\n";
  out << "  %zero = arith.constant 0.0 : " << scalar << "\n";
  out << "  %half = arith.constant -0.5 : " << scalar << "\n";
  out << "  %two = arith.constant 2.0 : " << scalar << "\n";
  const char *names[2] = {"a", "b"};
  std::string inputs[2];
  for (int i = 0; i < 2; ++i) {
    std::string value = std::string("%") + names[i];
    const std::vector<Dim> &dims = operands[i];
    // The sizes of dynamic dimensions.
    std::string sizes;
    for (size_t d = 0; d < dims.size(); ++d)
      if (isDynamic(dims[d])) {
        out << "  %c" << names[i] << d << " = arith.constant " << d
            << " : index\n  %n" << names[i] << d << " = memref.dim %"
            << names[i] << ", %c" << names[i] << d << " : " << type(dims, false)
            << "\n";
        sizes += (sizes.empty() ? "%n" : ", %n") + std::string(names[i]) +
                 std::to_string(d);
      }
    if (prologue[i]) {
      std::string result = std::string("%computed_") + names[i];
      out << "  " << result << " = memref.alloc(" << sizes
          << ") : " << type(dims, false) << "\n  linalg.generic "
          << "{indexing_maps = [" << identity(dims.size()) << ", "
          << identity(dims.size())
          << "], iterator_types = " << parallel(dims.size()) << "} ins("
          << value << " : " << type(dims, false) << ") outs(" << result << " : "
          << type(dims, false) << ") {\n  ^bb0(%x: " << scalar
          << ", %y: " << scalar
          << "):\n    %m = arith.maximumf %x, %half : " << scalar
          << "\n    linalg.yield %m : " << scalar << "\n  }\n";
      value = result;
    }
    bool padded = false;
    for (const Dim &d : dims)
      padded |= d.low || d.high;
    if (padded) {
      std::string result = std::string("%padded_") + names[i];
      std::string lows, extentsText, ones, strides;
      int64_t offset = 0, stride = 1;
      std::vector<std::string> strideList(dims.size());
      bool known = true;
      for (size_t d = dims.size(); d-- > 0;) {
        strideList[d] = known ? std::to_string(stride) : "?";
        if (isDynamic(dims[d]))
          known = d == 0;
        offset += dims[d].low * stride;
        stride *= dims[d].size;
      }
      for (size_t d = 0; d < dims.size(); ++d) {
        std::string separator = d ? ", " : "";
        lows += separator + std::to_string(dims[d].low);
        extentsText +=
            separator +
            (isDynamic(dims[d])
                 ? std::string("%n") + names[i] + std::to_string(d)
                 : std::to_string(dims[d].size - dims[d].low - dims[d].high));
        ones += separator + "1";
        strides += separator + strideList[d];
      }
      std::string viewType = "memref<" + shape(dims, false) + scalar +
                             ", strided<[" + strides +
                             "], offset: " + std::to_string(offset) + ">>";
      out << "  " << result << " = memref.alloc(" << sizes
          << ") : " << type(dims, true) << "\n  linalg.map outs(" << result
          << " : " << type(dims, true) << ") (%init: " << scalar
          << ") { linalg.yield %zero : " << scalar << " }\n  " << result
          << "_interior = memref.subview " << result << "[" << lows << "] ["
          << extentsText << "] [" << ones << "] : " << type(dims, true)
          << " to " << viewType << "\n  memref.copy " << value << ", " << result
          << "_interior : " << type(dims, false) << " to " << viewType << "\n";
      value = result;
    }
    inputs[i] = value;
  }
  std::string sum = "%out";
  if (epilogue || secondResult) {
    std::string sizes;
    for (size_t d = 0; d < outRank; ++d)
      if (isDynamic(operands[2][d])) {
        out << "  %co" << d << " = arith.constant " << d << " : index\n  %no"
            << d << " = memref.dim %out, %co" << d << " : " << outType << "\n";
        sizes += (sizes.empty() ? "%no" : ", %no") + std::to_string(d);
      }
    out << "  %sum = memref.alloc(" << sizes << ") : " << outType << "\n";
    sum = "%sum";
  }
  if (!accumulate)
    out << "  linalg.fill ins(%zero : " << scalar << ") outs(" << sum << " : "
        << outType << ")\n";
  out << "  linalg.generic {indexing_maps = [" << map(operands[0]) << ", "
      << map(operands[1]) << ", " << map(operands[2])
      << "], iterator_types = [";
  for (size_t l = 0; l < extents.size(); ++l)
    out << (l ? ", " : "") << (reduction[l] ? "\"reduction\"" : "\"parallel\"");
  out << "]} ins(" << inputs[0] << ", " << inputs[1] << " : "
      << type(operands[0], true) << ", " << type(operands[1], true) << ") outs("
      << sum << " : " << outType << ") attrs = {root";
  if (!strategy.empty())
    out << ", codegen.strategy = " << strategy;
  out << "} {\n  ^bb0(%x: " << scalar << ", %y: " << scalar
      << ", %s: " << scalar << "):\n    %p = arith.mulf %x, %y : " << scalar
      << "\n    %q = arith.addf %s, %p : " << scalar
      << "\n    linalg.yield %q : " << scalar << "\n  }\n";
  if (epilogue) {
    out << "  linalg.generic {indexing_maps = [" << identity(outRank) << ", "
        << lastDim(outRank) << ", " << identity(outRank) << ", "
        << identity(outRank) << "], iterator_types = " << parallel(outRank)
        << "} ins(%sum, %bias, %other : " << outType << ", " << biasType << ", "
        << outType << ") outs(%out : " << outType
        << ") {\n  ^bb0(%r: " << scalar << ", %bi: " << scalar
        << ", %o: " << scalar << ", %old: " << scalar
        << "):\n    %1 = arith.addf %r, %bi : " << scalar << "\n    %2 = "
        << (function ? "math.tanh %1 : " : "arith.maximumf %1, %zero : ")
        << scalar << "\n    %3 = arith.addf %2, %o : " << scalar
        << "\n    linalg.yield %3 : " << scalar << "\n  }\n";
  }
  if (secondResult) {
    std::string target = epilogue ? "%second" : "%second";
    out << "  linalg.generic {indexing_maps = [" << identity(outRank) << ", "
        << identity(outRank) << "], iterator_types = " << parallel(outRank)
        << "} ins(%sum : " << outType << ") outs(" << target << " : " << outType
        << ") {\n  ^bb0(%r: " << scalar << ", %old: " << scalar
        << "):\n    %1 = arith.mulf %r, %two : " << scalar
        << "\n    linalg.yield %1 : " << scalar << "\n  }\n";
  }
  out << "  return\n}\n";
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
