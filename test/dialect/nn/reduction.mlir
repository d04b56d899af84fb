// RUN: cornu-opt %s | cornu-opt | FileCheck %s

// CHECK-LABEL: func @reductions
func.func @reductions(%x: tensor<?x9x4xf32>) -> (tensor<4xf32>, tensor<?x9x1xf32>, tensor<?x4xi32>) {
  // CHECK: nn.reduce mean [0, 1] %{{.*}} : (tensor<?x9x4xf32>) -> tensor<4xf32>
  %0 = nn.reduce mean [0, 1] %x : (tensor<?x9x4xf32>) -> tensor<4xf32>
  // CHECK: nn.reduce max [2] keep %{{.*}} : (tensor<?x9x4xf32>) -> tensor<?x9x1xf32>
  %1 = nn.reduce max [2] keep %x : (tensor<?x9x4xf32>) -> tensor<?x9x1xf32>
  // CHECK: nn.argmax 1 %{{.*}} : (tensor<?x9x4xf32>) -> tensor<?x4xi32>
  %2 = nn.argmax 1 %x : (tensor<?x9x4xf32>) -> tensor<?x4xi32>
  // CHECK: nn.softmax 2 %{{.*}} : tensor<?x9x4xf32>
  %3 = nn.softmax 2 %x : tensor<?x9x4xf32>
  // CHECK: nn.log_softmax 2 %{{.*}} : tensor<?x9x4xf32>
  %4 = nn.log_softmax 2 %x : tensor<?x9x4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<?x9x1xf32>, tensor<?x4xi32>
}
