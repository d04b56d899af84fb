// RUN: cornu-opt --nn-build-entries --split-input-file %s | FileCheck %s

// Each second step updates, with the mean of two gradients; the slots and the
// variable keep their values in the other steps, the iteration counts all.
module attributes {nn.optimizer = {class_name = "SGD", learning_rate = 0.5 : f64, momentum = 0.9 : f64, gradient_accumulation_steps = 2.0 : f64}} {
  // CHECK: nn.variable optimizer @"optimizer/w/gradient_accumulator" : tensor<4xf32>
  nn.variable trainable @w : tensor<4xf32>
  func.func @forward(%x: tensor<?x4xf32> {nn.name = "x"}) -> (tensor<?x4xf32> {nn.name = "y"}) {
    %w = nn.read @w : tensor<4xf32>
    %y = nn.multiply %x, %w : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  }
  func.func @loss(%p: tensor<?x4xf32>, %t: tensor<?x4xf32> {nn.name = "y"}, %sw: tensor<?xf32>) -> tensor<f32> {
    %d = nn.subtract %p, %t : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %l = nn.reduce sum [0, 1] %d : (tensor<?x4xf32>) -> tensor<f32>
    return %l : tensor<f32>
  }
}
// CHECK-LABEL: func.func @train_step
// CHECK: %[[OLD:.*]] = nn.read @"optimizer/w/gradient_accumulator"
// CHECK: %[[NEXT:.*]] = nn.add %{{.*}} : (tensor<i32>, tensor<i32>)
// CHECK: %[[COUNT:.*]] = nn.convert %[[NEXT]] : (tensor<i32>) -> tensor<f64>
// CHECK: %[[UPDATE:.*]] = nn.compare eq %{{.*}}, %[[COUNT]]
// CHECK: %[[SUM:.*]] = nn.add %{{.*}}, %[[OLD]]
// CHECK: %[[KEPT:.*]] = nn.select %[[UPDATE]], %{{.*}}, %[[SUM]]
// CHECK: nn.divide %[[SUM]],
// CHECK: %[[SLOT:.*]] = nn.select %[[UPDATE]]
// CHECK: %[[W:.*]] = nn.select %[[UPDATE]]
// CHECK: nn.assign @w, %[[W]]
// CHECK: nn.assign @"optimizer/iteration", %[[NEXT]]
// CHECK: nn.assign @"optimizer/w/gradient_accumulator", %[[KEPT]]
// CHECK: nn.assign @"optimizer/w/momentum", %[[SLOT]]

// -----

// The average starts as a copy; each third step the variable takes its value.
module attributes {nn.optimizer = {class_name = "SGD", learning_rate = 0.5 : f64, use_ema = true, ema_momentum = 0.75 : f64, ema_overwrite_frequency = 3.0 : f64}} {
  // CHECK: nn.variable optimizer @"optimizer/w/average" : tensor<4xf32>
  nn.variable trainable @w : tensor<4xf32>
  func.func @forward(%x: tensor<?x4xf32> {nn.name = "x"}) -> (tensor<?x4xf32> {nn.name = "y"}) {
    %w = nn.read @w : tensor<4xf32>
    %y = nn.multiply %x, %w : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    return %y : tensor<?x4xf32>
  }
  func.func @loss(%p: tensor<?x4xf32>, %t: tensor<?x4xf32> {nn.name = "y"}, %sw: tensor<?xf32>) -> tensor<f32> {
    %d = nn.subtract %p, %t : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %l = nn.reduce sum [0, 1] %d : (tensor<?x4xf32>) -> tensor<f32>
    return %l : tensor<f32>
  }
}
// CHECK-LABEL: func.func @train_step
// CHECK: %[[FIRST:.*]] = nn.compare eq
// CHECK: %[[MOMENTUM:.*]] = nn.select %[[FIRST]]
// CHECK: nn.multiply %{{.*}}, %[[MOMENTUM]]
// CHECK: %[[AVERAGE:.*]] = nn.add
// CHECK: %[[TAKE:.*]] = nn.compare eq
// CHECK: %[[W:.*]] = nn.select %[[TAKE]], %[[AVERAGE]],
// CHECK: nn.assign @w, %[[W]]
// CHECK: nn.assign @"optimizer/w/average", %[[AVERAGE]]
