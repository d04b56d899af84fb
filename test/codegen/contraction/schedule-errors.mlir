// RUN: cornu-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(codegen-schedule))'

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @no_rows(%a: memref<8x8xf32>, %b: memref<8x8xf32>,
                   %c: memref<8x8xf32>, %workspace: memref<?xi8>) {
  // expected-error @+1 {{strategy's blocks must be positive}}
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<8x8xf32>, memref<8x8xf32>)
      outs(%c : memref<8x8xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 0, nr = 16, mc = 4, nc = 16, kc = 24, copy_left = false,
        copy_right = false, pack_right = false, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 1>} {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// -----

#id = affine_map<(m, n) -> (m, n)>

func.func @not_a_contraction(%a: memref<8x8xf32>, %c: memref<8x8xf32>,
                             %workspace: memref<?xi8>) {
  // expected-error @+1 {{is not a contraction on memrefs, but has the strategy of one}}
  linalg.generic {indexing_maps = [#id, #id],
                  iterator_types = ["parallel", "parallel"]}
      ins(%a : memref<8x8xf32>) outs(%c : memref<8x8xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 2, nr = 16, mc = 4, nc = 16, kc = 24, copy_left = false,
        copy_right = false, pack_right = false, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 1>} {
  ^bb0(%x: f32, %s: f32):
    linalg.yield %x : f32
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @no_convolution(%a: memref<8x8xf32>, %b: memref<8x8xf32>,
                          %c: memref<8x8xf32>, %workspace: memref<?xi8>) {
  // expected-error @+1 {{has a transformed kernel, which only a convolution by minimal filtering can read}}
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<8x8xf32>, memref<8x8xf32>)
      outs(%c : memref<8x8xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 4, nr = 8, mc = 4, nc = 16, kc = 24, copy_left = false,
        copy_right = false, pack_right = false, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 1, winograd = <
        side = 2, taps = 3, squares = 8, from = 0, transformed = true>>} {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}
