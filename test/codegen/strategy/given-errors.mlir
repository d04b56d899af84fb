// RUN: cornu-opt %s --split-input-file --verify-diagnostics --pass-pipeline='builtin.module(func.func(codegen-strategy))'

// A given strategy that does not suit its op is refused, with its place.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @no_rows(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 0, nr = 16, mc = 96, nc = 128, kc = 256,
        copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = false, single_row_nr =
        0, serial = 1>]}} {
  // expected-error @+1 {{F: /kernels/0/strategies/0 does not suit its op: mr = 0 is not in [1, 64]}}
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @too_many_registers(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 32, nr = 64, mc = 96, nc = 128, kc =
        256, copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = false, single_row_nr =
        0, serial = 1>]}} {
  // expected-error @+1 {{a tile of 32 x 64 takes 256 vector registers; there are 16}}
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @block_beyond_memory(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 6, nr = 16, mc = 96, nc = 128, kc =
        1073741824, copy_left = false, copy_right = false, pack_right =
        true, flatten_rows = false, along_reduction = false,
        single_row_nr = 0, serial = 1>]}} {
  // expected-error @+1 {{kc = 1073741824 is not in [1, 65536]}}
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @not_along_the_reduction(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 6, nr = 16, mc = 96, nc = 128, kc = 256,
        copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = true, single_row_nr = 0,
        serial = 1>]}} {
  // expected-error @+1 {{along_reduction cannot differ from the default}}
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @no_window(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 6, nr = 16, mc = 96, nc = 128, kc = 256,
        copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = false, single_row_nr =
        0, serial = 1, winograd = <side = 4, taps = 3, squares = 64,
        from = 8>>]}} {
  // expected-error @+1 {{its form of winograd is not one for this op and this precision}}
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @constant_kernel(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 6, nr = 16, mc = 96, nc = 128, kc = 256,
        copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = false, single_row_nr =
        0, serial = 1, winograd = <side = 4, taps = 3, squares = 64,
        from = 0, transformed = true>>]}} {
  // expected-error @+1 {{winograd's kernel is transformed where it is a constant, which cannot be given}}
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @nest_for_a_contraction(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.nest<kind = map, lane = 1, width = 8, vectors = 1,
        tile_loop = -1, tile = 1, rows = 1, group = 0, grain = 4096,
        serial = 8192>]}} {
  // expected-error @+1 {{a contraction takes a #codegen.contraction}}
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// expected-error @+1 {{F: /kernels/0 has 2 strategies, but the kernel has 1 ops that take one}}
func.func @too_many(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 6, nr = 16, mc = 96, nc = 128, kc = 256,
        copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = false, single_row_nr =
        0, serial = 1>,
      #codegen.contraction<mr = 6, nr = 16, mc = 96, nc = 128, kc = 256,
        copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = false, single_row_nr =
        0, serial = 1>]}} {
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

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// expected-error @+1 {{'codegen.given' has no array of strategies}}
func.func @no_array(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
    %c: memref<512x512xf32>) attributes {codegen.given = 1 : i64} {
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

// -----

#id = affine_map<(i) -> (i)>

func.func @no_such_loop(%x: memref<4096xf32>, %y: memref<4096xf32>)
    attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.nest<kind = map, lane = 7, width = 8, vectors = 4,
        tile_loop = -1, tile = 1, rows = 0, group = 0, grain = 4096,
        serial = 8192>]}} {
  // expected-error @+1 {{its loops cannot have these roles}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<4096xf32>) outs(%y : memref<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %a : f32
    linalg.yield %t : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>

func.func @other_kind(%x: memref<4096xf32>, %y: memref<4096xf32>)
    attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.nest<kind = reduce, lane = 0, width = 8, vectors = 4,
        tile_loop = -1, tile = 1, rows = 0, group = 0, grain = 4096,
        serial = 8192>]}} {
  // expected-error @+1 {{its loops cannot have these roles}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<4096xf32>) outs(%y : memref<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %a : f32
    linalg.yield %t : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>

func.func @too_many_vectors(%x: memref<4096xf32>, %y: memref<4096xf32>)
    attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.nest<kind = map, lane = 0, width = 8, vectors = 1000,
        tile_loop = -1, tile = 1, rows = 0, group = 0, grain = 4096,
        serial = 8192>]}} {
  // expected-error @+1 {{vectors = 1000 is not in [1, 16]}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<4096xf32>) outs(%y : memref<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %a : f32
    linalg.yield %t : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>

func.func @no_grain(%x: memref<4096xf32>, %y: memref<4096xf32>)
    attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.nest<kind = map, lane = 0, width = 8, vectors = 4,
        tile_loop = -1, tile = 1, rows = 0, group = 0, grain = 0, serial
        = 8192>]}} {
  // expected-error @+1 {{grain = 0 is not in}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<4096xf32>) outs(%y : memref<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %a : f32
    linalg.yield %t : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>

func.func @contraction_for_a_nest(%x: memref<4096xf32>, %y: memref<4096xf32>)
    attributes {codegen.given = {
    from = "F: /kernels/0", strategies = [
      #codegen.contraction<mr = 6, nr = 16, mc = 96, nc = 128, kc = 256,
        copy_left = false, copy_right = false, pack_right = true,
        flatten_rows = false, along_reduction = false, single_row_nr =
        0, serial = 1>]}} {
  // expected-error @+1 {{what is no contraction takes a #codegen.nest}}
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%x : memref<4096xf32>) outs(%y : memref<4096xf32>) {
  ^bb0(%a: f32, %o: f32):
    %t = arith.addf %a, %a : f32
    linalg.yield %t : f32
  }
  return
}
