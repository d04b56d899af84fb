// RUN: cornu-opt %s --pass-pipeline='builtin.module(func.func(codegen-strategy))' | FileCheck %s

// The blocks follow from shapes, registers and caches of the target; a module
// without one is compiled for x86-64-v3: 16 registers of 8 floats.

#mk = affine_map<(m, n, k) -> (m, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Six rows of two vectors: 12 accumulators, two vectors of the panel, one
// broadcast. The right operand is packed, since its rows are far apart.
// CHECK-LABEL: @square
// CHECK: #codegen.contraction<mr = 6, nr = 16, mc = {{[0-9]+}}, nc = 128, kc = 512, copy_left = false, copy_right = false, pack_right = true
func.func @square(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
                  %c: memref<512x512xf32>) {
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

// Half as many doubles fit into a register.
// CHECK-LABEL: @doubles
// CHECK: #codegen.contraction<mr = 6, nr = 8,
func.func @doubles(%a: memref<512x512xf64>, %b: memref<512x512xf64>,
                   %c: memref<512x512xf64>) {
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<512x512xf64>, memref<512x512xf64>)
      outs(%c : memref<512x512xf64>) {
  ^bb0(%x: f64, %y: f64, %s: f64):
    %p = arith.mulf %x, %y : f64
    %q = arith.addf %s, %p : f64
    linalg.yield %q : f64
  }
  return
}

// Ten columns are vectors of eight and two; so few are read where they are.
// For a batch of one there is a second version.
// CHECK-LABEL: @classifier
// CHECK: #codegen.contraction<mr = 6, nr = 10, {{.*}} nc = 10, kc = 64, {{.*}} pack_right = false, {{.*}} single_row_nr = 10
func.func @classifier(%a: memref<?x64xf32>, %b: memref<64x10xf32>,
                      %c: memref<?x10xf32>) {
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<?x64xf32>, memref<64x10xf32>)
      outs(%c : memref<?x10xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// Weights that lie across the lanes are packed (transposed) however few.
// CHECK-LABEL: @transposed
// CHECK: pack_right = true
// CHECK-SAME: single_row_nr = 0
func.func @transposed(%a: memref<?x10xf32>, %b: memref<64x10xf32>,
                      %c: memref<?x64xf32>) {
  linalg.generic {indexing_maps = [#mk, #nk, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<?x10xf32>, memref<64x10xf32>)
      outs(%c : memref<?x64xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// Steps of 4 KiB: the left operand's block is copied.
// CHECK-LABEL: @far_steps
// CHECK: copy_left = true
func.func @far_steps(%a: memref<1024x1024xf32>, %b: memref<1024x1024xf32>,
                     %c: memref<1024x1024xf32>) {
  linalg.generic {indexing_maps = [#km, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<1024x1024xf32>, memref<1024x1024xf32>)
      outs(%c : memref<1024x1024xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// A depthwise convolution: both operands are vectors, tiles of one vector.
// CHECK-LABEL: @depthwise
// CHECK: #codegen.contraction<mr = 8, nr = 8, {{.*}} nc = 32, kc = 9, {{.*}} pack_right = false
func.func @depthwise(%x: memref<?x16x16x64xf32>, %w: memref<3x3x64xf32>,
                     %y: memref<?x14x14x64xf32>) {
  linalg.generic {indexing_maps = [
        affine_map<(n, i, j, g, a, b) -> (n, i + a, j + b, g)>,
        affine_map<(n, i, j, g, a, b) -> (a, b, g)>,
        affine_map<(n, i, j, g, a, b) -> (n, i, j, g)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction"]}
      ins(%x, %w : memref<?x16x16x64xf32>, memref<3x3x64xf32>)
      outs(%y : memref<?x14x14x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// A gradient for weights: a step of six rows reads a cache line of the left
// operand, so only so many steps as lines fit in half of the first-level cache.
// CHECK-LABEL: @weights
// CHECK: #codegen.contraction<mr = 6, nr = 16, {{.*}} kc = 256,
func.func @weights(%a: memref<2560x128xf32>, %b: memref<2560x512xf32>,
                   %c: memref<128x512xf32>) {
  linalg.generic {indexing_maps = [#km, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<2560x128xf32>, memref<2560x512xf32>)
      outs(%c : memref<128x512xf32>) {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// What is already decided stays.
// CHECK-LABEL: @override
// CHECK: #codegen.contraction<mr = 2, nr = 8, mc = 10
func.func @override(%a: memref<512x512xf32>, %b: memref<512x512xf32>,
                    %c: memref<512x512xf32>) {
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<512x512xf32>, memref<512x512xf32>)
      outs(%c : memref<512x512xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 2, nr = 8, mc = 10, nc = 64, kc = 32, copy_left = false,
        copy_right = false, pack_right = false, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 1>} {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// A convolution of three filters: sums along a window's row of all channels.
// CHECK-LABEL: func.func @few_filters
// CHECK: #codegen.contraction<mr = 3, nr = 3,
// CHECK-SAME: pack_right = true, flatten_rows = false, along_reduction = true,
func.func @few_filters(%x: memref<?x18x18x32xf32>, %w: memref<3x3x32x3xf32>, %y: memref<?x16x16x3xf32>) {
  linalg.generic {indexing_maps = [affine_map<(n, y, x, f, i, j, c) -> (n, y + i, x + j, c)>, affine_map<(n, y, x, f, i, j, c) -> (i, j, c, f)>, affine_map<(n, y, x, f, i, j, c) -> (n, y, x, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<?x18x18x32xf32>, memref<3x3x32x3xf32>) outs(%y : memref<?x16x16x3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// The gradient for its kernel: lanes along the input's channels.
// CHECK-LABEL: func.func @few_filters_gradient
// CHECK: #codegen.contraction<mr = 6, nr = 16,
// CHECK-SAME: pack_right = false, flatten_rows = false, along_reduction = false,
func.func @few_filters_gradient(%x: memref<?x18x18x32xf32>, %dy: memref<?x16x16x3xf32>, %dw: memref<3x3x32x3xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j, c, f, n, y, x) -> (n, y + i, x + j, c)>, affine_map<(i, j, c, f, n, y, x) -> (n, y, x, f)>, affine_map<(i, j, c, f, n, y, x) -> (i, j, c, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %dy : memref<?x18x18x32xf32>, memref<?x16x16x3xf32>) outs(%dw : memref<3x3x32x3xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  return
}
