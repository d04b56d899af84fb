// RUN: cornu-opt %s --codegen-strategy --codegen-schedule --canonicalize | FileCheck %s

#id2 = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Vectors of four at a time, then single ones, then what is left of one.
// CHECK-LABEL: func.func @map
// CHECK: codegen.parallel (%{{.*}}, %{{.*}}) to %{{.*}} if
// CHECK: scf.for
// CHECK-COUNT-4: vector.store {{.*}} vector<8xf32>
// CHECK: scf.for
// CHECK: vector.store {{.*}} vector<8xf32>
// CHECK: scf.for
// CHECK: memref.store
func.func @map(%x: memref<?x10xf32>, %y: memref<?x10xf32>) {
  linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x10xf32>) outs(%y : memref<?x10xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// Small and static: no grid, no loop, no mask; ten is eight and two.
// CHECK-LABEL: func.func @small
// CHECK-NOT: codegen.parallel
// CHECK-NOT: scf.for
// CHECK: vector.store {{.*}} vector<8xf32>
// CHECK: vector.store {{.*}} vector<2xf32>
func.func @small(%x: memref<10xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<10xf32>) {
  ^bb0(%b: f32):
    %0 = arith.addf %b, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// A reduction of everything: one partial sum per task, then their sum.
// CHECK-LABEL: func.func @total
// CHECK-SAME: codegen.shared_workspace = 256
// CHECK: codegen.kernel_workspace
// CHECK: codegen.parallel
// CHECK: vector.reduction <add>
// CHECK: scf.for
// CHECK: memref.load
// CHECK: arith.addf
func.func @total(%x: memref<?x10xf32>, %y: memref<f32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<f32>)
  linalg.generic {indexing_maps = [#id2, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%x : memref<?x10xf32>) outs(%y : memref<f32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// Softmax: the maximum and the sum of a row never leave it.
// CHECK-LABEL: func.func @softmax
// CHECK-NOT: memref.alloc(
// CHECK: codegen.parallel
// CHECK: memref.alloca() {{.*}} memref<f32>
// CHECK: scf.for
// CHECK: vector.reduction <maximumf>
// CHECK: math.exp
// CHECK: vector.reduction <add>
// CHECK: arith.divf
// CHECK-NOT: codegen.parallel
func.func @softmax(%x: memref<?x16xf32>, %y: memref<?x16xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %n = memref.dim %x, %c0 : memref<?x16xf32>
  %m = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%low : f32) outs(%m : memref<?xf32>)
  linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x16xf32>) outs(%m : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id2, #row, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x, %m : memref<?x16xf32>, memref<?xf32>) outs(%y : memref<?x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    %1 = math.exp %0 : f32
    linalg.yield %1 : f32
  }
  %s = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<?xf32>)
  linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
      ins(%y : memref<?x16xf32>) outs(%s : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#row, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%s : memref<?xf32>) outs(%y : memref<?x16xf32>) {
  ^bb0(%b: f32, %c: f32):
    %0 = arith.divf %c, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// A padded window: the rows by loop bounds; four columns at a time inside, and
// nothing of the padding is left.
// CHECK-LABEL: func.func @pool
// CHECK-NOT: memref.alloc
// CHECK: codegen.parallel
// CHECK: arith.maxsi
// CHECK: arith.minsi
// CHECK: scf.for {{.*}} -> (vector<8xf32>
// CHECK: arith.maximumf {{.*}} : vector<8xf32>
func.func @pool(%x: memref<?x28x28x8xf32>, %y: memref<?x28x28x8xf32>) {
  %c0 = arith.constant 0 : index
  %low = arith.constant 0xFF800000 : f32
  %n = memref.dim %x, %c0 : memref<?x28x28x8xf32>
  %p = memref.alloc(%n) : memref<?x30x30x8xf32>
  linalg.fill ins(%low : f32) outs(%p : memref<?x30x30x8xf32>)
  %s = memref.subview %p[0, 1, 1, 0] [%n, 28, 28, 8] [1, 1, 1, 1] : memref<?x30x30x8xf32> to memref<?x28x28x8xf32, strided<[7200, 240, 8, 1], offset: 248>>
  memref.copy %x, %s : memref<?x28x28x8xf32> to memref<?x28x28x8xf32, strided<[7200, 240, 8, 1], offset: 248>>
  %k = memref.alloc() : memref<3x3xf32>
  linalg.fill ins(%low : f32) outs(%y : memref<?x28x28x8xf32>)
  linalg.generic {indexing_maps = [affine_map<(n, h, w, i, j, c) -> (n, h + i, w + j, c)>, affine_map<(n, h, w, i, j, c) -> (i, j)>, affine_map<(n, h, w, i, j, c) -> (n, h, w, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]}
      ins(%p, %k : memref<?x30x30x8xf32>, memref<3x3xf32>) outs(%y : memref<?x28x28x8xf32>) {
  ^bb0(%a: f32, %z: f32, %b: f32):
    %0 = arith.maximumf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// Conversions have no flags of fast math to add to.
// CHECK-LABEL: func.func @widen
// CHECK: arith.extf %{{.*}} : vector<4xf32> to vector<4xf64>
// CHECK: arith.addf {{.*}} fastmath<contract> : vector<4xf64>
func.func @widen(%x: memref<4xf32>, %y: memref<4xf64>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : memref<4xf32>) outs(%y : memref<4xf64>) {
  ^bb0(%a: f32, %b: f64):
    %0 = arith.extf %a : f32 to f64
    %1 = arith.addf %0, %b : f64
    linalg.yield %1 : f64
  }
  return
}
