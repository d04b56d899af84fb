// RUN: cornu-opt %s --codegen-lower-parallel | FileCheck %s

// The largest workspace of the module's kernels is each worker's part.
// CHECK: codegen.workspace = 4096

// Workers are woken up for several tasks that are large.
// CHECK-LABEL: llvm.func internal @cornu_run_grid(
// CHECK-SAME: %[[TASKS:.*]]: !llvm.ptr, %[[CONTEXT:.*]]: !llvm.ptr, %[[COUNT:.*]]: i64, %[[LARGE:.*]]: i1)
// CHECK: %[[MANY:.*]] = llvm.icmp "sgt" %[[COUNT]]
// CHECK: %[[IF:.*]] = llvm.and %[[MANY]], %[[LARGE]]
// CHECK: scf.if %[[IF]] {
// CHECK: llvm.call @cornu_parallel_for(%[[TASKS]], %[[CONTEXT]], %[[COUNT]])
// CHECK: } else {
// CHECK: scf.for %[[TASK:.*]] =
// CHECK: llvm.call %[[TASKS]](%[[CONTEXT]], %[[TASK]], %{{.*}})

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
  // CHECK: constant @grid_tasks
  // CHECK: llvm.call @cornu_run_grid(%{{.*}}, %[[CONTEXT]], %{{.*}}, %[[LARGE]])
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
// CHECK-SAME: %[[CONTEXT:.*]]: !llvm.ptr, %[[TASK:.*]]: i64, %[[WORKER:.*]]: i64)
// CHECK: llvm.load
// CHECK: %[[INDEX:.*]] = builtin.unrealized_conversion_cast %[[WORKER]] : i64 to index
// CHECK: %[[OFFSET:.*]] = arith.muli %[[INDEX]], %{{.*}}
// CHECK: memref.view %{{.*}}[%[[OFFSET]]]

// A grid of one task runs where it stands, its frame outside of loops.
// CHECK-LABEL: func @single(
// CHECK: memref.alloca
// CHECK: scf.for
// CHECK-NOT: cornu_run_grid
// CHECK: memref.store
func.func @single(%y: memref<4xf32>, %n: index, %workspace: memref<?xi8>)
    attributes {codegen.workspace = 4096 : i64} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.for %i = %c0 to %n step %c1 {
    codegen.parallel (%task, %worker) to %c1 {
      %row = memref.alloca() : memref<4xf32>
      %zero = arith.constant 0.0 : f32
      memref.store %zero, %row[%task] : memref<4xf32>
      memref.copy %row, %y : memref<4xf32> to memref<4xf32>
    }
  }
  return
}
