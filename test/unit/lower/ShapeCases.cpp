//===- ShapeCases.cpp - Ops that move elements, lookup, random numbers ----===//

#include "test/unit/lower/Cases.h"

namespace cornu::test {

std::vector<Case> shapeCases() {
  std::vector<Case> cases;
  cases.push_back({"constants", R"(
func.func @f(%x: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<2x3xf32>) {
  %c = nn.constant dense<[1.0, -2.0, 3.5]> : tensor<3xf32>
  %0 = nn.add %x, %c : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  %1 = nn.broadcast %c : (tensor<3xf32>) -> tensor<2x3xf32>
  return %0, %1 : tensor<?x3xf32>, tensor<2x3xf32>
})"});
  cases.push_back({"iota", R"(
func.func @f() -> (tensor<4xi32>, tensor<2x5xf32>) {
  %0 = nn.iota 0 : tensor<4xi32>
  %1 = nn.iota 1 : tensor<2x5xf32>
  return %0, %1 : tensor<4xi32>, tensor<2x5xf32>
})"});
  cases.push_back({"batch_size", R"(
func.func @f(%x: tensor<?x3xf32>) -> (tensor<f32>, tensor<i32>) {
  %0 = nn.batch_size %x : (tensor<?x3xf32>) -> tensor<f32>
  %1 = nn.batch_size %x : (tensor<?x3xf32>) -> tensor<i32>
  return %0, %1 : tensor<f32>, tensor<i32>
})"});
  cases.push_back({"reshape_between_kernels", R"(
func.func @f(%x: tensor<?x4x6xf32>) -> (tensor<?x24xf32>, tensor<?x6x4xf32>, tensor<?x4x1x6xf32>) {
  %e = nn.negate %x : tensor<?x4x6xf32>
  %0 = nn.reshape %e : tensor<?x4x6xf32> -> tensor<?x24xf32>
  %1 = nn.reshape %e : tensor<?x4x6xf32> -> tensor<?x6x4xf32>
  %2 = nn.reshape %x : tensor<?x4x6xf32> -> tensor<?x4x1x6xf32>
  return %0, %1, %2 : tensor<?x24xf32>, tensor<?x6x4xf32>, tensor<?x4x1x6xf32>
})"});
  cases.push_back({"reshape_into_the_batch", R"(
func.func @f(%x: tensor<?x4x6xf32>, %w: tensor<6x5xf32>) -> tensor<?x4x5xf32> {
  %0 = nn.reshape %x : tensor<?x4x6xf32> -> tensor<?x6xf32>
  %1 = nn.contract "bi,iu->bu" %0, %w : (tensor<?x6xf32>, tensor<6x5xf32>) -> tensor<?x5xf32>
  %2 = nn.reshape %1 : tensor<?x5xf32> -> tensor<?x4x5xf32>
  return %2 : tensor<?x4x5xf32>
})"});
  cases.push_back({"reshape_inside_a_kernel", R"(
func.func private @kernel(%x: tensor<?x4x6xf32>, %s: tensor<?x1x4xf32>) -> (tensor<?x24xf32>, tensor<?x3x8xf32>, tensor<?x4x6xf32>) attributes {nn.kernel} {
  %two = nn.constant dense<2.0> : tensor<f32>
  %0 = nn.multiply %x, %two : (tensor<?x4x6xf32>, tensor<f32>) -> tensor<?x4x6xf32>
  %1 = nn.reshape %0 : tensor<?x4x6xf32> -> tensor<?x24xf32>
  %2 = nn.exp %1 : tensor<?x24xf32>
  %t = nn.transpose [0, 2, 1] %x : (tensor<?x4x6xf32>) -> tensor<?x6x4xf32>
  %3 = nn.reshape %t : tensor<?x6x4xf32> -> tensor<?x3x8xf32>
  %4 = nn.reshape %s : tensor<?x1x4xf32> -> tensor<?x4x1xf32>
  %5 = nn.add %x, %4 : (tensor<?x4x6xf32>, tensor<?x4x1xf32>) -> tensor<?x4x6xf32>
  return %2, %3, %5 : tensor<?x24xf32>, tensor<?x3x8xf32>, tensor<?x4x6xf32>
}
func.func @f(%x: tensor<?x4x6xf32>, %s: tensor<?x1x4xf32>) -> (tensor<?x24xf32>, tensor<?x3x8xf32>, tensor<?x4x6xf32>) {
  %0:3 = call @kernel(%x, %s) : (tensor<?x4x6xf32>, tensor<?x1x4xf32>) -> (tensor<?x24xf32>, tensor<?x3x8xf32>, tensor<?x4x6xf32>)
  return %0#0, %0#1, %0#2 : tensor<?x24xf32>, tensor<?x3x8xf32>, tensor<?x4x6xf32>
})"});
  cases.push_back({"reshape_of_a_root", R"(
func.func private @kernel(%x: tensor<?x6xf32>, %w: tensor<6x8xf32>) -> (tensor<?x2x4xf32>, tensor<?x4x1xf32>) attributes {nn.kernel} {
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x6xf32>, tensor<6x8xf32>) -> tensor<?x8xf32>
  %1 = nn.reshape %0 : tensor<?x8xf32> -> tensor<?x2x4xf32>
  %2 = nn.reduce sum [1] %1 : (tensor<?x2x4xf32>) -> tensor<?x4xf32>
  %3 = nn.reshape %2 : tensor<?x4xf32> -> tensor<?x4x1xf32>
  return %1, %3 : tensor<?x2x4xf32>, tensor<?x4x1xf32>
}
func.func @f(%x: tensor<?x6xf32>, %w: tensor<6x8xf32>) -> (tensor<?x2x4xf32>, tensor<?x4x1xf32>) {
  %0:2 = call @kernel(%x, %w) : (tensor<?x6xf32>, tensor<6x8xf32>) -> (tensor<?x2x4xf32>, tensor<?x4x1xf32>)
  return %0#0, %0#1 : tensor<?x2x4xf32>, tensor<?x4x1xf32>
})"});
  cases.push_back({"transpose", R"(
func.func @f(%x: tensor<?x4x6xf32>) -> (tensor<?x6x4xf32>, tensor<?x4x6xi1>) {
  %0 = nn.transpose [0, 2, 1] %x : (tensor<?x4x6xf32>) -> tensor<?x6x4xf32>
  %z = nn.constant dense<0.0> : tensor<f32>
  %1 = nn.compare gt %x, %z : (tensor<?x4x6xf32>, tensor<f32>) -> tensor<?x4x6xi1>
  return %0, %1 : tensor<?x6x4xf32>, tensor<?x4x6xi1>
})"});
  cases.push_back({"transpose_of_the_batch", R"(
func.func @f(%x: tensor<?x4xf32>, %y: tensor<?x3xf32>) -> tensor<4x3xf32> {
  %0 = nn.transpose [1, 0] %x : (tensor<?x4xf32>) -> tensor<4x?xf32>
  %1 = nn.contract "ib,bu->iu" %0, %y : (tensor<4x?xf32>, tensor<?x3xf32>) -> tensor<4x3xf32>
  return %1 : tensor<4x3xf32>
})"});
  cases.push_back({"broadcast", R"(
func.func @f(%x: tensor<?x1x3xf32>, %s: tensor<f32>, %r: tensor<3xf32>) -> (tensor<?x2x3xf32>, tensor<?x4xf32>, tensor<?x3xf32>) {
  %0 = nn.broadcast %x : (tensor<?x1x3xf32>) -> tensor<?x2x3xf32>
  %1 = nn.broadcast %s like %x : (tensor<f32>, tensor<?x1x3xf32>) -> tensor<?x4xf32>
  %2 = nn.broadcast %r like %x : (tensor<3xf32>, tensor<?x1x3xf32>) -> tensor<?x3xf32>
  return %0, %1, %2 : tensor<?x2x3xf32>, tensor<?x4xf32>, tensor<?x3xf32>
})"});
  cases.push_back({"concatenate", R"(
func.func private @kernel(%a: tensor<?x2x3xf32>, %b: tensor<?x5x3xf32>, %c: tensor<?x1x3xf32>) -> tensor<?x8x3xf32> attributes {nn.kernel} {
  %e = nn.exp %b : tensor<?x5x3xf32>
  %0 = nn.concatenate 1 %a, %e, %c : (tensor<?x2x3xf32>, tensor<?x5x3xf32>, tensor<?x1x3xf32>) -> tensor<?x8x3xf32>
  return %0 : tensor<?x8x3xf32>
}
func.func @f(%a: tensor<?x2x3xf32>, %b: tensor<?x5x3xf32>, %c: tensor<?x1x3xf32>) -> (tensor<?x8x3xf32>, tensor<?x2x6xf32>) {
  %0 = call @kernel(%a, %b, %c) : (tensor<?x2x3xf32>, tensor<?x5x3xf32>, tensor<?x1x3xf32>) -> tensor<?x8x3xf32>
  %1 = nn.concatenate 2 %a, %a : (tensor<?x2x3xf32>, tensor<?x2x3xf32>) -> tensor<?x2x6xf32>
  return %0, %1 : tensor<?x8x3xf32>, tensor<?x2x6xf32>
})"});
  cases.push_back({"concatenate_then_elementwise", R"(
func.func private @kernel(%a: tensor<?x2xf32>, %b: tensor<?x5xf32>) -> tensor<?x7xf32> attributes {nn.kernel} {
  %0 = nn.concatenate 1 %a, %b : (tensor<?x2xf32>, tensor<?x5xf32>) -> tensor<?x7xf32>
  %1 = nn.tanh %0 : tensor<?x7xf32>
  return %1 : tensor<?x7xf32>
}
func.func @f(%a: tensor<?x2xf32>, %b: tensor<?x5xf32>) -> tensor<?x7xf32> {
  %0 = call @kernel(%a, %b) : (tensor<?x2xf32>, tensor<?x5xf32>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
})"});
  cases.push_back({"slice", R"(
func.func @f(%x: tensor<?x7x5xf32>) -> (tensor<?x3x5xf32>, tensor<?x7x2xf32>) {
  %0 = nn.slice [0, 1, 0] [-1, 7, 5] [1, 2, 1] %x : (tensor<?x7x5xf32>) -> tensor<?x3x5xf32>
  %1 = nn.slice [0, 0, 3] [-1, 7, 5] [1, 1, 1] %x : (tensor<?x7x5xf32>) -> tensor<?x7x2xf32>
  return %0, %1 : tensor<?x3x5xf32>, tensor<?x7x2xf32>
})"});
  cases.push_back({"pad", R"(
func.func @f(%x: tensor<?x3x4xf32>) -> (tensor<?x6x9xf32>, tensor<?x5x11xf32>, tensor<?x3x5xf32>) {
  %0 = nn.pad %x low [0, 1, 2] high [0, 2, 3] interior [0, 0, 0] value 1.5 : (tensor<?x3x4xf32>) -> tensor<?x6x9xf32>
  %1 = nn.pad %x low [0, 0, 1] high [0, 0, 0] interior [0, 1, 2] value 0.0 : (tensor<?x3x4xf32>) -> tensor<?x5x11xf32>
  %2 = nn.pad %x low [0, 0, 0] high [0, 0, 1] interior [0, 0, 0] value -1.0 : (tensor<?x3x4xf32>) -> tensor<?x3x5xf32>
  return %0, %1, %2 : tensor<?x6x9xf32>, tensor<?x5x11xf32>, tensor<?x3x5xf32>
})"});
  cases.push_back({"reverse", R"(
func.func @f(%x: tensor<?x3x4xf32>) -> tensor<?x3x4xf32> {
  %0 = nn.reverse [1, 2] %x : tensor<?x3x4xf32>
  return %0 : tensor<?x3x4xf32>
})"});
  cases.push_back({"results_that_are_arguments", R"(
func.func private @kernel(%x: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>) attributes {nn.kernel} {
  %0 = nn.exp %x : tensor<?x3xf32>
  return %x, %0, %0 : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>
}
func.func @f(%x: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>) {
  %0:3 = call @kernel(%x) : (tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>)
  return %0#0, %0#1, %0#2, %x : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>
})"});
  return cases;
}

std::vector<Case> indexingCases() {
  std::vector<Case> cases;
  for (const char *type : {"i32", "i64"}) {
    std::string t = type;
    cases.push_back({"gather_" + t,
                     R"(
func.func @f(%table: tensor<5x3xf32>, %i: tensor<?x4x)" +
                         t + R"(> {test.bound = 6 : i64}) -> tensor<?x4x3xf32> {
  %0 = nn.gather %table, %i : (tensor<5x3xf32>, tensor<?x4x)" +
                         t + R"(>) -> tensor<?x4x3xf32>
  return %0 : tensor<?x4x3xf32>
})"});
    cases.push_back(
        {"scatter_add_" + t,
         R"(
func.func @f(%i: tensor<?x4x)" +
             t +
             R"(> {test.bound = 6 : i64}, %u: tensor<?x4x3xf32>) -> tensor<5x3xf32> {
  %0 = nn.scatter_add %i, %u : (tensor<?x4x)" +
             t + R"(>, tensor<?x4x3xf32>) -> tensor<5x3xf32>
  return %0 : tensor<5x3xf32>
})"});
  }
  cases.push_back({"gather_fused", R"(
func.func private @kernel(%table: tensor<5x3xf32>, %i: tensor<?x4xi32>, %p: tensor<4x3xf32>) -> tensor<?x4x3xf32> attributes {nn.kernel} {
  %0 = nn.gather %table, %i : (tensor<5x3xf32>, tensor<?x4xi32>) -> tensor<?x4x3xf32>
  %1 = nn.add %0, %p : (tensor<?x4x3xf32>, tensor<4x3xf32>) -> tensor<?x4x3xf32>
  return %1 : tensor<?x4x3xf32>
}
func.func @f(%table: tensor<5x3xf32>, %i: tensor<?x4xi32> {test.labels = 5 : i64}, %p: tensor<4x3xf32>) -> tensor<?x4x3xf32> {
  %0 = call @kernel(%table, %i, %p) : (tensor<5x3xf32>, tensor<?x4xi32>, tensor<4x3xf32>) -> tensor<?x4x3xf32>
  return %0 : tensor<?x4x3xf32>
})"});
  cases.push_back({"random_uniform", R"(
func.func @f(%state: tensor<4xi32> {test.labels = 100000 : i64}, %x: tensor<?x7xf32>) -> (tensor<?x7xf32>, tensor<3x5xf32>, tensor<?x2x3xf64>) {
  %0 = nn.random_uniform 3 %state like %x : (tensor<4xi32>, tensor<?x7xf32>) -> tensor<?x7xf32>
  %1 = nn.random_uniform 4 %state : (tensor<4xi32>) -> tensor<3x5xf32>
  %2 = nn.random_uniform 5 %state like %x : (tensor<4xi32>, tensor<?x7xf32>) -> tensor<?x2x3xf64>
  return %0, %1, %2 : tensor<?x7xf32>, tensor<3x5xf32>, tensor<?x2x3xf64>
})",
                   1e-12});
  return cases;
}

} // namespace cornu::test
