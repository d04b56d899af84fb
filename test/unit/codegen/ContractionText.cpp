//===- ContractionText.cpp - A contraction as a kernel on memrefs ---------===//
//
//   func.func @kernel_0(%a: memref<?x7xf32>, %b: memref<7x10xf32>, ...)
//
//===----------------------------------------------------------------------===//

#include "test/unit/codegen/ContractionCase.h"

#include <algorithm>
#include <sstream>

namespace cornu::test {

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

} // namespace cornu::test
