// RUN: cornu-opt %s | cornu-opt | FileCheck %s

// CHECK: nn.variable trainable @"rnn/kernel" : tensor<3x4xf32>
nn.variable trainable @"rnn/kernel" : tensor<3x4xf32> {initializer = {class_name = "GlorotUniform"}}
// CHECK: nn.variable optimizer @"optimizer/iteration" : tensor<i32> = dense<0> : tensor<i32>
nn.variable optimizer @"optimizer/iteration" : tensor<i32> = dense<0> : tensor<i32>

// CHECK-LABEL: func @recurrence
func.func @recurrence(%xs: tensor<?x5x3xf32>, %h0: tensor<?x4xf32>) -> (tensor<?x4xf32>, tensor<?x5x4xf32>) {
  // CHECK: nn.read @"rnn/kernel" : tensor<3x4xf32>
  %w = nn.read @"rnn/kernel" : tensor<3x4xf32>
  // CHECK: nn.scan steps 5 reverse state(%{{.*}}) sequences(%{{.*}}) invariants(%{{.*}}) {
  %h, %ys = nn.scan steps 5 reverse state(%h0) sequences(%xs) invariants(%w) {
  ^bb0(%state: tensor<?x4xf32>, %x: tensor<?x3xf32>, %kernel: tensor<3x4xf32>):
    %0 = nn.contract "bi,iu->bu" %x, %kernel : (tensor<?x3xf32>, tensor<3x4xf32>) -> tensor<?x4xf32>
    %1 = nn.add %0, %state : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    // CHECK: nn.yield %{{.*}}, %{{.*}} : tensor<?x4xf32>, tensor<?x4xf32>
    nn.yield %1, %1 : tensor<?x4xf32>, tensor<?x4xf32>
  } : (tensor<?x4xf32>, tensor<?x5x3xf32>, tensor<3x4xf32>) -> (tensor<?x4xf32>, tensor<?x5x4xf32>)
  return %h, %ys : tensor<?x4xf32>, tensor<?x5x4xf32>
}

// CHECK-LABEL: func @mode
func.func @mode(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  // CHECK: nn.if_training -> tensor<?x3xf32> {
  %0 = nn.if_training -> tensor<?x3xf32> {
    %1 = nn.negate %x : tensor<?x3xf32>
    nn.yield %1 : tensor<?x3xf32>
  } else {
    nn.yield %x : tensor<?x3xf32>
  }
  return %0 : tensor<?x3xf32>
}
