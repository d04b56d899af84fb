// RUN: cornu-opt %s | cornu-opt | FileCheck %s
// RUN: cornu-opt %s --canonicalize | FileCheck %s --check-prefix=FOLD

// CHECK-LABEL: func @moves
func.func @moves(%x: tensor<?x4x6xf32>) -> tensor<?x5x11xf32> {
  // CHECK: nn.reshape %{{.*}} : tensor<?x4x6xf32> -> tensor<?x24xf32>
  %0 = nn.reshape %x : tensor<?x4x6xf32> -> tensor<?x24xf32>
  // CHECK: nn.reshape %{{.*}} : tensor<?x24xf32> -> tensor<?x6xf32>
  %1 = nn.reshape %0 : tensor<?x24xf32> -> tensor<?x6xf32>
  %2 = nn.reshape %1 : tensor<?x6xf32> -> tensor<?x4x6xf32>
  // CHECK: nn.transpose [0, 2, 1] %{{.*}} : (tensor<?x4x6xf32>) -> tensor<?x6x4xf32>
  %3 = nn.transpose [0, 2, 1] %2 : (tensor<?x4x6xf32>) -> tensor<?x6x4xf32>
  // CHECK: nn.slice [0, 1, 0] [-1, 6, 4] [1, 2, 1]
  %4 = nn.slice [0, 1, 0] [-1, 6, 4] [1, 2, 1] %3 : (tensor<?x6x4xf32>) -> tensor<?x3x4xf32>
  // CHECK: nn.pad %{{.*}} low [0, 1, 0] high [0, 1, 0] interior [0, 0, 1] value 0.000000e+00
  %5 = nn.pad %4 low [0, 1, 0] high [0, 1, 0] interior [0, 0, 1] value 0.0
      : (tensor<?x3x4xf32>) -> tensor<?x5x7xf32>
  %6 = nn.slice [0, 0, 0] [-1, 5, 4] [1, 1, 1] %5 : (tensor<?x5x7xf32>) -> tensor<?x5x4xf32>
  // CHECK: nn.concatenate 2 %{{.*}}, %{{.*}} :
  %7 = nn.concatenate 2 %5, %6 : (tensor<?x5x7xf32>, tensor<?x5x4xf32>) -> tensor<?x5x11xf32>
  // CHECK: nn.reverse [1] %{{.*}} : tensor<?x5x11xf32>
  %8 = nn.reverse [1] %7 : tensor<?x5x11xf32>
  return %8 : tensor<?x5x11xf32>
}

// CHECK-LABEL: func @sizes
func.func @sizes(%x: tensor<?x4xf32>) -> (tensor<?x8xf32>, tensor<f32>, tensor<10xi32>) {
  %zero = nn.constant dense<0.0> : tensor<f32>
  // CHECK: nn.broadcast %{{.*}} like %{{.*}} : (tensor<f32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  %0 = nn.broadcast %zero like %x : (tensor<f32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  // CHECK: nn.batch_size %{{.*}} : (tensor<?x4xf32>) -> tensor<f32>
  %1 = nn.batch_size %x : (tensor<?x4xf32>) -> tensor<f32>
  // CHECK: nn.iota 0 : tensor<10xi32>
  %2 = nn.iota 0 : tensor<10xi32>
  return %0, %1, %2 : tensor<?x8xf32>, tensor<f32>, tensor<10xi32>
}

// Two transposes that undo each other vanish.
// FOLD-LABEL: func @there_and_back
// FOLD-NEXT: return %arg0
func.func @there_and_back(%x: tensor<?x3x8x8xf32>) -> tensor<?x3x8x8xf32> {
  %0 = nn.transpose [0, 2, 3, 1] %x : (tensor<?x3x8x8xf32>) -> tensor<?x8x8x3xf32>
  %1 = nn.transpose [0, 3, 1, 2] %0 : (tensor<?x8x8x3xf32>) -> tensor<?x3x8x8xf32>
  return %1 : tensor<?x3x8x8xf32>
}

// What is reversed twice along an axis is not reversed.
// FOLD-LABEL: func @reversed_twice
// FOLD: %[[ONCE:.*]] = nn.reverse [1] %arg0
// FOLD-NEXT: return %arg0, %[[ONCE]]
func.func @reversed_twice(%x: tensor<?x4x6xf32>) -> (tensor<?x4x6xf32>, tensor<?x4x6xf32>) {
  %0 = nn.reverse [1, 2] %x : tensor<?x4x6xf32>
  %1 = nn.reverse [2, 1] %0 : tensor<?x4x6xf32>
  %2 = nn.reverse [2] %0 : tensor<?x4x6xf32>
  return %1, %2 : tensor<?x4x6xf32>, tensor<?x4x6xf32>
}

// FOLD-LABEL: func @reshapes
// FOLD-NEXT: return %arg0
func.func @reshapes(%x: tensor<?x4x6xf32>) -> tensor<?x4x6xf32> {
  %0 = nn.reshape %x : tensor<?x4x6xf32> -> tensor<?x6xf32>
  %1 = nn.reshape %0 : tensor<?x6xf32> -> tensor<?x4x6xf32>
  return %1 : tensor<?x4x6xf32>
}

// FOLD-LABEL: func @static_batch
// FOLD: nn.constant dense<8.000000e+00> : tensor<f32>
func.func @static_batch(%x: tensor<8x4xf32>) -> tensor<f32> {
  %0 = nn.batch_size %x : (tensor<8x4xf32>) -> tensor<f32>
  return %0 : tensor<f32>
}
