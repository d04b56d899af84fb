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

// -----

// TimeDistributed: samples and steps together, and apart again.
// CHECK-LABEL: func.func @predict
// CHECK-SAME: nn.independent_samples
func.func @predict(%x: tensor<?x5x4xf32>, %w: tensor<?x4x2xf32>) -> tensor<?x5x4xf32> {
  %0 = nn.reshape %x : tensor<?x5x4xf32> -> tensor<?x4xf32>
  %1 = nn.softmax 1 %0 : tensor<?x4xf32>
  %2 = nn.reshape %1 : tensor<?x4xf32> -> tensor<?x5x4xf32>
  return %2 : tensor<?x5x4xf32>
}

// -----

// Two samples in a row.
// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x10xf32>) -> tensor<?x10xf32> {
  %0 = nn.reshape %x : tensor<?x10xf32> -> tensor<?x20xf32>
  %1 = nn.softmax 1 %0 : tensor<?x20xf32>
  %2 = nn.reshape %1 : tensor<?x20xf32> -> tensor<?x10xf32>
  return %2 : tensor<?x10xf32>
}

// -----

// Steps and samples are not the same rows.
// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x5x4xf32>, %y: tensor<?x4xf32>) -> tensor<?x5x4xf32> {
  %0 = nn.reshape %x : tensor<?x5x4xf32> -> tensor<?x4xf32>
  %1 = nn.add %0, %y : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = nn.reshape %1 : tensor<?x4xf32> -> tensor<?x5x4xf32>
  return %2 : tensor<?x5x4xf32>
}

// -----

// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = nn.argmax 0 %x : (tensor<?x8xf32>) -> tensor<8xi32>
  %1 = nn.convert %0 : (tensor<8xi32>) -> tensor<8xf32>
  %2 = nn.add %x, %1 : (tensor<?x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// -----

// A mean over the batch.
// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = nn.batch_size %x : (tensor<?x8xf32>) -> tensor<f32>
  %1 = nn.divide %x, %0 : (tensor<?x8xf32>, tensor<f32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// An output that no sample has.
// CHECK-LABEL: func.func @predict
// CHECK-NOT: nn.independent_samples
func.func @predict(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<8xf32>) {
  %0 = nn.constant dense<1.0> : tensor<8xf32>
  return %x, %0 : tensor<?x8xf32>, tensor<8xf32>
}
