// RUN: cornu-opt --nn-find-independent-samples --split-input-file %s | FileCheck %s

// CHECK-LABEL: func.func @predict
// CHECK-SAME: attributes {nn.independent_samples}
func.func @predict(%x: tensor<?x8x4xf32>, %w: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %0 = nn.softmax 1 %x : tensor<?x8x4xf32>
  %1 = nn.contract "btc,bc->bt" %0, %w : (tensor<?x8x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = nn.softmax 0 %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// The scores between samples: the batch of one operand is summed.
// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x8xf32>, %y: tensor<?x?xf32>) -> tensor<?x8xf32> {
  %0 = nn.contract "ab,bu->au" %y, %x : (tensor<?x?xf32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = nn.reduce sum [0] keep %x : (tensor<?x8xf32>) -> tensor<1x8xf32>
  %1 = nn.subtract %x, %0 : (tensor<?x8xf32>, tensor<1x8xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
