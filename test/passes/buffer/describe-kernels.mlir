// RUN: cornu-opt %s --buffer-describe-kernels | FileCheck %s

#input = affine_map<(n, y, k, f, c) -> (n, y + k, c)>
#weights = affine_map<(n, y, k, f, c) -> (k, c, f)>
#output = affine_map<(n, y, k, f, c) -> (n, y, f)>
#id = affine_map<(d0, d1) -> (d0, d1)>

module {
// A window reads each element of the input once from memory, the output that
// was filled with zeros not at all.
func.func private @convolve(%x: memref<?x8x2xf32>, %w: memref<3x2x4xf32>, %y: memref<?x6x4xf32>, %workspace: memref<?xi8>) attributes {nn.kernel} {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x6x4xf32>)
  linalg.generic {indexing_maps = [#input, #weights, #output], iterator_types = ["parallel", "parallel", "reduction", "parallel", "reduction"]}
      ins(%x, %w : memref<?x8x2xf32>, memref<3x2x4xf32>) outs(%y : memref<?x6x4xf32>) {
  ^bb0(%a: f32, %b: f32, %sum: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %sum, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// Selections and comparisons are no operations on floats; in place, an element
// is read and written.
func.func private @clip(%x: memref<4x3xf64>, %workspace: memref<?xi8>) attributes {nn.kernel} {
  %zero = arith.constant 0.0 : f64
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x3xf64>) outs(%x : memref<4x3xf64>) {
  ^bb0(%a: f64, %old: f64):
    %0 = arith.cmpf olt, %a, %zero : f64
    %1 = math.exp %a : f64
    %2 = arith.select %0, %1, %a : f64
    linalg.yield %2 : f64
  }
  return
}

// Of a table, what is looked up.
func.func private @gather(%table: memref<1000x4xf32>, %rows: memref<?xi32>, %y: memref<?x4xf32>, %workspace: memref<?xi8>) attributes {nn.kernel} {
  linalg.generic {indexing_maps = [affine_map<(n, c) -> (n)>, #id], iterator_types = ["parallel", "parallel"]}
      ins(%rows : memref<?xi32>) outs(%y : memref<?x4xf32>) {
  ^bb0(%row: i32, %old: f32):
    %0 = arith.index_cast %row : i32 to index
    %1 = linalg.index 1 : index
    %2 = memref.load %table[%0, %1] : memref<1000x4xf32>
    linalg.yield %2 : f32
  }
  return
}

// CHECK-LABEL: func.func @predict
func.func @predict(%x: memref<?x8x2xf32>, %w: memref<3x2x4xf32>, %y: memref<?x6x4xf32>, %z: memref<4x3xf64>,
                   %table: memref<1000x4xf32>, %rows: memref<?xi32>, %found: memref<?x4xf32>,
                   %scratch: memref<?xi8> {nn.role = "scratch"}) attributes {nn.entry} {
  // CHECK: call @convolve{{.*}} {cornu.work = {bytes = 96 : i64, bytes_per_sample = 160 : i64, calls = 1 : i64, flops = 0 : i64, flops_per_sample = 288 : i64}}
  call @convolve(%x, %w, %y, %scratch) : (memref<?x8x2xf32>, memref<3x2x4xf32>, memref<?x6x4xf32>, memref<?xi8>) -> ()
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %n = memref.dim %x, %c0 : memref<?x8x2xf32>
  scf.for %i = %c0 to %c7 step %c1 {
    // CHECK: call @clip{{.*}} {cornu.work = {bytes = 192 : i64, bytes_per_sample = 0 : i64, calls = 7 : i64, flops = 12 : i64, flops_per_sample = 0 : i64}}
    func.call @clip(%z, %scratch) : (memref<4x3xf64>, memref<?xi8>) -> ()
  }
  // CHECK: call @gather{{.*}} {cornu.work = {bytes = 0 : i64, bytes_per_sample = 36 : i64, calls = 1 : i64, flops = 0 : i64, flops_per_sample = 0 : i64}}
  call @gather(%table, %rows, %found, %scratch) : (memref<1000x4xf32>, memref<?xi32>, memref<?x4xf32>, memref<?xi8>) -> ()
  // CHECK: memref.copy {{.*}} {cornu.work = {bytes = 0 : i64, bytes_per_sample = 96 : i64, calls = 1 : i64, flops = 0 : i64, flops_per_sample = 0 : i64}}
  %part = memref.subview %x[0, 1, 0] [%n, 6, 2] [1, 1, 1] : memref<?x8x2xf32> to memref<?x6x2xf32, strided<[16, 2, 1], offset: 2>>
  %copied = memref.view %scratch[%c0][%n] : memref<?xi8> to memref<?x6x2xf32>
  memref.copy %part, %copied : memref<?x6x2xf32, strided<[16, 2, 1], offset: 2>> to memref<?x6x2xf32>
  return
}
}
