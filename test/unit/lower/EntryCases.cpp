//===- EntryCases.cpp - Variables, scans, and places of results -----------===//

#include "test/unit/lower/Cases.h"

namespace cornu::test {

std::vector<Case> entryCases() {
  std::vector<Case> cases;
  cases.push_back({"train_step_of_one_layer", R"(
nn.variable metric @"metrics/loss" : tensor<f32>
nn.variable optimizer @"optimizer/momentum" : tensor<5x3xf32>
nn.variable trainable @"dense/kernel" : tensor<5x3xf32>
nn.variable optimizer @"optimizer/iteration" : tensor<i32>
func.func @train_step(%x: tensor<?x5xf32>, %t: tensor<?x3xf32>) {
  %w = nn.read @"dense/kernel" : tensor<5x3xf32>
  %m = nn.read @"optimizer/momentum" : tensor<5x3xf32>
  %l = nn.read @"metrics/loss" : tensor<f32>
  %i = nn.read @"optimizer/iteration" : tensor<i32>
  %one = nn.constant dense<1> : tensor<i32>
  %rate = nn.constant dense<0.1> : tensor<f32>
  %y = nn.contract "bi,iu->bu" %x, %w : (tensor<?x5xf32>, tensor<5x3xf32>) -> tensor<?x3xf32>
  %e = nn.subtract %y, %t : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %s = nn.multiply %e, %e : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %loss = nn.reduce mean [0, 1] %s : (tensor<?x3xf32>) -> tensor<f32>
  %dw = nn.contract "bi,bu->iu" %x, %e : (tensor<?x5xf32>, tensor<?x3xf32>) -> tensor<5x3xf32>
  %step = nn.multiply %dw, %rate : (tensor<5x3xf32>, tensor<f32>) -> tensor<5x3xf32>
  %m1 = nn.subtract %m, %step : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %w1 = nn.add %w, %m1 : (tensor<5x3xf32>, tensor<5x3xf32>) -> tensor<5x3xf32>
  %l1 = nn.add %l, %loss : (tensor<f32>, tensor<f32>) -> tensor<f32>
  %i1 = nn.add %i, %one : (tensor<i32>, tensor<i32>) -> tensor<i32>
  nn.assign @"optimizer/momentum", %m1 : tensor<5x3xf32>
  nn.assign @"dense/kernel", %w1 : tensor<5x3xf32>
  nn.assign @"metrics/loss", %l1 : tensor<f32>
  nn.assign @"optimizer/iteration", %i1 : tensor<i32>
  return
}
func.func @predict(%x: tensor<?x5xf32>) -> tensor<?x3xf32> {
  %w = nn.read @"dense/kernel" : tensor<5x3xf32>
  %y = nn.contract "bi,iu->bu" %x, %w : (tensor<?x5xf32>, tensor<5x3xf32>) -> tensor<?x3xf32>
  return %y : tensor<?x3xf32>
})"});
  cases.push_back({"old_value_needed_after_the_new_one", R"(
nn.variable trainable @w : tensor<4xf32>
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = nn.read @w : tensor<4xf32>
  %w1 = nn.exp %w : tensor<4xf32>
  %y = nn.multiply %x, %w : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  nn.assign @w, %w1 : tensor<4xf32>
  return %y : tensor<?x4xf32>
})"});
  cases.push_back({"variables_change_places", R"(
nn.variable trainable @a : tensor<4xf32>
nn.variable trainable @b : tensor<4xf32>
func.func @f() -> tensor<4xf32> {
  %a = nn.read @a : tensor<4xf32>
  %b = nn.read @b : tensor<4xf32>
  %s = nn.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  nn.assign @a, %b : tensor<4xf32>
  nn.assign @b, %a : tensor<4xf32>
  return %s : tensor<4xf32>
})"});
  cases.push_back({"update_that_is_not_elementwise", R"(
nn.variable trainable @w : tensor<4x4xf32>
func.func @f(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = nn.read @w : tensor<4x4xf32>
  %t = nn.transpose [1, 0] %w : (tensor<4x4xf32>) -> tensor<4x4xf32>
  %y = nn.contract "bi,iu->bu" %x, %t : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  nn.assign @w, %t : tensor<4x4xf32>
  return %y : tensor<?x4xf32>
})"});
  cases.push_back({"one_kernel_in_place_and_not", R"(
nn.variable trainable @w : tensor<4xf32>
func.func private @twice(%x: tensor<4xf32>) -> tensor<4xf32> attributes {nn.kernel} {
  %0 = nn.add %x, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @f(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %w = nn.read @w : tensor<4xf32>
  %0 = call @twice(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = call @twice(%w) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = call @twice(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = call @twice(%2) : (tensor<4xf32>) -> tensor<4xf32>
  nn.assign @w, %1 : tensor<4xf32>
  return %3, %0 : tensor<4xf32>, tensor<4xf32>
})"});
  cases.push_back({"unsigned_input", R"(
func.func @predict(%x: tensor<?x4xui8>) -> tensor<?x4xf32> {
  %0 = nn.convert %x : (tensor<?x4xui8>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
})"});
  std::string cell = R"(
func.func private @cell(%x: tensor<?x3xf32>, %h: tensor<?x4xf32>, %c: tensor<?x4xf32>, %w: tensor<3x4xf32>, %u: tensor<4x4xf32>)
    -> (tensor<?x4xf32>, tensor<?x4xf32>) attributes {nn.kernel} {
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x3xf32>, tensor<3x4xf32>) -> tensor<?x4xf32>
  %1 = nn.contract "bi,iu->bu" %h, %u : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %2 = nn.add %0, %1 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %3 = nn.tanh %2 : tensor<?x4xf32>
  %4 = nn.multiply %c, %3 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %5 = nn.sigmoid %4 : tensor<?x4xf32>
  return %3, %5 : tensor<?x4xf32>, tensor<?x4xf32>
})";
  for (bool reverse : {false, true})
    cases.push_back({reverse ? "scan_reverse" : "scan",
                     cell + R"(
func.func @f(%xs: tensor<?x6x3xf32>, %h0: tensor<?x4xf32>, %c0: tensor<?x4xf32>, %w: tensor<3x4xf32>, %u: tensor<4x4xf32>)
    -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x6x4xf32>) {
  %h, %c, %ys = nn.scan steps 6 )" +
                         std::string(reverse ? "reverse " : "") +
                         R"(state(%h0, %c0) sequences(%xs) invariants(%w, %u) {
  ^bb0(%h1: tensor<?x4xf32>, %c1: tensor<?x4xf32>, %x: tensor<?x3xf32>, %w1: tensor<3x4xf32>, %u1: tensor<4x4xf32>):
    %0:2 = func.call @cell(%x, %h1, %c1, %w1, %u1) : (tensor<?x3xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<3x4xf32>, tensor<4x4xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>)
    nn.yield %0#0, %0#1, %0#0 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
  } : (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x6x3xf32>, tensor<3x4xf32>, tensor<4x4xf32>)
      -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x6x4xf32>)
  return %h, %c, %ys : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x6x4xf32>
})"});
  cases.push_back({"scan_state_in_place_and_two_outputs", R"(
func.func @f(%xs: tensor<?x5x3xf32>) -> (tensor<?x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5xf32>) {
  %z = nn.constant dense<0.0> : tensor<f32>
  %s0 = nn.broadcast %z like %xs : (tensor<f32>, tensor<?x5x3xf32>) -> tensor<?x3xf32>
  %s, %a, %b, %r = nn.scan steps 5 state(%s0) sequences(%xs) {
  ^bb0(%s1: tensor<?x3xf32>, %x: tensor<?x3xf32>):
    %0 = nn.add %s1, %x : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    %1 = nn.exp %x : tensor<?x3xf32>
    %2 = nn.reduce sum [1] %1 : (tensor<?x3xf32>) -> tensor<?xf32>
    nn.yield %0, %1, %1, %2 : tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?xf32>
  } : (tensor<?x3xf32>, tensor<?x5x3xf32>) -> (tensor<?x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5xf32>)
  return %s, %a, %b, %r : tensor<?x3xf32>, tensor<?x5x3xf32>, tensor<?x5x3xf32>, tensor<?x5xf32>
})"});
  cases.push_back({"scan_states_change_places", R"(
func.func @f(%a0: tensor<?x3xf32>, %b0: tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>) {
  %a, %b = nn.scan steps 3 state(%a0, %b0) {
  ^bb0(%a1: tensor<?x3xf32>, %b1: tensor<?x3xf32>):
    %0 = nn.add %a1, %b1 : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    nn.yield %b1, %0 : tensor<?x3xf32>, tensor<?x3xf32>
  } : (tensor<?x3xf32>, tensor<?x3xf32>) -> (tensor<?x3xf32>, tensor<?x3xf32>)
  return %a, %b : tensor<?x3xf32>, tensor<?x3xf32>
})"});
  return cases;
}

} // namespace cornu::test
