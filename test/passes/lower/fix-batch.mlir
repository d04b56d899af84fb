// RUN: cornu-opt %s --nn-fix-batch=size=8 | FileCheck %s
// RUN: not cornu-opt %s --nn-fix-batch=size=0 2>&1 | FileCheck %s --check-prefix=ZERO

// ZERO: the size of the batch must be positive

// Dimensions that the batch was merged into become products.
// CHECK-LABEL: func.func @forward(%{{.*}}: tensor<8x5x4xf32>) -> (tensor<8x5x3xf32>, tensor<f32>)
// CHECK: nn.reshape %{{.*}} : tensor<8x5x4xf32> -> tensor<40x4xf32>
// CHECK: nn.contract {{.*}} -> tensor<40x3xf32>
// CHECK: nn.reshape {{.*}} -> tensor<8x5x3xf32>
func.func @forward(%x: tensor<?x5x4xf32>) -> (tensor<?x5x3xf32>, tensor<f32>) {
  %w = nn.constant dense<1.0> : tensor<4x3xf32>
  %0 = nn.reshape %x : tensor<?x5x4xf32> -> tensor<?x4xf32>
  %1 = nn.contract "bi,iu->bu" %0, %w : (tensor<?x4xf32>, tensor<4x3xf32>) -> tensor<?x3xf32>
  %2 = nn.reshape %1 : tensor<?x3xf32> -> tensor<?x5x3xf32>
  %3 = nn.batch_size %x : (tensor<?x5x4xf32>) -> tensor<f32>
  return %2, %3 : tensor<?x5x3xf32>, tensor<f32>
}

// CHECK-LABEL: func.func @scan
// CHECK: ^bb0(%{{.*}}: tensor<8x4xf32>, %{{.*}}: tensor<8x4xf32>):
// CHECK: nn.if_training -> tensor<8x4xf32>
// CHECK: -> (tensor<8x4xf32>, tensor<8x6x4xf32>)
func.func @scan(%h0: tensor<?x4xf32>, %xs: tensor<?x6x4xf32>) -> tensor<?x6x4xf32> {
  %h, %ys = nn.scan steps 6 state(%h0) sequences(%xs) {
  ^bb0(%h1: tensor<?x4xf32>, %x: tensor<?x4xf32>):
    %0 = nn.if_training -> tensor<?x4xf32> {
      %1 = nn.add %x, %h1 : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      nn.yield %1 : tensor<?x4xf32>
    } else {
      nn.yield %x : tensor<?x4xf32>
    }
    nn.yield %0, %0 : tensor<?x4xf32>, tensor<?x4xf32>
  } : (tensor<?x4xf32>, tensor<?x6x4xf32>) -> (tensor<?x4xf32>, tensor<?x6x4xf32>)
  return %ys : tensor<?x6x4xf32>
}

// A dimension that was taken whole still is.
// CHECK-LABEL: func.func @slice
// CHECK: nn.slice [0, 1] [8, 3] [1, 1] %{{.*}} : (tensor<8x4xf32>) -> tensor<8x2xf32>
func.func @slice(%x: tensor<?x4xf32>) -> tensor<?x2xf32> {
  %0 = nn.slice [0, 1] [-1, 3] [1, 1] %x : (tensor<?x4xf32>) -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}
