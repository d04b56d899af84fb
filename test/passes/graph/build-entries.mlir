// RUN: cornu-opt --nn-build-entries %s | FileCheck %s
// RUN: cornu-opt --nn-build-entries=inference-only=true %s | FileCheck %s --check-prefix=ONLY

module attributes {nn.optimizer = {name = "sgd", class_name = "SGD", learning_rate = 0.5 : f64, momentum = 0.9 : f64}} {
  nn.variable trainable @w : tensor<4xf32>
  nn.variable metric @"metrics/loss/total" : tensor<f32>
  nn.variable random @"random/state" : tensor<4xi32>

  // CHECK: nn.variable optimizer @"optimizer/iteration" : tensor<i32>
  // CHECK: nn.variable optimizer @"optimizer/learning_rate" : tensor<f32> = dense<5.000000e-01>
  // CHECK: nn.variable optimizer @"optimizer/w/momentum" : tensor<4xf32>
  // CHECK-NOT: func.func @forward
  // ONLY: nn.variable trainable @w
  // ONLY-NOT: nn.variable
  // ONLY-NOT: func.func @train_step

  func.func @forward(%x: tensor<?x4xf32> {nn.name = "x"})
      -> (tensor<?x4xf32> {nn.name = "y"}, tensor<f32> {nn.hidden}) {
    %w = nn.read @w : tensor<4xf32>
    %y = nn.multiply %x, %w : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %a = nn.reduce sum [0] %w : (tensor<4xf32>) -> tensor<f32>
    return %y, %a : tensor<?x4xf32>, tensor<f32>
  }
  func.func @loss(%p: tensor<?x4xf32>, %t: tensor<?x4xf32> {nn.name = "y"}, %sw: tensor<?xf32>, %a: tensor<f32>) -> tensor<f32> {
    %d = nn.subtract %p, %t : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %s = nn.reduce sum [0, 1] %d : (tensor<?x4xf32>) -> tensor<f32>
    %l = nn.add %s, %a : (tensor<f32>, tensor<f32>) -> tensor<f32>
    return %l : tensor<f32>
  }
  func.func @metrics(%l: tensor<f32>, %p: tensor<?x4xf32>, %t: tensor<?x4xf32>, %sw: tensor<?xf32>, %a: tensor<f32>) {
    %old = nn.read @"metrics/loss/total" : tensor<f32>
    %new = nn.add %old, %l : (tensor<f32>, tensor<f32>) -> tensor<f32>
    nn.assign @"metrics/loss/total", %new : tensor<f32>
    return
  }
}

// Hidden results are for the loss only.
// CHECK-LABEL: func.func @predict(%arg0: tensor<?x4xf32> {nn.name = "x", nn.role = "input"}) -> (tensor<?x4xf32> {nn.name = "y"})
// ONLY-LABEL: func.func @predict

// CHECK-LABEL: func.func @evaluate_step
// CHECK-SAME: %arg1: tensor<?x4xf32> {nn.name = "y", nn.role = "target"}, %arg2: tensor<?xf32> {nn.role = "sample_weight"}
// CHECK-NOT: nn.assign @w
// CHECK: nn.assign @"metrics/loss/total"

// m = 0.9 m - lr g; w = w + m
// CHECK-LABEL: func.func @train_step
// CHECK: %[[STEP:.*]] = nn.multiply %{{.*}}, %[[LR:.*]] : (tensor<4xf32>, tensor<f32>)
// CHECK: %[[M:.*]] = nn.subtract %{{.*}}, %[[STEP]]
// CHECK: %[[W:.*]] = nn.add %{{.*}}, %[[M]]
// CHECK-DAG: nn.assign @w, %[[W]]
// CHECK-DAG: nn.assign @"optimizer/w/momentum", %[[M]]
// CHECK-DAG: nn.assign @"optimizer/iteration"
// CHECK-DAG: nn.assign @"random/state"
// CHECK-DAG: nn.assign @"metrics/loss/total"

// CHECK-LABEL: func.func @gradients
// CHECK-SAME: -> (tensor<4xf32> {nn.name = "w"})
// CHECK-NOT: nn.assign @w

// CHECK-LABEL: func.func @apply_gradients(%arg0: tensor<4xf32> {nn.name = "w", nn.role = "gradient"})
// CHECK: nn.assign @w
