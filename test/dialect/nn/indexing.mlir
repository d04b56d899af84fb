// RUN: cornu-opt %s | cornu-opt | FileCheck %s

// CHECK-LABEL: func @lookup
func.func @lookup(%table: tensor<10x4xf32>, %ids: tensor<?x3xi32>, %state: tensor<4xi32>) -> (tensor<10x4xf32>, tensor<?x3x4xf32>) {
  // CHECK: nn.gather %{{.*}}, %{{.*}} : (tensor<10x4xf32>, tensor<?x3xi32>) -> tensor<?x3x4xf32>
  %0 = nn.gather %table, %ids : (tensor<10x4xf32>, tensor<?x3xi32>) -> tensor<?x3x4xf32>
  // CHECK: nn.scatter_add %{{.*}}, %{{.*}} : (tensor<?x3xi32>, tensor<?x3x4xf32>) -> tensor<10x4xf32>
  %1 = nn.scatter_add %ids, %0 : (tensor<?x3xi32>, tensor<?x3x4xf32>) -> tensor<10x4xf32>
  // CHECK: nn.random_uniform 3 %{{.*}} like %{{.*}} : (tensor<4xi32>, tensor<?x3x4xf32>) -> tensor<?x3x4xf32>
  %2 = nn.random_uniform 3 %state like %0 : (tensor<4xi32>, tensor<?x3x4xf32>) -> tensor<?x3x4xf32>
  return %1, %2 : tensor<10x4xf32>, tensor<?x3x4xf32>
}
