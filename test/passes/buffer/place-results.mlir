// RUN: cornu-opt %s --nn-lower --buffer-bufferize --canonicalize --cse --buffer-place-results | FileCheck %s

nn.variable trainable @w : tensor<4x4xf32>
nn.variable optimizer @m : tensor<4x4xf32>

// An optimizer's step writes over the variables: arguments merge.
// CHECK-LABEL: func.func private @sgd
// CHECK-SAME: (%[[W:.*]]: memref<4x4xf32> {nn.output}, %[[M:.*]]: memref<4x4xf32> {nn.output}, %[[G:.*]]: memref<4x4xf32>)
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[W]], %[[M]], %[[G]] : {{.*}}) outs(%[[W]], %[[M]]
func.func private @sgd(%w: tensor<4x4xf32>, %m: tensor<4x4xf32>, %g: tensor<4x4xf32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>) attributes {nn.kernel} {
  %0 = nn.subtract %m, %g : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = nn.add %w, %0 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %1, %0 : tensor<4x4xf32>, tensor<4x4xf32>
}
// CHECK-LABEL: func.func @train_step
// CHECK-SAME: %[[W:[a-z0-9]*]]: memref<4x4xf32> {nn.variable = @w}, %[[M:[a-z0-9]*]]: memref<4x4xf32> {nn.variable = @m}
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: call @sgd(%[[W]], %[[M]], %{{.*}})
// CHECK-NEXT: return
func.func @train_step(%g: tensor<4x4xf32>) {
  %w = nn.read @w : tensor<4x4xf32>
  %m = nn.read @m : tensor<4x4xf32>
  %0:2 = call @sgd(%w, %m, %g) : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
  nn.assign @w, %0#0 : tensor<4x4xf32>
  nn.assign @m, %0#1 : tensor<4x4xf32>
  return
}

func.func private @exp(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {nn.kernel} {
  %0 = nn.exp %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
func.func private @transpose(%w: tensor<4x4xf32>) -> tensor<4x4xf32> attributes {nn.kernel} {
  %0 = nn.transpose [1, 0] %w : (tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// A chain of elementwise kernels works in one buffer, the last in the output.
// CHECK-LABEL: func.func @chain
// CHECK-SAME: (%[[X:.*]]: memref<?x4xf32>, %[[Y:.*]]: memref<?x4xf32> {nn.role = "output"})
// CHECK: %[[ONE:.*]] = memref.alloc
// CHECK-NOT: memref.alloc
// CHECK: call @exp(%[[X]], %[[ONE]])
// CHECK-NEXT: call @exp_in_place(%[[ONE]])
// CHECK-NEXT: call @exp(%[[ONE]], %[[Y]])
// CHECK-NEXT: return
func.func @chain(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = call @exp(%0) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = call @exp(%1) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}

// What cannot be in place is copied at the end, and says why.
// CHECK-LABEL: func.func @not_elementwise
// CHECK: %[[T:.*]] = memref.alloc
// CHECK: call @transpose(%[[W:.*]], %[[T]])
// CHECK: memref.copy %[[T]], %[[W]] {cornu.reason = "@transpose still uses what the target holds"}
func.func @not_elementwise() {
  %w = nn.read @w : tensor<4x4xf32>
  %0 = call @transpose(%w) : (tensor<4x4xf32>) -> tensor<4x4xf32>
  nn.assign @w, %0 : tensor<4x4xf32>
  return
}

// CHECK-LABEL: func.func @exchange
// CHECK-SAME: (%[[W:.*]]: memref<4x4xf32> {nn.variable = @w}, %[[M:.*]]: memref<4x4xf32> {nn.variable = @m})
// CHECK: memref.copy %[[M]], %[[OLD:.*]] {
// CHECK: memref.copy %[[W]], %[[M]]
// CHECK: memref.copy %[[OLD]], %[[W]]
func.func @exchange() {
  %w = nn.read @w : tensor<4x4xf32>
  %m = nn.read @m : tensor<4x4xf32>
  nn.assign @w, %m : tensor<4x4xf32>
  nn.assign @m, %w : tensor<4x4xf32>
  return
}
