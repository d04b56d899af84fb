// RUN: cornu-opt %s --nn-lower | FileCheck %s

nn.variable trainable @w : tensor<4x4xf32>
nn.variable trainable @u : tensor<4x4xf32>

func.func private @step(%x: tensor<?x4xf32>, %w: tensor<4x4xf32>) -> tensor<?x4xf32> attributes {nn.kernel} {
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
func.func private @double(%w: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {nn.kernel} {
  %0 = nn.add %w, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// Variables become arguments, in the order of the module, and results.
// CHECK-LABEL: func.func @update
// CHECK-SAME: (%[[W:.*]]: tensor<4x4xf32> {nn.variable = @w}, %[[U:.*]]: tensor<4x4xf32> {nn.variable = @u})
// CHECK-SAME: -> (tensor<4x4xf32> {nn.variable = @u})
// CHECK: %[[PLACE:.*]] = tensor.empty() : tensor<4x4xf32>
// CHECK: %[[NEW:.*]] = call @double(%[[W]], %[[PLACE]])
// CHECK: return %[[NEW]]
func.func @update() {
  %u = nn.read @u : tensor<4x4xf32>
  %w = nn.read @w : tensor<4x4xf32>
  %0 = call @double(%w) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  nn.assign @u, %0 : tensor<4x4xf32>
  return
}

// A scan is a loop over slices; an output is computed in its slice.
// CHECK-LABEL: func.func @scan
// CHECK-SAME: (%[[H0:.*]]: tensor<?x4xf32>, %[[XS:.*]]: tensor<?x6x4xf32>, %[[W:.*]]: tensor<4x4xf32>
// CHECK: %[[YS0:.*]] = tensor.empty(%{{.*}}) : tensor<?x6x4xf32>
// CHECK: scf.for %[[I:.*]] = {{.*}} iter_args(%[[H:.*]] = %[[H0]], %[[YS:.*]] = %[[YS0]])
// CHECK: %[[T:.*]] = arith.subi %{{.*}}, %[[I]]
// CHECK: %[[X:.*]] = tensor.extract_slice %[[XS]][0, %[[T]], 0] [%{{.*}}, 1, 4]
// CHECK: %[[Y:.*]] = tensor.extract_slice %[[YS]][0, %[[T]], 0]
// CHECK: %[[NEW:.*]] = func.call @step(%[[X]], %[[W]], %[[Y]])
// CHECK: %[[STACKED:.*]] = tensor.insert_slice %[[NEW]] into %[[YS]]
// CHECK: %[[NEXT:.*]] = linalg.copy ins(%[[NEW]] : {{.*}}) outs(%[[H]]
// CHECK: scf.yield %[[NEXT]], %[[STACKED]]
func.func @scan(%h0: tensor<?x4xf32>, %xs: tensor<?x6x4xf32>, %w: tensor<4x4xf32>) -> tensor<?x6x4xf32> {
  %h, %ys = nn.scan steps 6 reverse state(%h0) sequences(%xs) invariants(%w) {
  ^bb0(%h1: tensor<?x4xf32>, %x: tensor<?x4xf32>, %w1: tensor<4x4xf32>):
    %0 = func.call @step(%x, %w1) : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    nn.yield %0, %0 : tensor<?x4xf32>, tensor<?x4xf32>
  } : (tensor<?x4xf32>, tensor<?x6x4xf32>, tensor<4x4xf32>) -> (tensor<?x4xf32>, tensor<?x6x4xf32>)
  return %ys : tensor<?x6x4xf32>
}
