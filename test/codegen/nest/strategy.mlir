// RUN: cornu-opt %s --codegen-strategy | FileCheck %s

#id2 = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>

// Contiguous loops collapse to one, whatever the batch.
// CHECK-LABEL: func.func @map
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel"]
// CHECK-SAME: #codegen.nest<kind = map, lane = 0, width = 8, vectors = 4,
func.func @map(%x: memref<?x10xf32>, %y: memref<?x10xf32>) {
  linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x10xf32>) outs(%y : memref<?x10xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// Doubles are half as many to a vector.
// CHECK-LABEL: func.func @wide
// CHECK: #codegen.nest<kind = map, lane = 0, width = 4,
func.func @wide(%x: memref<?x10xf64>) {
  linalg.generic {indexing_maps = [#id2], iterator_types = ["parallel", "parallel"]} outs(%x : memref<?x10xf64>) {
  ^bb0(%b: f64):
    %0 = arith.addf %b, %b : f64
    linalg.yield %0 : f64
  }
  return
}

// A transpose is a square of registers.
// CHECK-LABEL: func.func @transpose
// CHECK: #codegen.nest<kind = map, lane = 1, width = 8, vectors = 1, tile_loop = 0, tile = 8,
func.func @transpose(%x: memref<64x32xf32>, %y: memref<32x64xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<64x32xf32>) outs(%y : memref<32x64xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  }
  return
}

// Rows: the lane is the reduction, eight accumulators hide its latency.
// CHECK-LABEL: func.func @rows
// CHECK: #codegen.nest<kind = fold, lane = 1, width = 8, vectors = 8,
func.func @rows(%x: memref<?x256xf32>, %y: memref<?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?xf32>)
  linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x256xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// Columns: the lane is the column; few columns take several rows at once.
// CHECK-LABEL: func.func @columns
// CHECK: #codegen.nest<kind = reduce, lane = 0, width = 8, vectors = 1, tile_loop = 1, tile = 8,
func.func @columns(%x: memref<?x10xf32>, %y: memref<10xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<10xf32>)
  linalg.generic {indexing_maps = [#id2, #column], iterator_types = ["reduction", "parallel"]}
      ins(%x : memref<?x10xf32>) outs(%y : memref<10xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// A producer is computed where it is used, and its buffer is gone.
// CHECK-LABEL: func.func @inline
// CHECK-NOT: memref.alloc
// CHECK: linalg.generic
// CHECK: math.exp
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
func.func @inline(%x: memref<?x10xf32>, %y: memref<?x10xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x10xf32>
  %t = memref.alloc(%n) : memref<?x10xf32>
  linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<?x10xf32>) outs(%t : memref<?x10xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id2, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%t : memref<?x10xf32>) outs(%y : memref<?x10xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// Stages that share rows are one group; the last is computed in registers.
// CHECK-LABEL: func.func @group
// CHECK: #codegen.nest<kind = fold, {{.*}}rows = 1, group = 0
// CHECK: #codegen.nest<kind = fold, {{.*}}rows = 1, group = 0
// CHECK: #codegen.nest<kind = epilogue, {{.*}}rows = 1, group = 0
func.func @group(%x: memref<?x10xf32>, %y: memref<?xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %n = memref.dim %x, %c0 : memref<?x10xf32>
  %m = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%low : f32) outs(%m : memref<?xf32>)
  linalg.generic {indexing_maps = [#id2, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<?x10xf32>) outs(%m : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %b : f32
    linalg.yield %0 : f32
  }
  %s = memref.alloc(%n) : memref<?xf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<?xf32>)
  linalg.generic {indexing_maps = [#id2, #row, #row], iterator_types = ["parallel", "reduction"]}
      ins(%x, %m : memref<?x10xf32>, memref<?xf32>) outs(%s : memref<?xf32>) {
  ^bb0(%a: f32, %c: f32, %b: f32):
    %0 = arith.subf %a, %c : f32
    %1 = math.exp %0 : f32
    %2 = arith.addf %1, %b : f32
    linalg.yield %2 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%s : memref<?xf32>) outs(%y : memref<?xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = math.log %a : f32
    linalg.yield %0 : f32
  }
  return
}

// Two pixels of three channels fill a vector of eight better than one.
// CHECK-LABEL: func.func @few_channels
// CHECK: #codegen.nest<kind = map, lane = 0, run = 1, width = 6,
func.func @few_channels(%x: memref<?x3xf32>, %b: memref<3xf32>, %y: memref<?x3xf32>) {
  linalg.generic {indexing_maps = [#id2, #column, #id2], iterator_types = ["parallel", "parallel"]}
      ins(%x, %b : memref<?x3xf32>, memref<3xf32>) outs(%y : memref<?x3xf32>) {
  ^bb0(%a: f32, %c: f32, %o: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  return
}
