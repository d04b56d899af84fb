// RUN: cornu-opt %s --buffer-plan-memory --canonicalize --cse | FileCheck %s

// CHECK: cornu.memory = {collapsed = {buffers = 1 : i64, fixed = 0 : i64, fixed_bound = 0 : i64, per_sample = 192 : i64, per_sample_bound = 192 : i64}, predict = {buffers = 4 : i64, fixed = 64 : i64, fixed_bound = 64 : i64, per_sample = 640 : i64, per_sample_bound = 640 : i64}}

// CHECK-LABEL: func.func private @k
// CHECK-SAME: %{{.*}}: memref<?x100xf32>, %{{.*}}: memref<?x48xf32>, %{{.*}}: memref<?xi8>)
func.func private @k(%x: memref<?x100xf32>, %y: memref<?x48xf32>) attributes {nn.kernel} {
  return
}
func.func private @f(%x: memref<?x48xf32>, %y: memref<?x100xf32>, %z: memref<3xf32>) attributes {nn.kernel} {
  return
}
func.func private @steps(%x: memref<?x48xf32>, %y: memref<?x48xf32>) attributes {nn.kernel} {
  return
}

// Static sizes come first, then what scales with the batch, then the workspace
// of the kernels. The buffer of the loop lies where %0 was.
// CHECK-LABEL: func.func @predict
// CHECK-SAME: %[[SCRATCH:[a-z0-9]*]]: memref<?xi8> {nn.role = "scratch"}
// CHECK: %[[N:.*]] = memref.dim %{{.*}}, %c0
// CHECK: %[[PART:.*]] = arith.muli %[[N]], %c448
// CHECK: %[[SECOND:.*]] = arith.addi %[[PART]], %c64
// CHECK: %[[ALL:.*]] = arith.muli %[[N]], %c640
// CHECK: %[[TAIL:.*]] = arith.addi %[[ALL]], %c64
// CHECK: %[[SIZE:.*]] = memref.dim %[[SCRATCH]]
// CHECK: %[[REST:.*]] = arith.subi %[[SIZE]], %[[TAIL]]
// CHECK: %[[WORKSPACE:.*]] = memref.view %[[SCRATCH]][%[[TAIL]]][%[[REST]]]
// CHECK: %[[A:.*]] = memref.view %[[SCRATCH]][%c64][%[[N]]] : memref<?xi8> to memref<?x100xf32>
// CHECK: %[[B:.*]] = memref.view %[[SCRATCH]][%[[SECOND]]][%{{.*}}] : memref<?xi8> to memref<?x48xf32>
// CHECK: memref.view %[[SCRATCH]][%c0][] : memref<?xi8> to memref<3xf32>
// CHECK: call @k(%[[A]], %[[B]], %[[WORKSPACE]])
// CHECK: scf.for
// CHECK: %[[LOOP:.*]] = memref.view %[[SCRATCH]][%c64][%[[N]]] : memref<?xi8> to memref<?x48xf32>
// CHECK: call @steps(%[[B]], %[[LOOP]], %[[WORKSPACE]])
func.func @predict(%x: memref<?x48xf32>) attributes {nn.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %n = memref.dim %x, %c0 : memref<?x48xf32>
  %twice = arith.muli %n, %c2 : index
  %again = arith.divui %twice, %c2 : index
  %0 = memref.alloc(%n) : memref<?x100xf32>
  %1 = memref.alloc(%again) : memref<?x48xf32>
  %2 = memref.alloc() : memref<3xf32>
  call @f(%x, %0, %2) : (memref<?x48xf32>, memref<?x100xf32>, memref<3xf32>) -> ()
  call @k(%0, %1) : (memref<?x100xf32>, memref<?x48xf32>) -> ()
  scf.for %i = %c0 to %c2 step %c1 {
    %3 = memref.alloc(%n) : memref<?x48xf32>
    func.call @steps(%1, %3) : (memref<?x48xf32>, memref<?x48xf32>) -> ()
    func.call @steps(%3, %1) : (memref<?x48xf32>, memref<?x48xf32>) -> ()
  }
  return
}

func.func private @volume(%x: memref<?x2x3x2x2xf32>, %y: memref<?x2x2x3x2x2xf32>) attributes {nn.kernel} {
  return
}
func.func private @same(%x: memref<?x4x3x2x2xf32>, %y: memref<?x4x3x2x2xf32>) attributes {nn.kernel} {
  return
}

// The batch of a collapsed shape of many dimensions is found.
// CHECK-LABEL: func.func @collapsed
// CHECK: call @same
func.func @collapsed(%x: memref<?x2x3x2x2xf32>, %y: memref<?x2x2x3x2x2xf32>) attributes {nn.entry} {
  %c0 = arith.constant 0 : index
  func.call @volume(%x, %y) : (memref<?x2x3x2x2xf32>, memref<?x2x2x3x2x2xf32>) -> ()
  %0 = memref.collapse_shape %y [[0], [1, 2], [3], [4], [5]] : memref<?x2x2x3x2x2xf32> into memref<?x4x3x2x2xf32>
  %n = memref.dim %0, %c0 : memref<?x4x3x2x2xf32>
  %1 = memref.alloc(%n) : memref<?x4x3x2x2xf32>
  func.call @same(%0, %1) : (memref<?x4x3x2x2xf32>, memref<?x4x3x2x2xf32>) -> ()
  return
}
