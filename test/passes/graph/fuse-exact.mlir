// RUN: cornu-opt %s --nn-fuse | FileCheck %s

// Equal convolutions are two kernels where one of them is in an entry that
// differentiates: its rounding errors may not grow.

// CHECK: func.func @predict
// CHECK: call @[[PLAIN:[a-z0-9_]+]](
// CHECK: func.func @train_step
// CHECK: call @[[EXACT:[a-z0-9_]+]](
// CHECK: func.func private @[[PLAIN]]({{.*}} attributes {nn.kernel}
// CHECK: func.func private @[[EXACT]]({{.*}} attributes {nn.exact, nn.kernel}
func.func @predict(%x: tensor<?x8x8x4xf32>, %k: tensor<3x3x4x4xf32>) -> tensor<?x6x6x4xf32> {
  %0 = nn.convolution %x, %k strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 1
      : (tensor<?x8x8x4xf32>, tensor<3x3x4x4xf32>) -> tensor<?x6x6x4xf32>
  return %0 : tensor<?x6x6x4xf32>
}

func.func @train_step(%x: tensor<?x8x8x4xf32>, %k: tensor<3x3x4x4xf32>) -> tensor<?x6x6x4xf32>
    attributes {nn.exact} {
  %0 = nn.convolution %x, %k strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 1
      : (tensor<?x8x8x4xf32>, tensor<3x3x4x4xf32>) -> tensor<?x6x6x4xf32>
  return %0 : tensor<?x6x6x4xf32>
}
