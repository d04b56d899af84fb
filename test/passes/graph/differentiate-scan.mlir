// RUN: cornu-opt --nn-differentiate --nn-simplify --canonicalize --cse %s | FileCheck %s

// The forward scan also stacks the states; the gradients of the weights are
// contractions over batch and time after the backward scan.
// CHECK-LABEL: @recurrent
// CHECK: %[[XW:.*]] = nn.contract "bTi,iu->bTu" %arg1, %arg2
// CHECK: %[[F:.*]]:3 = nn.scan steps 4 state(%arg0) sequences(%[[XW]]) invariants(%arg3)
// CHECK: ^bb0(%[[H:.*]]: tensor<?x2xf32>, %{{.*}}: tensor<?x2xf32>, %{{.*}}: tensor<2x2xf32>):
// CHECK: %[[Y:.*]] = nn.tanh
// CHECK: nn.yield %[[Y]], %[[H]], %[[Y]]
// CHECK: %[[B:.*]]:2 = nn.scan steps 4 reverse state({{.*}}) sequences(%[[F]]#2) invariants(%arg3)
// CHECK-NOT: "bi,bu->iu"
// CHECK: nn.yield
// CHECK: nn.contract "btu,iu->bti" %[[B]]#1, %arg2
// CHECK: nn.contract "bti,btu->iu" %arg1, %[[B]]#1
// CHECK: nn.contract "bti,btu->iu" %[[F]]#1, %[[B]]#1
func.func @recurrent(%h0: tensor<?x2xf32>, %xs: tensor<?x4x3xf32>, %w: tensor<3x2xf32>, %u: tensor<2x2xf32>)
    -> tensor<f32> {
  %h = nn.scan steps 4 state(%h0) sequences(%xs) invariants(%w, %u) {
  ^bb0(%s: tensor<?x2xf32>, %x: tensor<?x3xf32>, %k: tensor<3x2xf32>, %r: tensor<2x2xf32>):
    %0 = nn.contract "bi,iu->bu" %x, %k : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
    %1 = nn.contract "bi,iu->bu" %s, %r : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
    %2 = nn.add %0, %1 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
    %3 = nn.tanh %2 : tensor<?x2xf32>
    nn.yield %3 : tensor<?x2xf32>
  } : (tensor<?x2xf32>, tensor<?x4x3xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
  %l = nn.reduce sum [0, 1] %h : (tensor<?x2xf32>) -> tensor<f32>
  return %l : tensor<f32>
}
