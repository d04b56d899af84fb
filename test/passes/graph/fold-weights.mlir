// RUN: cornu-opt --nn-fold-weights %s | FileCheck %s

// (conv(x, W) + b) * s + t = conv(x, W s) + (b s + t), evaluated.
// CHECK-NOT: nn.variable {{.*}}@kernel
// CHECK: nn.variable non_trainable @"folded/0" : tensor<1x1x2xf32> = dense_resource<{{.*}}>
// CHECK: nn.variable non_trainable @"folded/1" : tensor<2xf32> = dense_resource<{{.*}}>
// CHECK-NOT: nn.variable
nn.variable trainable @kernel : tensor<1x1x2xf32> = dense<[[[1.0, 2.0]]]> : tensor<1x1x2xf32>
nn.variable trainable @bias : tensor<2xf32> = dense<[0.5, -0.5]> : tensor<2xf32>
nn.variable trainable @gamma : tensor<2xf32> = dense<[2.0, 3.0]> : tensor<2xf32>
nn.variable trainable @beta : tensor<2xf32> = dense<[1.0, 4.0]> : tensor<2xf32>
nn.variable non_trainable @unused : tensor<2xf32>

// CHECK-LABEL: func.func @predict
// CHECK: %[[W:.*]] = nn.read @"folded/0"
// CHECK: %[[Y:.*]] = nn.convolution %arg0, %[[W]]
// CHECK: %[[B:.*]] = nn.read @"folded/1"
// CHECK: %[[Z:.*]] = nn.add %[[Y]], %[[B]]
// CHECK: return %[[Z]]
func.func @predict(%x: tensor<?x5x1xf32>) -> tensor<?x5x2xf32> {
  %w = nn.read @kernel : tensor<1x1x2xf32>
  %b = nn.read @bias : tensor<2xf32>
  %g = nn.read @gamma : tensor<2xf32>
  %t = nn.read @beta : tensor<2xf32>
  %0 = nn.convolution %x, %w strides [1] padding [0, 0] dilations [1] groups 1
      : (tensor<?x5x1xf32>, tensor<1x1x2xf32>) -> tensor<?x5x2xf32>
  %1 = nn.add %0, %b : (tensor<?x5x2xf32>, tensor<2xf32>) -> tensor<?x5x2xf32>
  %2 = nn.multiply %1, %g : (tensor<?x5x2xf32>, tensor<2xf32>) -> tensor<?x5x2xf32>
  %3 = nn.add %2, %t : (tensor<?x5x2xf32>, tensor<2xf32>) -> tensor<?x5x2xf32>
  return %3 : tensor<?x5x2xf32>
}

// A value that is read on its own and part of another.
// CHECK: nn.variable non_trainable @"folded/2"
// CHECK: nn.variable non_trainable @"folded/3"
// CHECK-LABEL: func.func @partly
// CHECK: nn.read @"folded/2"
// CHECK: nn.read @"folded/3"
func.func @partly(%x: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %b = nn.read @bias : tensor<2xf32>
  %g = nn.read @gamma : tensor<2xf32>
  %0 = nn.multiply %b, %g : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %1 = nn.subtract %b, %0 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  %2 = nn.multiply %x, %0 : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %3 = nn.add %2, %1 : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %3 : tensor<?x2xf32>
}

// CHECK: "folded/0": "0x04000000000000400000C040"
// CHECK: "folded/1": "0x040000000000004000002040"
// CHECK: "folded/2": "0x040000000000803F0000C0BF"
// CHECK: "folded/3": "0x04000000000000BF0000803F"
