// RUN: cornu-opt %s | cornu-opt | FileCheck %s

// CHECK-LABEL: func @convolution
func.func @convolution(%x: tensor<?x9x8x6xf32>, %w: tensor<3x3x2x12xf32>)
    -> (tensor<?x9x8x6xf32>, tensor<3x3x2x12xf32>) {
  // CHECK: nn.convolution %{{.*}}, %{{.*}} strides [2, 1] padding [1, 1, 0, 2] dilations [1, 1] groups 3
  // CHECK-SAME: -> tensor<?x5x8x12xf32>
  %y = nn.convolution %x, %w strides [2, 1] padding [1, 1, 0, 2] dilations [1, 1] groups 3
      : (tensor<?x9x8x6xf32>, tensor<3x3x2x12xf32>) -> tensor<?x5x8x12xf32>
  // CHECK: nn.convolution_input_gradient
  %dx = nn.convolution_input_gradient %y, %w strides [2, 1] padding [1, 1, 0, 2] dilations [1, 1] groups 3
      : (tensor<?x5x8x12xf32>, tensor<3x3x2x12xf32>) -> tensor<?x9x8x6xf32>
  // CHECK: nn.convolution_kernel_gradient
  %dw = nn.convolution_kernel_gradient %x, %y strides [2, 1] padding [1, 1, 0, 2] dilations [1, 1] groups 3
      : (tensor<?x9x8x6xf32>, tensor<?x5x8x12xf32>) -> tensor<3x3x2x12xf32>
  return %dx, %dw : tensor<?x9x8x6xf32>, tensor<3x3x2x12xf32>
}

// CHECK-LABEL: func @pooling
func.func @pooling(%x: tensor<?x9x4xf32>) -> tensor<?x9x4xf32> {
  // CHECK: nn.max_pool %{{.*}} window [3] strides [2] padding [0, 1] : (tensor<?x9x4xf32>) -> tensor<?x4x4xf32>
  %0 = nn.max_pool %x window [3] strides [2] padding [0, 1] : (tensor<?x9x4xf32>) -> tensor<?x4x4xf32>
  %1 = nn.sum_pool %x window [3] strides [2] padding [0, 1] : (tensor<?x9x4xf32>) -> tensor<?x4x4xf32>
  %2 = nn.max_pool_gather %x, %x window [3] strides [2] padding [0, 1]
      : (tensor<?x9x4xf32>, tensor<?x9x4xf32>) -> tensor<?x4x4xf32>
  %3 = nn.max_pool_scatter %x, %0 window [3] strides [2] padding [0, 1]
      : (tensor<?x9x4xf32>, tensor<?x4x4xf32>) -> tensor<?x9x4xf32>
  %4 = nn.sum_pool_gradient %1 window [3] strides [2] padding [0, 1]
      : (tensor<?x4x4xf32>) -> tensor<?x9x4xf32>
  return %4 : tensor<?x9x4xf32>
}
