// RUN: cornu-opt %s --nn-outline-remaining | FileCheck %s

// CHECK-LABEL: func.func @f
// CHECK: %[[R:.*]] = call @relu_0(%{{.*}})
// CHECK: nn.reshape %[[R]]
// CHECK: call @add_0
// CHECK: func.func private @relu_0
// CHECK-SAME: attributes {nn.kernel}
// CHECK: func.func private @add_0(%{{.*}}: tensor<?x8xf32>)
// CHECK: nn.constant
func.func @f(%x: tensor<?x2x4xf32>) -> tensor<?x8xf32> {
  %one = nn.constant dense<1.0> : tensor<f32>
  %0 = nn.relu %x : tensor<?x2x4xf32>
  %1 = nn.reshape %0 : tensor<?x2x4xf32> -> tensor<?x8xf32>
  %2 = nn.add %1, %one : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}
