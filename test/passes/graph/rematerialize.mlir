// RUN: cornu-opt --nn-fuse --nn-rematerialize=live-bytes=100 --split-input-file %s | FileCheck %s

// %a is computed again before its last reader, rather than kept while the others
// are alive.
nn.variable trainable @w : tensor<4x4xf32>

// CHECK-LABEL: func.func @train_step
// CHECK-SAME: nn.live_bytes = 128
// CHECK: %[[W:.*]] = nn.read @w
// CHECK: %[[A:.*]] = call @[[DENSE:kernel_[0-9]+]](%arg0, %[[W]])
// CHECK: %[[B:.*]] = call @{{.*}}(%[[A]]
// CHECK: %[[AGAIN:.*]] = call @[[DENSE]](%arg0, %[[W]])
// CHECK: call @{{.*}}(%[[AGAIN]]
func.func @train_step(%x: tensor<2x4xf32>) -> tensor<4x4xf32> {
  %w = nn.read @w : tensor<4x4xf32>
  %a = nn.contract "bi,iu->bu" %x, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %b = nn.contract "bi,iu->bu" %a, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %c = nn.contract "bi,iu->bu" %b, %w : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %d = nn.contract "bi,bu->iu" %b, %c : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
  %e = nn.contract "bi,ui->bu" %c, %d : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  %f = nn.contract "bi,bu->iu" %a, %e : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<4x4xf32>
  return %f : tensor<4x4xf32>
}

// -----

// The weights of an attention, larger than all else, are not there: the kernel
// of the gradients computes them for each of its tasks, and that of the
// forward pass keeps them to itself.
// CHECK-LABEL: func.func @train_step
// CHECK: %[[Y:.*]] = call @kernel_[[FORWARD:[0-9]+]](%arg0, %arg1, %arg2)
// CHECK: %[[D:.*]] = call @{{.*}}(%[[Y]])
// CHECK: %[[G:.*]]:2 = call @kernel_[[BACKWARD:[0-9_]+]](%arg0, %arg1, %[[D]], %arg2)
// CHECK: return %[[G]]#0, %[[G]]#1
// CHECK-NOT: func.func {{.*}} -> (tensor<1x2x9x9xf32>
// CHECK: func.func private @kernel_[[FORWARD]]
// CHECK: func.func private @kernel_[[BACKWARD]](
// CHECK: nn.contract "bqhd,bkhd->bhqk" %arg0, %arg1
// CHECK: nn.softmax
// CHECK-COUNT-3: nn.contract
func.func @train_step(%q: tensor<1x9x2x2xf32>, %k: tensor<1x9x2x2xf32>, %v: tensor<1x9x2x2xf32>) -> (tensor<1x9x2x2xf32>, tensor<1x9x2x2xf32>) {
  %s = nn.contract "bqhd,bkhd->bhqk" %q, %k : (tensor<1x9x2x2xf32>, tensor<1x9x2x2xf32>) -> tensor<1x2x9x9xf32>
  %p = nn.softmax 3 %s : tensor<1x2x9x9xf32>
  %y = nn.contract "bhqk,bkhd->bqhd" %p, %v : (tensor<1x2x9x9xf32>, tensor<1x9x2x2xf32>) -> tensor<1x9x2x2xf32>
  %dy = nn.transpose [0, 1, 3, 2] %y : (tensor<1x9x2x2xf32>) -> tensor<1x9x2x2xf32>
  %dp = nn.contract "bqhd,bkhd->bhqk" %dy, %v : (tensor<1x9x2x2xf32>, tensor<1x9x2x2xf32>) -> tensor<1x2x9x9xf32>
  %ds = nn.multiply %dp, %p : (tensor<1x2x9x9xf32>, tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32>
  %e = nn.exp %ds : tensor<1x2x9x9xf32>
  %m = nn.reduce sum [3] keep %e : (tensor<1x2x9x9xf32>) -> tensor<1x2x9x1xf32>
  %c = nn.subtract %ds, %m : (tensor<1x2x9x9xf32>, tensor<1x2x9x1xf32>) -> tensor<1x2x9x9xf32>
  %dq = nn.contract "bhqk,bkhd->bqhd" %c, %k : (tensor<1x2x9x9xf32>, tensor<1x9x2x2xf32>) -> tensor<1x9x2x2xf32>
  %dk = nn.contract "bhqk,bqhd->bkhd" %c, %q : (tensor<1x2x9x9xf32>, tensor<1x9x2x2xf32>) -> tensor<1x9x2x2xf32>
  return %dq, %dk : tensor<1x9x2x2xf32>, tensor<1x9x2x2xf32>
}

// -----

nn.variable trainable @w : tensor<4x4xf32>

// Whoever reads a view reads the tensor: %a is computed again for the last
// kernel, and viewed again.
// CHECK-LABEL: func.func @train_step
// CHECK: %[[A:.*]] = call @[[DENSE:kernel_[0-9]+]](%arg0
// CHECK: call @{{.*}}(%[[A]]
// CHECK: %[[AGAIN:.*]] = call @[[DENSE]](%arg0
// CHECK: %[[VIEW:.*]] = nn.reshape %[[AGAIN]]
// CHECK: call @{{.*}}(%[[VIEW]]
func.func @train_step(%x: tensor<4x4xf32>) -> tensor<8x8xf32> {
  %w = nn.read @w : tensor<4x4xf32>
  %a = nn.contract "bi,iu->bu" %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %v = nn.reshape %a : tensor<4x4xf32> -> tensor<2x8xf32>
  %b = nn.contract "bi,iu->bu" %a, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %c = nn.contract "bi,iu->bu" %b, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %d = nn.contract "bi,bu->iu" %b, %c : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %e = nn.contract "bi,ui->bu" %c, %d : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %f = nn.reshape %e : tensor<4x4xf32> -> tensor<2x8xf32>
  %g = nn.contract "bi,bu->iu" %v, %f : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<8x8xf32>
  return %g : tensor<8x8xf32>
}
