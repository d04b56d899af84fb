// RUN: cornu-opt %s --nn-lower --nn-buffer | FileCheck %s

// By kind, then by order, each at a multiple of 64 bytes.
// CHECK: cornu.gradient_bytes = 192
// CHECK-SAME: cornu.metrics_bytes = 64 : i64, cornu.metrics_offset = 256
// CHECK-SAME: cornu.model = {
// CHECK-SAME: inputs = [{name = "x", type = tensor<?x4xui8>}]
// CHECK-SAME: outputs = [{name = "y", type = tensor<?x5xf32>}]
// CHECK-SAME: cornu.state = [{kind = "trainable", name = "kernel", offset = 0 : i64, type = tensor<4x5xf32>}
// CHECK-SAME: {kind = "trainable", name = "bias", offset = 128 : i64, type = tensor<5xf32>}
// CHECK-SAME: {kind = "optimizer", name = "iteration", offset = 192 : i64, type = tensor<i32>}
// CHECK-SAME: {kind = "metric", name = "total", offset = 256 : i64, type = tensor<f32>}
// CHECK-SAME: {kind = "random", name = "seed", offset = 320 : i64, type = tensor<4xi32>}]
// CHECK-SAME: cornu.state_bytes = 384
module @m {
nn.variable random @seed : tensor<4xi32>
nn.variable metric @total : tensor<f32>
nn.variable trainable @kernel : tensor<4x5xf32>
nn.variable optimizer @iteration : tensor<i32>
nn.variable trainable @bias : tensor<5xf32>

// CHECK-LABEL: func.func @predict
// CHECK-SAME: (%[[STATE:.*]]: memref<?xi8> {nn.role = "state"}, %{{.*}}: memref<?x4xi8> {nn.name = "x", nn.unsigned}, %{{.*}}: memref<?x5xf32> {nn.name = "y", nn.role = "output"}, %{{.*}}: memref<?xi8> {nn.role = "scratch"})
// CHECK: memref.view %[[STATE]][%c0][] : memref<?xi8> to memref<4x5xf32>
// CHECK: memref.view %[[STATE]][%c128][] : memref<?xi8> to memref<5xf32>
func.func @predict(%x: tensor<?x4xui8> {nn.name = "x"}) -> (tensor<?x5xf32> {nn.name = "y"}) {
  %w = nn.read @kernel : tensor<4x5xf32>
  %b = nn.read @bias : tensor<5xf32>
  %f = nn.convert %x : (tensor<?x4xui8>) -> tensor<?x4xf32>
  %0 = nn.contract "bi,iu->bu" %f, %w : (tensor<?x4xf32>, tensor<4x5xf32>) -> tensor<?x5xf32>
  %1 = nn.add %0, %b : (tensor<?x5xf32>, tensor<5xf32>) -> tensor<?x5xf32>
  return %1 : tensor<?x5xf32>
}

// The gradients' block has the layout of the trainable part.
// CHECK-LABEL: func.func @gradients
// CHECK-SAME: %[[BLOCK:[a-z0-9]*]]: memref<?xi8> {nn.role = "gradients"}, %{{.*}}: memref<?xi8> {nn.role = "scratch"})
// CHECK-DAG: %[[KERNEL:.*]] = memref.view %[[BLOCK]][%c0][] : memref<?xi8> to memref<4x5xf32>
// CHECK-DAG: %[[BIAS:.*]] = memref.view %[[BLOCK]][%c128][] : memref<?xi8> to memref<5xf32>
// CHECK: call @contract{{.*}}, %[[KERNEL]], %
// CHECK: call @reduce{{.*}}, %[[BIAS]], %
func.func @gradients(%x: tensor<?x4xf32> {nn.role = "input"}, %dy: tensor<?x5xf32> {nn.role = "target"})
    -> (tensor<4x5xf32> {nn.name = "kernel"}, tensor<5xf32> {nn.name = "bias"}) {
  %0 = nn.contract "bi,bu->iu" %x, %dy : (tensor<?x4xf32>, tensor<?x5xf32>) -> tensor<4x5xf32>
  %1 = nn.reduce sum [0] %dy : (tensor<?x5xf32>) -> tensor<5xf32>
  return %0, %1 : tensor<4x5xf32>, tensor<5xf32>
}

// CHECK-LABEL: func.func @apply_gradients
// CHECK-SAME: (%[[STATE:.*]]: memref<?xi8> {nn.role = "state"}, %[[BLOCK:.*]]: memref<?xi8> {nn.role = "gradients"}, %{{.*}}: memref<?xi8> {nn.role = "scratch"})
func.func @apply_gradients(%g: tensor<5xf32> {nn.role = "gradient", nn.name = "bias"}) {
  %b = nn.read @bias : tensor<5xf32>
  %0 = nn.subtract %b, %g : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
  nn.assign @bias, %0 : tensor<5xf32>
  return
}
}
