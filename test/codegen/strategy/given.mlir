// RUN: cornu-opt %s --pass-pipeline='builtin.module(func.func(codegen-strategy))' | FileCheck %s

// A kernel's given strategies stand on its ops instead of the defaults, and are
// what it remembers.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @product
// CHECK-SAME: codegen.strategies = [#codegen.contraction<mr = 3, nr = 32, mc = 33, nc = 64, kc = 100,
// CHECK-NOT: codegen.given
// CHECK: codegen.strategy = #codegen.contraction<mr = 3, nr = 32, mc = 33,
func.func @product(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
                   %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "'F': /kernels/0", strategies = [
      #codegen.contraction<mr = 3, nr = 32, mc = 33, nc = 64, kc = 100,
        copy_left = true, copy_right = false, pack_right = false,
        flatten_rows = false, along_reduction = false, single_row_nr = 0,
        serial = 1>]}} {
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<512x512xf32>, memref<512x512xf32>)
      outs(%c : memref<512x512xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// One for each nest, in their order; the epilogue of a nest has none.
// CHECK-LABEL: @center
// CHECK: codegen.strategy = #codegen.nest<kind = fold, lane = 1, width = 8, vectors = 3,
// CHECK: codegen.strategy = #codegen.nest<kind = map, lane = 1, width = 8, vectors = 1,
func.func @center(%x: memref<64x256xf32>, %y: memref<64x256xf32>)
    attributes {codegen.given = {from = "'F': /kernels/1", strategies = [
      #codegen.nest<kind = fold, lane = 1, width = 8, vectors = 3,
        tile_loop = -1, tile = 1, rows = 1, group = 0, grain = 4096,
        serial = 8192>,
      #codegen.nest<kind = map, lane = 1, width = 8, vectors = 1,
        tile_loop = -1, tile = 1, rows = 1, group = 0, grain = 4096,
        serial = 8192>]}} {
  %zero = arith.constant 0.0 : f32
  %sum = memref.alloc() : memref<64xf32>
  linalg.fill ins(%zero : f32) outs(%sum : memref<64xf32>)
  linalg.generic {indexing_maps = [#id, #row],
                  iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<64x256xf32>) outs(%sum : memref<64xf32>) {
  ^bb0(%a: f32, %s: f32):
    %t = arith.addf %a, %s : f32
    linalg.yield %t : f32
  }
  linalg.generic {indexing_maps = [#id, #row, #id],
                  iterator_types = ["parallel", "parallel"]}
      ins(%x, %sum : memref<64x256xf32>, memref<64xf32>)
      outs(%y : memref<64x256xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %t = arith.subf %a, %s : f32
    linalg.yield %t : f32
  }
  memref.dealloc %sum : memref<64xf32>
  return
}
