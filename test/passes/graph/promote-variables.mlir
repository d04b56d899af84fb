// RUN: cornu-opt --nn-promote-variables %s | FileCheck %s

nn.variable trainable @v : tensor<4xf32>
nn.variable trainable @w : tensor<4xf32>

// A second read gives the value that was assigned; only the last assignment
// stays.
// CHECK-LABEL: @reads_after_assignments
// CHECK-NEXT: %[[V:.*]] = nn.read @v
// CHECK-NEXT: %[[W:.*]] = nn.read @w
// CHECK-NEXT: %[[A:.*]] = nn.add %[[V]], %arg0
// CHECK-NEXT: %[[B:.*]] = nn.multiply %[[A]], %[[W]]
// CHECK-NEXT: nn.assign @v, %[[B]]
// CHECK-NEXT: return
func.func @reads_after_assignments(%x: tensor<4xf32>) {
  %a = nn.read @v : tensor<4xf32>
  %b = nn.add %a, %x : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  nn.assign @v, %b : tensor<4xf32>
  %c = nn.read @v : tensor<4xf32>
  %w = nn.read @w : tensor<4xf32>
  %d = nn.multiply %c, %w : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  nn.assign @v, %d : tensor<4xf32>
  return
}

// An assignment of the value that was read is none.
// CHECK-LABEL: @unchanged
// CHECK-NOT: nn.assign
func.func @unchanged() {
  %a = nn.read @v : tensor<4xf32>
  nn.assign @v, %a : tensor<4xf32>
  return
}
