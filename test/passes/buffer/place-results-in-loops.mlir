// RUN: cornu-opt %s -buffer-place-results | FileCheck %s

// A step of a scan writes its result into its row of the sequence, and changes
// a row where it is: neither is copied.

#id = affine_map<(i, j) -> (i, j)>

// CHECK-LABEL: func.func @predict
// CHECK-SAME: (%[[X:.*]]: memref<?x9x4xf32>, %[[N:.*]]: index)
// CHECK: %[[ALL:.*]] = memref.alloc(%[[N]]) : memref<?x9x4xf32>
// CHECK: scf.for
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.copy
// CHECK: %[[ROW:.*]] = memref.subview %[[ALL]]
// CHECK: %[[OUT:.*]] = memref.cast %[[ROW]] :
// CHECK: call @exp(%{{.*}}, %[[OUT]])
// CHECK: %[[OLD:.*]] = memref.subview %[[ALL]]
// CHECK: %[[CHANGED:.*]] = memref.cast %[[OLD]] :
// CHECK: call @exp(%{{.*}}, %[[CHANGED]])
// CHECK-NOT: memref.copy
// CHECK: return
func.func @predict(%x: memref<?x9x4xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %all = memref.alloc(%n) : memref<?x9x4xf32>
  scf.for %t = %c0 to %c8 step %c1 {
    %in = memref.subview %x[0, %t, 0] [%n, 1, 4] [1, 1, 1] : memref<?x9x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
    %from = memref.cast %in : memref<?x4xf32, strided<[36, 1], offset: ?>> to memref<?x4xf32, strided<[?, 1], offset: ?>>
    %y = memref.alloc(%n) : memref<?x4xf32>
    %out = memref.cast %y : memref<?x4xf32> to memref<?x4xf32, strided<[?, 1], offset: ?>>
    func.call @exp(%from, %out) : (memref<?x4xf32, strided<[?, 1], offset: ?>>, memref<?x4xf32, strided<[?, 1], offset: ?>>) -> ()
    %row = memref.subview %all[0, %t, 0] [%n, 1, 4] [1, 1, 1] : memref<?x9x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
    memref.copy %y, %row : memref<?x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
  }
  scf.for %t = %c0 to %c8 step %c1 {
    %row = memref.subview %all[0, %t, 0] [%n, 1, 4] [1, 1, 1] : memref<?x9x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
    %old = memref.alloc(%n) : memref<?x4xf32>
    memref.copy %row, %old : memref<?x4xf32, strided<[36, 1], offset: ?>> to memref<?x4xf32>
    %in = memref.subview %x[0, %t, 0] [%n, 1, 4] [1, 1, 1] : memref<?x9x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
    %from = memref.cast %in : memref<?x4xf32, strided<[36, 1], offset: ?>> to memref<?x4xf32, strided<[?, 1], offset: ?>>
    %changed = memref.cast %old : memref<?x4xf32> to memref<?x4xf32, strided<[?, 1], offset: ?>>
    func.call @exp(%from, %changed) : (memref<?x4xf32, strided<[?, 1], offset: ?>>, memref<?x4xf32, strided<[?, 1], offset: ?>>) -> ()
    memref.copy %old, %row : memref<?x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
  }
  return
}

// What the next step reads is kept: the row it would be written to is the one
// that the call still reads.
// CHECK-LABEL: func.func @shifted
// CHECK: memref.copy {{.*}} {cornu.reason = "@exp still uses what the target holds"}
func.func @shifted(%all: memref<?x9x4xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  scf.for %t = %c0 to %c8 step %c1 {
    %row = memref.subview %all[0, %t, 0] [%n, 1, 4] [1, 1, 1] : memref<?x9x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
    %from = memref.cast %row : memref<?x4xf32, strided<[36, 1], offset: ?>> to memref<?x4xf32, strided<[?, 1], offset: ?>>
    %y = memref.alloc(%n) : memref<?x4xf32>
    %out = memref.cast %y : memref<?x4xf32> to memref<?x4xf32, strided<[?, 1], offset: ?>>
    func.call @exp(%from, %out) : (memref<?x4xf32, strided<[?, 1], offset: ?>>, memref<?x4xf32, strided<[?, 1], offset: ?>>) -> ()
    memref.copy %y, %row : memref<?x4xf32> to memref<?x4xf32, strided<[36, 1], offset: ?>>
  }
  return
}

func.func private @exp(%x: memref<?x4xf32, strided<[?, 1], offset: ?>>, %y: memref<?x4xf32, strided<[?, 1], offset: ?>> {nn.output}) attributes {nn.kernel} {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x4xf32, strided<[?, 1], offset: ?>>) outs(%y : memref<?x4xf32, strided<[?, 1], offset: ?>>) {
  ^bb0(%a: f32, %b: f32):
    %e = math.exp %a : f32
    linalg.yield %e : f32
  }
  return
}
