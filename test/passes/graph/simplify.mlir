// RUN: cornu-opt --nn-simplify --canonicalize %s | FileCheck %s

// log(clip(softmax / sum, a, b)) = clip(log_softmax, log a, log b)
// CHECK-LABEL: @cross_entropy
// CHECK-DAG: %[[LO:.*]] = nn.constant dense<-16.11
// CHECK-DAG: %[[HI:.*]] = nn.constant dense<-1.19
// CHECK: %[[L:.*]] = nn.log_softmax 1 %arg0
// CHECK: %[[A:.*]] = nn.maximum %[[L]], %[[LO]]
// CHECK: %[[B:.*]] = nn.minimum %[[A]], %[[HI]]
// CHECK: return %[[B]]
func.func @cross_entropy(%x: tensor<?x10xf32>) -> tensor<?x10xf32> {
  %lo = nn.constant dense<1.0e-7> : tensor<f32>
  %hi = nn.constant dense<0.9999999> : tensor<f32>
  %p = nn.softmax 1 %x : tensor<?x10xf32>
  %s = nn.reduce sum [1] keep %p : (tensor<?x10xf32>) -> tensor<?x1xf32>
  %q = nn.divide %p, %s : (tensor<?x10xf32>, tensor<?x1xf32>) -> tensor<?x10xf32>
  %c = nn.maximum %q, %lo : (tensor<?x10xf32>, tensor<f32>) -> tensor<?x10xf32>
  %d = nn.minimum %c, %hi : (tensor<?x10xf32>, tensor<f32>) -> tensor<?x10xf32>
  %l = nn.log %d : tensor<?x10xf32>
  return %l : tensor<?x10xf32>
}

// CHECK-LABEL: @transposes_into_contraction
// CHECK: %[[R:.*]] = nn.contract "ib,iu->ub" %arg0, %arg1
// CHECK: return %[[R]]
func.func @transposes_into_contraction(%x: tensor<3x5xf32>, %w: tensor<3x2xf32>) -> tensor<2x5xf32> {
  %0 = nn.transpose [1, 0] %x : (tensor<3x5xf32>) -> tensor<5x3xf32>
  %1 = nn.contract "bi,iu->bu" %0, %w : (tensor<5x3xf32>, tensor<3x2xf32>) -> tensor<5x2xf32>
  %2 = nn.transpose [1, 0] %1 : (tensor<5x2xf32>) -> tensor<2x5xf32>
  return %2 : tensor<2x5xf32>
}

// CHECK-LABEL: @padding_into_convolution
// CHECK-NOT: nn.pad
// CHECK: nn.convolution %arg0, %arg1 strides [1] padding [3, 2]
func.func @padding_into_convolution(%x: tensor<?x5x2xf32>, %w: tensor<3x2x4xf32>) -> tensor<?x8x4xf32> {
  %0 = nn.pad %x low [0, 2, 0] high [0, 1, 0] interior [0, 0, 0] value 0.0 : (tensor<?x5x2xf32>) -> tensor<?x8x2xf32>
  %1 = nn.convolution %0, %w strides [1] padding [1, 1] dilations [1] groups 1
      : (tensor<?x8x2xf32>, tensor<3x2x4xf32>) -> tensor<?x8x4xf32>
  return %1 : tensor<?x8x4xf32>
}

// The gradient of a tensor that was cut into slices.
// CHECK-LABEL: @sum_of_parts
// CHECK: %[[R:.*]] = nn.concatenate 1 %arg0, %arg1
// CHECK: return %[[R]]
func.func @sum_of_parts(%a: tensor<?x2xf32>, %b: tensor<?x3xf32>) -> tensor<?x5xf32> {
  %0 = nn.pad %a low [0, 0] high [0, 3] interior [0, 0] value 0.0 : (tensor<?x2xf32>) -> tensor<?x5xf32>
  %1 = nn.pad %b low [0, 2] high [0, 0] interior [0, 0] value 0.0 : (tensor<?x3xf32>) -> tensor<?x5xf32>
  %2 = nn.add %1, %0 : (tensor<?x5xf32>, tensor<?x5xf32>) -> tensor<?x5xf32>
  return %2 : tensor<?x5xf32>
}

// The size of the batch comes from the first argument.
// CHECK-LABEL: @batch_size
// CHECK: nn.batch_size %arg0
func.func @batch_size(%x: tensor<?x4xf32>) -> tensor<f32> {
  %0 = nn.relu %x : tensor<?x4xf32>
  %1 = nn.reduce sum [1] %0 : (tensor<?x4xf32>) -> tensor<?xf32>
  %2 = nn.batch_size %1 : (tensor<?xf32>) -> tensor<f32>
  return %2 : tensor<f32>
}

// ... but not where a reshape has merged other dimensions into it.
// CHECK-LABEL: @merged_batch
// CHECK: %[[M:.*]] = nn.reshape
// CHECK: nn.batch_size %[[M]]
func.func @merged_batch(%x: tensor<?x4xf32>) -> tensor<f32> {
  %0 = nn.reshape %x : tensor<?x4xf32> -> tensor<?x1xf32>
  %1 = nn.batch_size %0 : (tensor<?x1xf32>) -> tensor<f32>
  return %1 : tensor<f32>
}

// CHECK-LABEL: @argmax_of_softmax
// CHECK-NEXT: %[[R:.*]] = nn.argmax 1 %arg0
// CHECK-NEXT: return %[[R]]
func.func @argmax_of_softmax(%x: tensor<?x10xf32>) -> tensor<?xi32> {
  %p = nn.softmax 1 %x : tensor<?x10xf32>
  %i = nn.argmax 1 %p : (tensor<?x10xf32>) -> tensor<?xi32>
  return %i : tensor<?xi32>
}

// A concatenation of many parts is one of concatenations of few.
// CHECK-LABEL: func.func @many_parts
// CHECK: %[[FIRST:.*]] = nn.concatenate 1 %{{.*}} : {{.*}} -> tensor<?x32xf32>
// CHECK: %[[LAST:.*]] = nn.concatenate 1 %arg16, %arg17 : {{.*}} -> tensor<?x4xf32>
// CHECK: nn.concatenate 1 %[[FIRST]], %[[LAST]] : {{.*}} -> tensor<?x36xf32>
func.func @many_parts(%0: tensor<?x2xf32>, %1: tensor<?x2xf32>, %2: tensor<?x2xf32>, %3: tensor<?x2xf32>, %4: tensor<?x2xf32>, %5: tensor<?x2xf32>, %6: tensor<?x2xf32>, %7: tensor<?x2xf32>, %8: tensor<?x2xf32>, %9: tensor<?x2xf32>, %10: tensor<?x2xf32>, %11: tensor<?x2xf32>, %12: tensor<?x2xf32>, %13: tensor<?x2xf32>, %14: tensor<?x2xf32>, %15: tensor<?x2xf32>, %16: tensor<?x2xf32>, %17: tensor<?x2xf32>) -> tensor<?x36xf32> {
  %r = nn.concatenate 1 %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17 : (tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x36xf32>
  return %r : tensor<?x36xf32>
}

// Heads and their features stand together: one dimension of 12 columns. What
// is elementwise after the product stays with it.
// CHECK-LABEL: func.func @heads_are_columns
// CHECK: %[[W:.*]] = nn.reshape %arg1 : tensor<5x3x4xf32> -> tensor<5x12xf32>
// CHECK: %[[Y:.*]] = nn.contract "btd,dh->bth" %arg0, %[[W]]
// CHECK: %[[B:.*]] = nn.reshape %arg2 : tensor<3x4xf32> -> tensor<12xf32>
// CHECK: %[[S:.*]] = nn.add %[[Y]], %[[B]]
// CHECK: %[[T:.*]] = nn.tanh %[[S]]
// CHECK: nn.reshape %[[T]] : tensor<?x7x12xf32> -> tensor<?x7x3x4xf32>
func.func @heads_are_columns(%x: tensor<?x7x5xf32>, %w: tensor<5x3x4xf32>, %b: tensor<3x4xf32>) -> tensor<?x7x3x4xf32> {
  %y = nn.contract "btd,dhk->bthk" %x, %w : (tensor<?x7x5xf32>, tensor<5x3x4xf32>) -> tensor<?x7x3x4xf32>
  %s = nn.add %y, %b : (tensor<?x7x3x4xf32>, tensor<3x4xf32>) -> tensor<?x7x3x4xf32>
  %t = nn.tanh %s : tensor<?x7x3x4xf32>
  return %t : tensor<?x7x3x4xf32>
}

// CHECK-LABEL: func.func @heads_are_summed_over
// CHECK: nn.contract "bth,hd->btd"
func.func @heads_are_summed_over(%x: tensor<?x7x3x4xf32>, %w: tensor<3x4x5xf32>) -> tensor<?x7x5xf32> {
  %y = nn.contract "bthk,hkd->btd" %x, %w : (tensor<?x7x3x4xf32>, tensor<3x4x5xf32>) -> tensor<?x7x5xf32>
  return %y : tensor<?x7x5xf32>
}

// Each head is a product of its own. A bias of the features alone is one of all
// columns.
// CHECK-LABEL: func.func @heads_stay
// CHECK: nn.contract "bqhd,bkhd->bhqk"
// CHECK: %[[Y:.*]] = nn.contract "btd,dh->bth"
// CHECK: nn.broadcast {{.*}} tensor<3x4xf32>
// CHECK: nn.add %[[Y]], {{.*}} tensor<12xf32>
func.func @heads_stay(%q: tensor<?x7x3x4xf32>, %k: tensor<?x7x3x4xf32>, %x: tensor<?x7x5xf32>, %w: tensor<5x3x4xf32>, %b: tensor<4xf32>) -> (tensor<?x3x7x7xf32>, tensor<?x7x3x4xf32>) {
  %s = nn.contract "bqhd,bkhd->bhqk" %q, %k : (tensor<?x7x3x4xf32>, tensor<?x7x3x4xf32>) -> tensor<?x3x7x7xf32>
  %y = nn.contract "btd,dhk->bthk" %x, %w : (tensor<?x7x5xf32>, tensor<5x3x4xf32>) -> tensor<?x7x3x4xf32>
  %z = nn.add %y, %b : (tensor<?x7x3x4xf32>, tensor<4xf32>) -> tensor<?x7x3x4xf32>
  return %s, %z : tensor<?x3x7x7xf32>, tensor<?x7x3x4xf32>
}

// The batch is another here and there.
// CHECK-LABEL: func.func @batches_stay
// CHECK: nn.contract
// CHECK-NEXT: nn.reshape
// CHECK-NEXT: nn.tanh
func.func @batches_stay(%x: tensor<?x5xf32>, %w: tensor<5x4xf32>) -> tensor<?x3x4xf32> {
  %y = nn.contract "bi,iu->bu" %x, %w : (tensor<?x5xf32>, tensor<5x4xf32>) -> tensor<?x4xf32>
  %r = nn.reshape %y : tensor<?x4xf32> -> tensor<?x3x4xf32>
  %t = nn.tanh %r : tensor<?x3x4xf32>
  return %t : tensor<?x3x4xf32>
}
