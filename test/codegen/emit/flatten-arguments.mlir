// RUN: cornu-opt %s --codegen-flatten-arguments | FileCheck %s

// A memref is a pointer and the sizes that its type does not tell.
// CHECK-LABEL: func private @kernel(
// CHECK-SAME: %[[POINTER:.*]]: !llvm.ptr, %[[SIZE:.*]]: i64, %{{.*}}: !llvm.ptr, %{{.*}}: i64)
func.func private @kernel(%x: memref<?x8xf32>, %y: memref<4xf32>, %i: index) {
  // CHECK: llvm.insertvalue %[[POINTER]]
  // CHECK: llvm.insertvalue %[[SIZE]], %{{.*}}[3, 0]
  %c0 = arith.constant 0 : index
  %v = memref.load %x[%i, %c0] : memref<?x8xf32>
  memref.store %v, %y[%c0] : memref<4xf32>
  return
}

// CHECK-LABEL: func @entry(%{{.*}}: memref<?x8xf32>, %{{.*}}: memref<4xf32>, %{{.*}}: index)
func.func @entry(%x: memref<?x8xf32>, %y: memref<4xf32>, %i: index) {
  // CHECK: call @kernel({{.*}}) : (!llvm.ptr, i64, !llvm.ptr, i64) -> ()
  call @kernel(%x, %y, %i) : (memref<?x8xf32>, memref<4xf32>, index) -> ()
  return
}
