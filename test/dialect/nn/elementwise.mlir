// RUN: cornu-opt %s | cornu-opt | FileCheck %s
// RUN: cornu-opt %s --canonicalize | FileCheck %s --check-prefix=FOLD

// CHECK-LABEL: func @arithmetic
func.func @arithmetic(%x: tensor<?x4x3xf32>, %row: tensor<3xf32>, %s: tensor<f32>) -> tensor<?x4x3xf32> {
  // CHECK: nn.add %{{.*}}, %{{.*}} : (tensor<?x4x3xf32>, tensor<3xf32>) -> tensor<?x4x3xf32>
  %0 = nn.add %x, %row : (tensor<?x4x3xf32>, tensor<3xf32>) -> tensor<?x4x3xf32>
  // CHECK: nn.multiply %{{.*}}, %{{.*}} : (tensor<?x4x3xf32>, tensor<f32>) -> tensor<?x4x3xf32>
  %1 = nn.multiply %0, %s : (tensor<?x4x3xf32>, tensor<f32>) -> tensor<?x4x3xf32>
  // CHECK: nn.relu %{{.*}} : tensor<?x4x3xf32>
  %2 = nn.relu %1 : tensor<?x4x3xf32>
  // CHECK: nn.compare gt %{{.*}}, %{{.*}} : (tensor<?x4x3xf32>, tensor<f32>) -> tensor<?x4x3xi1>
  %3 = nn.compare gt %2, %s : (tensor<?x4x3xf32>, tensor<f32>) -> tensor<?x4x3xi1>
  // CHECK: nn.select
  %4 = nn.select %3, %2, %s : (tensor<?x4x3xi1>, tensor<?x4x3xf32>, tensor<f32>) -> tensor<?x4x3xf32>
  return %4 : tensor<?x4x3xf32>
}

// A size of 1 is repeated on either side.
// CHECK-LABEL: func @outer
func.func @outer(%a: tensor<4x1xf32>, %b: tensor<5xf32>) -> tensor<4x5xf32> {
  %0 = nn.subtract %a, %b : (tensor<4x1xf32>, tensor<5xf32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
}

// FOLD-LABEL: func @neutral
// FOLD-SAME: (%[[X:.*]]: tensor<?x4xf32>)
// FOLD-NEXT: return %[[X]]
func.func @neutral(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %zero = nn.constant dense<0.0> : tensor<f32>
  %one = nn.constant dense<1.0> : tensor<4xf32>
  %0 = nn.add %x, %zero : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xf32>
  %1 = nn.multiply %one, %0 : (tensor<4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = nn.divide %1, %one : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %3 = nn.negate %2 : tensor<?x4xf32>
  %4 = nn.negate %3 : tensor<?x4xf32>
  return %4 : tensor<?x4xf32>
}

// Multiplying by one is kept where it broadcasts.
// FOLD-LABEL: func @broadcasting_neutral
// FOLD: nn.multiply
func.func @broadcasting_neutral(%x: tensor<4xf32>) -> tensor<2x4xf32> {
  %one = nn.constant dense<1.0> : tensor<2x1xf32>
  %0 = nn.multiply %x, %one : (tensor<4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
