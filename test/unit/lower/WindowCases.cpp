//===- WindowCases.cpp - Contractions, convolutions, pools ----------------===//

#include "test/unit/lower/Cases.h"

#include <algorithm>

namespace cornu::test {

namespace {
using Numbers = std::vector<int64_t>;

std::string list(const Numbers &numbers) {
  std::string text = "[";
  for (size_t i = 0; i < numbers.size(); ++i)
    text += (i ? ", " : "") + std::to_string(numbers[i]);
  return text + "]";
}

std::string tensor(const Numbers &shape, bool batch = true) {
  std::string text = batch ? "tensor<?x" : "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + "f32>";
}

/// Convolutions of one geometry and their gradients.
struct Convolution {
  std::string name;
  Numbers input;
  int64_t channels, filters, groups;
  Numbers window, strides, padding, dilations;
};

Case convolutionCase(const Convolution &c) {
  Numbers in = c.input, out, kernel = c.window;
  for (size_t d = 0; d < c.input.size(); ++d)
    out.push_back((c.padding[2 * d] + c.input[d] + c.padding[2 * d + 1] -
                   ((c.window[d] - 1) * c.dilations[d] + 1)) /
                      c.strides[d] +
                  1);
  in.push_back(c.channels);
  out.push_back(c.filters);
  kernel.push_back(c.channels / c.groups);
  kernel.push_back(c.filters);
  std::string x = tensor(in), w = tensor(kernel, false), y = tensor(out);
  std::string attrs = " strides " + list(c.strides) + " padding " +
                      list(c.padding) + " dilations " + list(c.dilations) +
                      " groups " + std::to_string(c.groups);
  return {"convolution_" + c.name,
          "func.func @f(%x: " + x + ", %w: " + w + ", %dy: " + y + ") -> (" +
              y + ", " + x + ", " + w + ") {\n  %0 = nn.convolution %x, %w" +
              attrs + " : (" + x + ", " + w + ") -> " + y +
              "\n  %1 = nn.convolution_input_gradient %dy, %w" + attrs +
              " : (" + y + ", " + w + ") -> " + x +
              "\n  %2 = nn.convolution_kernel_gradient %x, %dy" + attrs +
              " : (" + x + ", " + y + ") -> " + w +
              "\n  return %0, %1, %2 : " + y + ", " + x + ", " + w + "\n}\n"};
}

struct Pool {
  std::string name;
  Numbers input, window, strides, padding;
};

Case poolCase(const Pool &p) {
  Numbers in = p.input, out;
  for (size_t d = 0; d < p.input.size(); ++d)
    out.push_back(
        (p.padding[2 * d] + p.input[d] + p.padding[2 * d + 1] - p.window[d]) /
            p.strides[d] +
        1);
  in.push_back(3);
  out.push_back(3);
  std::string x = tensor(in), y = tensor(out);
  std::string attrs = " window " + list(p.window) + " strides " +
                      list(p.strides) + " padding " + list(p.padding);
  auto line = [&](const std::string &result, const std::string &op,
                  const std::string &operands, const std::string &types,
                  const std::string &to) {
    return "  " + result + " = nn." + op + " " + operands + attrs + " : (" +
           types + ") -> " + to + "\n";
  };
  return {"pool_" + p.name,
          "func.func @f(%x: " + x + ", %v: " + x + ", %dy: " + y + ") -> (" +
              y + ", " + x + ", " + y + ", " + x + ", " + y + ") {\n" +
              line("%0", "sum_pool", "%x", x, y) +
              line("%1", "sum_pool_gradient", "%dy", y, x) +
              line("%2", "max_pool", "%x", x, y) +
              line("%3", "max_pool_scatter", "%x, %dy", x + ", " + y, x) +
              line("%4", "max_pool_gather", "%x, %v", x + ", " + x, y) +
              "  return %0, %1, %2, %3, %4 : " + y + ", " + x + ", " + y +
              ", " + x + ", " + y + "\n}\n"};
}
} // namespace

std::vector<Case> windowCases() {
  std::vector<Case> cases;
  cases.push_back({"contract", R"(
func.func @f(%x: tensor<?x5xf32>, %w: tensor<5x3xf32>, %q: tensor<?x2x3x5xf32>, %k: tensor<?x4x3x5xf32>)
    -> (tensor<?x3xf32>, tensor<?x3x2x4xf32>, tensor<5x3xf32>) {
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x5xf32>, tensor<5x3xf32>) -> tensor<?x3xf32>
  %1 = nn.contract "bqhd,bkhd->bhqk" %q, %k : (tensor<?x2x3x5xf32>, tensor<?x4x3x5xf32>) -> tensor<?x3x2x4xf32>
  %2 = nn.contract "bi,bu->iu" %x, %0 : (tensor<?x5xf32>, tensor<?x3xf32>) -> tensor<5x3xf32>
  return %0, %1, %2 : tensor<?x3xf32>, tensor<?x3x2x4xf32>, tensor<5x3xf32>
})"});
  cases.push_back({"contract_f64_outer_product_and_inner", R"(
func.func @f(%x: tensor<?x5xf64>, %y: tensor<?x3xf64>) -> (tensor<?x5x3xf64>, tensor<?xf64>) {
  %0 = nn.contract "bi,bj->bij" %x, %y : (tensor<?x5xf64>, tensor<?x3xf64>) -> tensor<?x5x3xf64>
  %1 = nn.contract "bi,bi->b" %x, %x : (tensor<?x5xf64>, tensor<?x5xf64>) -> tensor<?xf64>
  return %0, %1 : tensor<?x5x3xf64>, tensor<?xf64>
})",
                   1e-12});
  cases.push_back({"contract_with_prologue_and_epilogue", R"(
func.func private @kernel(%x: tensor<?x5xf32>, %w: tensor<3x5xf32>, %b: tensor<3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) attributes {nn.kernel} {
  %r = nn.relu %x : tensor<?x5xf32>
  %t = nn.transpose [1, 0] %w : (tensor<3x5xf32>) -> tensor<5x3xf32>
  %0 = nn.contract "bi,iu->bu" %r, %t : (tensor<?x5xf32>, tensor<5x3xf32>) -> tensor<?x3xf32>
  %1 = nn.add %0, %b : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  %2 = nn.tanh %1 : tensor<?x3xf32>
  return %2, %0 : tensor<?x3xf32>, tensor<?x3xf32>
}
func.func @f(%x: tensor<?x5xf32>, %w: tensor<3x5xf32>, %b: tensor<3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %0:2 = call @kernel(%x, %w, %b) : (tensor<?x5xf32>, tensor<3x5xf32>, tensor<3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>)
  return %0#0, %0#1 : tensor<?x3xf32>, tensor<?x3xf32>
})"});
  cases.push_back({"convolution_with_pad_and_epilogue", R"(
func.func private @kernel(%x: tensor<?x6x5x3xf32>, %w: tensor<3x3x3x4xf32>, %b: tensor<4xf32>) -> tensor<?x3x3x4xf32> attributes {nn.kernel} {
  %r = nn.relu %x : tensor<?x6x5x3xf32>
  %p = nn.pad %r low [0, 1, 1, 0] high [0, 0, 1, 0] interior [0, 0, 0, 0] value 0.0 : (tensor<?x6x5x3xf32>) -> tensor<?x7x7x3xf32>
  %0 = nn.convolution %p, %w strides [2, 2] padding [0, 0, 0, 0] dilations [1, 1] groups 1
      : (tensor<?x7x7x3xf32>, tensor<3x3x3x4xf32>) -> tensor<?x3x3x4xf32>
  %1 = nn.add %0, %b : (tensor<?x3x3x4xf32>, tensor<4xf32>) -> tensor<?x3x3x4xf32>
  return %1 : tensor<?x3x3x4xf32>
}
func.func @f(%x: tensor<?x6x5x3xf32>, %w: tensor<3x3x3x4xf32>, %b: tensor<4xf32>) -> tensor<?x3x3x4xf32> {
  %0 = call @kernel(%x, %w, %b) : (tensor<?x6x5x3xf32>, tensor<3x3x3x4xf32>, tensor<4xf32>) -> tensor<?x3x3x4xf32>
  return %0 : tensor<?x3x3x4xf32>
})"});
  for (const Convolution &c : std::vector<Convolution>{
           {"1x1", {4, 5}, 3, 4, 1, {1, 1}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
           {"same", {5, 6}, 3, 4, 1, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
           {"valid", {5, 6}, 2, 3, 1, {3, 2}, {1, 1}, {0, 0, 0, 0}, {1, 1}},
           {"strided", {7, 8}, 2, 3, 1, {3, 3}, {2, 3}, {1, 0, 1, 1}, {1, 1}},
           {"strided_same",
            {8, 8},
            2,
            3,
            1,
            {3, 3},
            {2, 2},
            {0, 1, 0, 1},
            {1, 1}},
           {"stride_beyond_window",
            {7, 7},
            2,
            3,
            1,
            {1, 2},
            {2, 3},
            {0, 0, 0, 0},
            {1, 1}},
           {"dilated", {9, 8}, 2, 3, 1, {3, 2}, {1, 1}, {2, 2, 1, 0}, {2, 3}},
           {"strided_and_dilated",
            {11, 10},
            2,
            3,
            1,
            {3, 3},
            {2, 3},
            {1, 2, 0, 3},
            {3, 2}},
           {"strided_and_dilated_evenly",
            {11, 10},
            2,
            3,
            1,
            {3, 3},
            {2, 4},
            {1, 2, 0, 3},
            {2, 2}},
           {"grouped", {5, 5}, 4, 6, 2, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
           {"grouped_strided",
            {6, 5},
            6,
            9,
            3,
            {3, 2},
            {2, 1},
            {1, 1, 0, 1},
            {1, 1}},
           {"grouped_one_filter",
            {5, 5},
            6,
            3,
            3,
            {2, 2},
            {1, 1},
            {0, 0, 0, 0},
            {1, 1}},
           {"depthwise", {6, 6}, 3, 3, 3, {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}},
           {"depthwise_strided",
            {7, 6},
            3,
            3,
            3,
            {3, 3},
            {2, 2},
            {1, 1, 0, 1},
            {1, 1}},
           {"depthwise_multiplier",
            {5, 6},
            3,
            6,
            3,
            {3, 3},
            {1, 1},
            {1, 1, 1, 1},
            {1, 1}},
           {"one_channel",
            {5, 6},
            1,
            4,
            1,
            {3, 3},
            {1, 1},
            {1, 1, 1, 1},
            {1, 1}},
           {"1d_causal", {9}, 3, 4, 1, {3}, {1}, {4, 0}, {2}},
           {"1d_strided", {9}, 3, 2, 1, {4}, {3}, {1, 2}, {1}},
           {"3d",
            {4, 3, 5},
            2,
            3,
            1,
            {2, 2, 3},
            {1, 2, 1},
            {1, 0, 0, 1, 1, 1},
            {1, 1, 1}},
           {"wide_padding",
            {3, 3},
            2,
            2,
            1,
            {2, 2},
            {1, 1},
            {3, 2, 2, 3},
            {1, 1}}})
    cases.push_back(convolutionCase(c));
  for (const Pool &p : std::vector<Pool>{
           {"2x2", {6, 4}, {2, 2}, {2, 2}, {0, 0, 0, 0}},
           {"2x2_remainder", {7, 5}, {2, 2}, {2, 2}, {0, 0, 0, 0}},
           {"same", {7, 5}, {2, 2}, {2, 2}, {0, 1, 0, 1}},
           {"overlapping", {7, 6}, {3, 3}, {2, 2}, {1, 1, 1, 1}},
           {"stride_1", {5, 5}, {3, 2}, {1, 1}, {1, 1, 0, 1}},
           {"gaps", {8, 7}, {2, 1}, {3, 2}, {0, 0, 0, 0}},
           {"1d", {9}, {3}, {2}, {1, 0}}})
    cases.push_back(poolCase(p));
  return cases;
}

} // namespace cornu::test
