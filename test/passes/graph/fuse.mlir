// RUN: cornu-opt --nn-fuse --split-input-file %s | FileCheck %s

// A contraction takes the elementwise ops after it; equal kernels are shared.
// CHECK-LABEL: func.func @dense
// CHECK: %[[A:.*]] = call @kernel_0(%arg0, %arg1, %arg2)
// CHECK: %[[B:.*]] = call @kernel_0(%[[A]], %arg1, %arg2)
// CHECK: return %[[B]]
// CHECK: func.func private @kernel_0
// CHECK-SAME: attributes {nn.kernel, nn.layers = ["first", "second"]}
// CHECK-NEXT: nn.contract
// CHECK-NEXT: nn.add
// CHECK-NEXT: nn.relu
// CHECK-NEXT: return
// CHECK-NOT: @kernel_1
func.func @dense(%x: tensor<?x4xf32>, %w: tensor<4x4xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32> loc("first")
  %1 = nn.add %0, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32> loc("first")
  %2 = nn.relu %1 : tensor<?x4xf32> loc("first")
  %3 = nn.contract "bi,iu->bu" %2, %w : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32> loc("second")
  %4 = nn.add %3, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32> loc("second")
  %5 = nn.relu %4 : tensor<?x4xf32> loc("second")
  return %5 : tensor<?x4xf32>
}

// -----

// Softmax, cross-entropy and what follows over the same rows: one kernel.
// CHECK-LABEL: func.func @rows
// CHECK-NEXT: call @kernel_0(%arg0, %arg1)
// CHECK-NEXT: return
func.func @rows(%x: tensor<?x4xf32>, %t: tensor<?x4xf32>) -> (tensor<?xf32>, tensor<?x4xf32>) {
  %0 = nn.log_softmax 1 %x : tensor<?x4xf32>
  %1 = nn.multiply %0, %t : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = nn.reduce sum [1] %1 : (tensor<?x4xf32>) -> tensor<?xf32>
  %3 = nn.negate %2 : tensor<?xf32>
  %4 = nn.exp %0 : tensor<?x4xf32>
  %5 = nn.subtract %4, %t : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  return %3, %5 : tensor<?xf32>, tensor<?x4xf32>
}

// -----

// Sums over the same axes of one tensor: one kernel. What depends on them over
// the whole tensor: another.
// CHECK-LABEL: func.func @sums
// CHECK-NEXT: %[[S:.*]]:2 = call @kernel_0(%arg0)
// CHECK-NEXT: %[[Y:.*]] = call @kernel_1(%arg0, %[[S]]#0)
// CHECK-NEXT: return %[[Y]], %[[S]]#1
func.func @sums(%x: tensor<?x8x4xf32>) -> (tensor<?x8x4xf32>, tensor<4xf32>) {
  %0 = nn.reduce sum [0, 1] %x : (tensor<?x8x4xf32>) -> tensor<4xf32>
  %1 = nn.exp %x : tensor<?x8x4xf32>
  %2 = nn.reduce sum [0, 1] %1 : (tensor<?x8x4xf32>) -> tensor<4xf32>
  %3 = nn.subtract %x, %0 : (tensor<?x8x4xf32>, tensor<4xf32>) -> tensor<?x8x4xf32>
  %4 = nn.tanh %3 : tensor<?x8x4xf32>
  return %4, %2 : tensor<?x8x4xf32>, tensor<4xf32>
}

// -----

nn.variable trainable @w : tensor<3x4xf32>

// The update of a variable is a kernel of its own, after the other readers of
// the old value.
// CHECK-LABEL: func.func @update
// CHECK: %[[W:.*]] = nn.read @w
// CHECK: %[[G:.*]] = call @kernel_{{.*}}(%arg0, %arg1)
// CHECK: %[[Y:.*]] = call @kernel_{{.*}}(%arg0, %[[W]])
// CHECK: %[[N:.*]] = call @kernel_{{.*}}(%[[W]], %[[G]])
// CHECK: nn.assign @w, %[[N]]
// CHECK: return %[[Y]]
func.func @update(%x: tensor<?x3xf32>, %g: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = nn.read @w : tensor<3x4xf32>
  %lr = nn.constant dense<0.1> : tensor<f32>
  %0 = nn.contract "bi,bu->iu" %x, %g : (tensor<?x3xf32>, tensor<?x4xf32>) -> tensor<3x4xf32>
  %1 = nn.multiply %0, %lr : (tensor<3x4xf32>, tensor<f32>) -> tensor<3x4xf32>
  %2 = nn.subtract %w, %1 : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x3xf32>, tensor<3x4xf32>) -> tensor<?x4xf32>
  nn.assign @w, %2 : tensor<3x4xf32>
  return %3 : tensor<?x4xf32>
}

// -----

// Views stay in the entry, scans too; their bodies consist of kernels.
// CHECK-LABEL: func.func @scan
// CHECK: %[[Z:.*]] = call @kernel_{{.*}}(%arg0) : (tensor<?x4x3xf32>) -> tensor<?x3xf32>
// CHECK: nn.scan steps 4 state(%[[Z]]) sequences(%arg0)
// CHECK: func.call @kernel_
// CHECK-NEXT: nn.yield
// CHECK: nn.reshape
func.func @scan(%x: tensor<?x4x3xf32>) -> tensor<?x12xf32> {
  %zero = nn.constant dense<0.0> : tensor<f32>
  %h0 = nn.broadcast %zero like %x : (tensor<f32>, tensor<?x4x3xf32>) -> tensor<?x3xf32>
  %h, %ys = nn.scan steps 4 state(%h0) sequences(%x) {
  ^bb0(%s: tensor<?x3xf32>, %e: tensor<?x3xf32>):
    %0 = nn.add %s, %e : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    %1 = nn.tanh %0 : tensor<?x3xf32>
    nn.yield %1, %1 : tensor<?x3xf32>, tensor<?x3xf32>
  } : (tensor<?x3xf32>, tensor<?x4x3xf32>) -> (tensor<?x3xf32>, tensor<?x4x3xf32>)
  %flat = nn.reshape %ys : tensor<?x4x3xf32> -> tensor<?x12xf32>
  return %flat : tensor<?x12xf32>
}

// -----

// Contractions that feed each other for each head are one kernel; the scores
// are no result of it.
// CHECK-LABEL: func.func @attention
// CHECK-NEXT: %[[Y:.*]] = call @kernel_[[K:[0-9]+]](%arg0, %arg1, %arg2) : {{.*}} -> tensor<?x6x2x4xf32>
// CHECK-NEXT: return %[[Y]]
// CHECK: func.func private @kernel_[[K]]
// CHECK: nn.contract "bqhd,bkhd->bhqk"
// CHECK: nn.softmax
// CHECK: nn.contract "bhqk,bkhd->bqhd"
func.func @attention(%q: tensor<?x6x2x4xf32>, %k: tensor<?x5x2x4xf32>, %v: tensor<?x5x2x4xf32>) -> tensor<?x6x2x4xf32> {
  %s = nn.contract "bqhd,bkhd->bhqk" %q, %k : (tensor<?x6x2x4xf32>, tensor<?x5x2x4xf32>) -> tensor<?x2x6x5xf32>
  %p = nn.softmax 3 %s : tensor<?x2x6x5xf32>
  %y = nn.contract "bhqk,bkhd->bqhd" %p, %v : (tensor<?x2x6x5xf32>, tensor<?x5x2x4xf32>) -> tensor<?x6x2x4xf32>
  return %y : tensor<?x6x2x4xf32>
}

// -----

// Its gradients are one more, with the gradient of the values, which reads the
// weights too.
// CHECK-LABEL: func.func @attention_gradients
// CHECK-NEXT: %[[G:.*]]:3 = call @kernel_{{.*}} -> (tensor<?x5x2x4xf32>, tensor<?x6x2x4xf32>, tensor<?x5x2x4xf32>)
// CHECK-NEXT: return %[[G]]#1, %[[G]]#2, %[[G]]#0
func.func @attention_gradients(%q: tensor<?x6x2x4xf32>, %k: tensor<?x5x2x4xf32>, %v: tensor<?x5x2x4xf32>, %p: tensor<?x2x6x5xf32>, %dy: tensor<?x6x2x4xf32>)
    -> (tensor<?x6x2x4xf32>, tensor<?x5x2x4xf32>, tensor<?x5x2x4xf32>) {
  %dv = nn.contract "bhqk,bqhd->bkhd" %p, %dy : (tensor<?x2x6x5xf32>, tensor<?x6x2x4xf32>) -> tensor<?x5x2x4xf32>
  %dp = nn.contract "bqhd,bkhd->bhqk" %dy, %v : (tensor<?x6x2x4xf32>, tensor<?x5x2x4xf32>) -> tensor<?x2x6x5xf32>
  %w = nn.multiply %dp, %p : (tensor<?x2x6x5xf32>, tensor<?x2x6x5xf32>) -> tensor<?x2x6x5xf32>
  %m = nn.reduce sum [3] %w : (tensor<?x2x6x5xf32>) -> tensor<?x2x6xf32>
  %r = nn.reshape %m : tensor<?x2x6xf32> -> tensor<?x2x6x1xf32>
  %c = nn.subtract %dp, %r : (tensor<?x2x6x5xf32>, tensor<?x2x6x1xf32>) -> tensor<?x2x6x5xf32>
  %ds = nn.multiply %c, %p : (tensor<?x2x6x5xf32>, tensor<?x2x6x5xf32>) -> tensor<?x2x6x5xf32>
  %dq = nn.contract "bhqk,bkhd->bqhd" %ds, %k : (tensor<?x2x6x5xf32>, tensor<?x5x2x4xf32>) -> tensor<?x6x2x4xf32>
  %dk = nn.contract "bhqk,bqhd->bkhd" %ds, %q : (tensor<?x2x6x5xf32>, tensor<?x6x2x4xf32>) -> tensor<?x5x2x4xf32>
  return %dq, %dk, %dv : tensor<?x6x2x4xf32>, tensor<?x5x2x4xf32>, tensor<?x5x2x4xf32>
}

// -----

// One head gives one task per sample: too few.
// CHECK-LABEL: func.func @one_head
// CHECK-COUNT-3: call @kernel_
func.func @one_head(%q: tensor<?x6x4xf32>, %k: tensor<?x5x4xf32>, %v: tensor<?x5x4xf32>) -> tensor<?x6x4xf32> {
  %s = nn.contract "bqd,bkd->bqk" %q, %k : (tensor<?x6x4xf32>, tensor<?x5x4xf32>) -> tensor<?x6x5xf32>
  %p = nn.softmax 2 %s : tensor<?x6x5xf32>
  %y = nn.contract "bqk,bkd->bqd" %p, %v : (tensor<?x6x5xf32>, tensor<?x5x4xf32>) -> tensor<?x6x4xf32>
  return %y : tensor<?x6x4xf32>
}

// -----

// A contraction that reads a view of the scores needs them as a tensor: no
// kernel can make what it is given.
// CHECK-LABEL: func.func @view_of_scores
// CHECK: %[[S:.*]]:2 = call @kernel_
// CHECK: nn.slice [0, 0, 0, 0] [-1, 2, 3, 6] [1, 1, 1, 1] %[[S]]#0
// CHECK: call @kernel_
func.func @view_of_scores(%q: tensor<?x6x2x4xf32>, %k: tensor<?x6x2x4xf32>) -> tensor<?x2x6x3xf32> {
  %s = nn.contract "bqhd,bkhd->bhqk" %q, %k : (tensor<?x6x2x4xf32>, tensor<?x6x2x4xf32>) -> tensor<?x2x6x6xf32>
  %p = nn.softmax 3 %s : tensor<?x2x6x6xf32>
  %v = nn.slice [0, 0, 0, 0] [-1, 2, 3, 6] [1, 1, 1, 1] %s : (tensor<?x2x6x6xf32>) -> tensor<?x2x3x6xf32>
  %y = nn.contract "bhqk,bhmk->bhqm" %p, %v : (tensor<?x2x6x6xf32>, tensor<?x2x3x6xf32>) -> tensor<?x2x6x3xf32>
  return %y : tensor<?x2x6x3xf32>
}
