// RUN: cornu-opt %s --buffer-place-kernel-buffers --canonicalize --cse --split-input-file --verify-diagnostics | FileCheck %s

// Sizes of the kernel's arguments are those of the call's operands: here the
// leading size is twice the batch.
// CHECK: cornu.memory = {predict = {fixed = 64 : i64, per_sample = 320 : i64}}
module attributes {cornu.memory = {predict = {fixed = 64 : i64, per_sample = 128 : i64}}} {

// CHECK-LABEL: func.func private @k
// CHECK-SAME: %{{.*}}: memref<?x16xf32>, %[[BUFFERS:.*]]: memref<?xi8>, %{{.*}}: memref<?xi8>)
// CHECK: %[[N:.*]] = memref.dim
// CHECK: memref.view %[[BUFFERS]][%c0][%[[N]]] : memref<?xi8> to memref<?x16xf32>
// CHECK: memref.view %[[BUFFERS]][%{{.*}}][%[[N]]] : memref<?xi8> to memref<?x5xf32>
func.func private @k(%x: memref<?x16xf32>, %workspace: memref<?xi8>) attributes {nn.kernel} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1.0 : f32
  %n = memref.dim %x, %c0 : memref<?x16xf32>
  %0 = memref.alloc(%n) : memref<?x16xf32>
  %1 = memref.alloc(%n) : memref<?x5xf32>
  memref.store %c1, %0[%c0, %c0] : memref<?x16xf32>
  memref.store %c1, %1[%c0, %c0] : memref<?x5xf32>
  return
}

// CHECK-LABEL: func.func @predict
// CHECK: %[[ALL:.*]] = arith.muli %{{.*}}, %c320
// CHECK: %[[END:.*]] = arith.addi %[[ALL]], %c64
// CHECK: %[[RANGE:.*]] = memref.view
// CHECK: %[[WORKSPACE:.*]] = memref.view %{{.*}}[%[[END]]][%{{.*}}] : memref<?xi8> to memref<?xi8>
// CHECK: call @k(%{{.*}}, %[[RANGE]], %[[WORKSPACE]])
func.func @predict(%x: memref<?x2x16xf32>, %scratch: memref<?xi8> {nn.role = "scratch"}) attributes {nn.entry} {
  %0 = memref.collapse_shape %x [[0, 1], [2]] : memref<?x2x16xf32> into memref<?x16xf32>
  call @k(%0, %scratch) : (memref<?x16xf32>, memref<?xi8>) -> ()
  return
}
}

// -----

// What the entry allocates for its kernels lies before what they share.
// CHECK: cornu.memory = {predict = {fixed = 256 : i64, per_sample = 128 : i64}}
module attributes {cornu.memory = {predict = {fixed = 64 : i64, per_sample = 128 : i64}}} {
func.func private @k(%x: memref<?x16xf32>, %p: memref<2x20xf32>, %workspace: memref<?xi8>) attributes {nn.kernel} {
  return
}
// CHECK-LABEL: func.func @predict
// CHECK: %[[BATCHES:.*]] = arith.muli %{{.*}}, %c128
// CHECK: %[[OWN:.*]] = arith.addi %[[BATCHES]], %c64
// CHECK: %[[END:.*]] = arith.addi %[[BATCHES]], %c256
// CHECK: %[[WORKSPACE:.*]] = memref.view %{{.*}}[%[[END]]][%{{.*}}] : memref<?xi8> to memref<?xi8>
// CHECK: %[[P:.*]] = memref.view %{{.*}}[%[[OWN]]][] : memref<?xi8> to memref<2x20xf32>
// CHECK: call @k(%{{.*}}, %[[P]], %[[WORKSPACE]])
func.func @predict(%x: memref<?x16xf32>, %scratch: memref<?xi8> {nn.role = "scratch"}) attributes {nn.entry} {
  %p = memref.alloc() : memref<2x20xf32>
  call @k(%x, %p, %scratch) : (memref<?x16xf32>, memref<2x20xf32>, memref<?xi8>) -> ()
  return
}
}

// -----

func.func private @k(%x: memref<?x16xf32>, %n: index, %workspace: memref<?xi8>) attributes {nn.kernel} {
  scf.for %i = %n to %n step %n {
    // expected-error @+1 {{allocates in a loop or a task of a kernel}}
    %0 = memref.alloc(%n) : memref<?x16xf32>
    %c1 = arith.constant 1.0 : f32
    memref.store %c1, %0[%n, %n] : memref<?x16xf32>
  }
  return
}
