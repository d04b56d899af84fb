// RUN: cornu-opt %s --nn-lower --buffer-bufferize --canonicalize | FileCheck %s

// A kernel that some call feeds with a slice takes it as a view.
// CHECK-LABEL: func.func private @step
// CHECK-SAME: (%{{.*}}: memref<?x3x2xf32, strided<[?, 2, 1], offset: ?>>, %{{.*}}: memref<?x3x2xf32, strided<[?, 2, 1], offset: ?>> {nn.output})
// CHECK-NOT: memref.alloc
// CHECK: return
func.func private @step(%x: tensor<?x3x2xf32>) -> tensor<?x3x2xf32> attributes {nn.kernel} {
  %0 = nn.exp %x : tensor<?x3x2xf32>
  return %0 : tensor<?x3x2xf32>
}

// CHECK-LABEL: func.func @scan
// CHECK: %[[YS:.*]] = memref.alloc
// CHECK: scf.for
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: memref.subview
// CHECK: memref.subview %[[YS]]
// CHECK: call @step
// CHECK: return %[[YS]]
func.func @scan(%xs: tensor<?x6x3x2xf32>) -> tensor<?x6x3x2xf32> {
  %ys = nn.scan steps 6 sequences(%xs) {
  ^bb0(%x: tensor<?x3x2xf32>):
    %0 = func.call @step(%x) : (tensor<?x3x2xf32>) -> tensor<?x3x2xf32>
    nn.yield %0 : tensor<?x3x2xf32>
  } : (tensor<?x6x3x2xf32>) -> tensor<?x6x3x2xf32>
  return %ys : tensor<?x6x3x2xf32>
}

// Padding stays a group of fill and copy, which the schedule recognizes.
// CHECK-LABEL: func.func private @convolution
// CHECK: %[[PADDED:.*]] = memref.alloc
// CHECK: linalg.map outs(%[[PADDED]]
// CHECK: %[[INNER:.*]] = memref.subview %[[PADDED]][0, 1, 0]
// CHECK: memref.copy %{{.*}}, %[[INNER]]
// CHECK: linalg.generic
// CHECK-NOT: memref.alloc
// CHECK: return
func.func private @convolution(%x: tensor<?x5x3xf32>, %w: tensor<3x3x4xf32>) -> tensor<?x5x4xf32> attributes {nn.kernel} {
  %0 = nn.convolution %x, %w strides [1] padding [1, 1] dilations [1] groups 1 : (tensor<?x5x3xf32>, tensor<3x3x4xf32>) -> tensor<?x5x4xf32>
  return %0 : tensor<?x5x4xf32>
}
