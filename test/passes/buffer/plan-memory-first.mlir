// RUN: cornu-opt %s --buffer-plan-memory --canonicalize --cse | FileCheck %s

// An entry whose first op is the buffer of a constant, as that of a model of
// one Normalization is: the sizes of the others are computed before it, and it
// goes away.

// CHECK: predict = {buffers = 2 : i64, fixed = 64 : i64
// CHECK-LABEL: func.func @predict
// CHECK-NOT: memref.alloc
// CHECK: call @k
func.func private @k(%c: memref<3xf32>, %y: memref<?x48xf32>) attributes {nn.kernel} {
  return
}
func.func @predict(%x: memref<?x48xf32>) attributes {nn.entry} {
  %0 = memref.alloc() : memref<3xf32>
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x48xf32>
  %1 = memref.alloc(%n) : memref<?x48xf32>
  call @k(%0, %1) : (memref<3xf32>, memref<?x48xf32>) -> ()
  return
}
