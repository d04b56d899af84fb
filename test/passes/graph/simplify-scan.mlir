// RUN: cornu-opt --nn-simplify --canonicalize --cse %s | FileCheck %s

// The projection of the input and its bias leave the scan; an output that
// nobody reads and an argument that the body does not read are dropped.
// CHECK-LABEL: @projection
// CHECK: %[[P:.*]] = nn.contract "bTi,iu->bTu" %arg1, %arg2
// CHECK: %[[Q:.*]] = nn.add %[[P]], %arg3
// CHECK: %[[R:.*]] = nn.scan steps 4 state(%arg0) sequences(%[[Q]]) {
// CHECK-NEXT: ^bb0(%[[S:.*]]: tensor<?x2xf32>, %[[E:.*]]: tensor<?x2xf32>):
// CHECK-NEXT: %[[A:.*]] = nn.add %[[E]], %[[S]]
// CHECK-NEXT: nn.yield %[[A]] : tensor<?x2xf32>
// CHECK: return %[[R]]
func.func @projection(%h0: tensor<?x2xf32>, %xs: tensor<?x4x3xf32>, %w: tensor<3x2xf32>, %b: tensor<2xf32>)
    -> tensor<?x2xf32> {
  %h, %ys = nn.scan steps 4 state(%h0) sequences(%xs) invariants(%w, %b) {
  ^bb0(%s: tensor<?x2xf32>, %x: tensor<?x3xf32>, %k: tensor<3x2xf32>, %c: tensor<2xf32>):
    %0 = nn.contract "bi,iu->bu" %x, %k : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
    %1 = nn.add %0, %c : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
    %2 = nn.add %1, %s : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
    nn.yield %2, %2 : tensor<?x2xf32>, tensor<?x2xf32>
  } : (tensor<?x2xf32>, tensor<?x4x3xf32>, tensor<3x2xf32>, tensor<2xf32>) -> (tensor<?x2xf32>, tensor<?x4x2xf32>)
  return %h : tensor<?x2xf32>
}
