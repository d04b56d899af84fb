// RUN: cornu-opt %s --codegen-lower-parallel | FileCheck %s

// The largest workspace of the module's kernels is each worker's part.
// CHECK: codegen.workspace = 4096

// CHECK: llvm.func @cornu_parallel_for(!llvm.ptr, !llvm.ptr, i64)

// CHECK-LABEL: func @grid(
// CHECK-SAME: %[[X:.*]]: memref<?x8xf32>, %[[Y:.*]]: memref<4xf32>, %[[LARGE:.*]]: i1, %[[WORKSPACE:.*]]: memref<?xi8>)
func.func @grid(%x: memref<?x8xf32>, %y: memref<4xf32>, %large: i1,
                %workspace: memref<?xi8>) attributes {codegen.workspace = 1024 : i64} {
  // The workspace and %x are a pointer and a size, %y, whose shape is known, is a
  // pointer.
  // CHECK: %[[CONTEXT:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(ptr, i64, ptr, i64, ptr)>
  %c0 = arith.constant 0 : index
  %count = memref.dim %x, %c0 : memref<?x8xf32>
  // CHECK: %[[MANY:.*]] = arith.cmpi sgt
  // CHECK: %[[IF:.*]] = arith.andi %[[MANY]], %[[LARGE]]
  // CHECK: scf.if %[[IF]] {
  // CHECK: %[[ENTRY:.*]] = llvm.mlir.addressof @grid_tasks_entry
  // CHECK: llvm.call @cornu_parallel_for(%[[ENTRY]], %[[CONTEXT]], %{{.*}})
  // CHECK: } else {
  // CHECK: scf.for %[[TASK:.*]] =
  // CHECK: func.call @grid_tasks(%{{.*}}, %[[TASK]], %{{.*}})
  codegen.parallel (%task, %worker) to %count if %large {
    %bytes = codegen.worker_workspace %worker : memref<?xi8>
    %buffer = memref.view %bytes[%c0][] : memref<?xi8> to memref<8xf32>
    %v = vector.load %x[%task, %c0] : memref<?x8xf32>, vector<8xf32>
    vector.store %v, %buffer[%c0] : memref<8xf32>, vector<8xf32>
    %s = memref.load %buffer[%c0] : memref<8xf32>
    memref.store %s, %y[%c0] : memref<4xf32>
  }
  return
}

// CHECK-LABEL: func private @grid_tasks(
// CHECK-SAME: %[[TASK:[a-z0-9]*]]: index, %[[WORKER:[a-z0-9]*]]: index)
// CHECK: %[[OFFSET:.*]] = arith.muli %[[WORKER]], %{{.*}}
// CHECK: memref.view %{{.*}}[%[[OFFSET]]]
// CHECK-LABEL: llvm.func internal @grid_tasks_entry(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
// CHECK: call @grid_tasks

// A grid of one task runs where it stands.
// CHECK-LABEL: func @single(
// CHECK-NOT: llvm.alloca
// CHECK: call @single_tasks(
func.func @single(%y: memref<4xf32>, %workspace: memref<?xi8>)
    attributes {codegen.workspace = 4096 : i64} {
  %c1 = arith.constant 1 : index
  codegen.parallel (%task, %worker) to %c1 {
    %zero = arith.constant 0.0 : f32
    memref.store %zero, %y[%task] : memref<4xf32>
  }
  return
}
