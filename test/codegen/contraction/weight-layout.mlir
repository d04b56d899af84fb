// RUN: cornu-opt %s -codegen-lay-out-weights -split-input-file | FileCheck %s

// Five columns in panels of two: two matrices of 2 x 2, and one of 2 x 1.
// A weight that two kernels read in panels of different widths stays, as does
// one that something else reads by index. One that is drawn when the model is
// new is drawn into panels.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#blocks2 = #codegen.contraction<mr = 6, nr = 2, mc = 6, nc = 8, kc = 8, copy_left = false, copy_right = false, pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 5, serial = 1000>
#blocks4 = #codegen.contraction<mr = 6, nr = 4, mc = 6, nc = 8, kc = 8, copy_left = false, copy_right = false, pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 5, serial = 1000>

// CHECK: {columns = 5 : i64, name = "only", offset = 0 : i64, panels = 2 : i64, type = tensor<2x5xf32>, value = dense<{{\[\[}}0.000000e+00, 1.000000e+00, 5.000000e+00, 6.000000e+00, 2.000000e+00], [3.000000e+00, 7.000000e+00, 8.000000e+00, 4.000000e+00, 9.000000e+00]]>
// CHECK-SAME: {name = "widths", offset = 64 : i64, type
// CHECK-SAME: {name = "other", offset = 128 : i64, type
// CHECK-SAME: {columns = 5 : i64, name = "drawn", offset = 192 : i64, panels = 2 : i64, type
module attributes {cornu.state = [
    {columns = 5 : i64, name = "only", offset = 0 : i64, type = tensor<2x5xf32>, value = dense<[[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]]> : tensor<2x5xf32>},
    {name = "widths", offset = 64 : i64, type = tensor<2x5xf32>, value = dense<[[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]]> : tensor<2x5xf32>},
    {name = "other", offset = 128 : i64, type = tensor<2x5xf32>, value = dense<[[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]]> : tensor<2x5xf32>},
    {name = "drawn", offset = 192 : i64, type = tensor<2x5xf32>}]} {
  func.func @predict(%state: memref<?xi8> {nn.role = "state"}, %x: memref<?x2xf32>, %y: memref<?x5xf32>, %total: memref<f32>) {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %c192 = arith.constant 192 : index
    %only = memref.view %state[%c0][] : memref<?xi8> to memref<2x5xf32>
    %widths = memref.view %state[%c64][] : memref<?xi8> to memref<2x5xf32>
    %other = memref.view %state[%c128][] : memref<?xi8> to memref<2x5xf32>
    %drawn = memref.view %state[%c192][] : memref<?xi8> to memref<2x5xf32>
    call @two(%x, %only, %y) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>) -> ()
    call @also_two(%x, %widths, %y) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>) -> ()
    call @four(%x, %widths, %y) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>) -> ()
    call @sum(%other, %total) : (memref<2x5xf32>, memref<f32>) -> ()
    call @third_two(%x, %other, %y) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>) -> ()
    call @fourth_two(%x, %drawn, %y) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>) -> ()
    return
  }
  // CHECK-LABEL: func.func @initialize
  // CHECK: scf.for %[[I:.*]] = %c0
  // CHECK: %[[ROW:.*]] = arith.divui %[[I]], %c5
  // CHECK: %[[COLUMN:.*]] = arith.remui %[[I]], %c5
  // CHECK: %[[PANEL:.*]] = arith.divui %[[COLUMN]], %c2
  // CHECK: %[[INSIDE:.*]] = arith.remui %[[COLUMN]], %c2
  // CHECK: %[[START:.*]] = arith.muli %[[PANEL]], %c2
  // CHECK: %[[LEFT:.*]] = arith.subi %c5{{.*}}, %[[START]]
  // CHECK: %[[WIDTH:.*]] = arith.minui %c2{{.*}}, %[[LEFT]]
  // CHECK: arith.muli %[[START]], %c2
  // CHECK: arith.muli %[[ROW]], %[[WIDTH]]
  // CHECK: memref.store
  func.func @initialize(%state: memref<?xi8> {nn.role = "state"}, %seed: i64) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c10 = arith.constant 10 : index
    %c192 = arith.constant 192 : index
    %one = arith.constant 1.0 : f32
    %drawn = memref.view %state[%c192][] : memref<?xi8> to memref<10xf32>
    scf.for %i = %c0 to %c10 step %c1 {
      memref.store %one, %drawn[%i] : memref<10xf32>
    }
    return
  }
  // CHECK-LABEL: func.func private @two(
  // CHECK: #codegen.contraction<{{.*}}pack_right = false, {{.*}}single_row_nr = 4, serial = 1000, panels = 2>
  func.func private @two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks2}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK-LABEL: func.func private @also_two(
  // CHECK: #codegen.contraction<{{.*}}pack_right = true, {{.*}}single_row_nr = 5, serial = 1000>
  func.func private @also_two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks2}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK-LABEL: func.func private @four(
  // CHECK: #codegen.contraction<{{.*}}pack_right = true
  func.func private @four(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks4}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK-LABEL: func.func private @third_two(
  // CHECK: #codegen.contraction<{{.*}}pack_right = true
  func.func private @third_two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks2}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK-LABEL: func.func private @fourth_two(
  // CHECK: #codegen.contraction<{{.*}}pack_right = false
  func.func private @fourth_two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks2}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  func.func private @sum(%w: memref<2x5xf32>, %s: memref<f32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
        ins(%w : memref<2x5xf32>) outs(%s : memref<f32>) {
    ^bb0(%a: f32, %b: f32):
      %i = linalg.index 0 : index
      %q = arith.addf %a, %b : f32
      linalg.yield %q : f32
    }
    return
  }
}

// -----

// A weight that is trained, its gradient and its momentum lie alike, whatever
// their shapes. The gradient's place is then another's, for which nothing follows.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nk = affine_map<(m, n, k) -> (n, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#mn = affine_map<(m, n, k) -> (m, n)>
#ij = affine_map<(i, j) -> (i, j)>
#blocks = #codegen.contraction<mr = 6, nr = 2, mc = 6, nc = 8, kc = 8, copy_left = false, copy_right = false, pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 0, serial = 1000>

// CHECK: [[SPLIT:#.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d2 * 2 + d3)>
// CHECK: [[PANEL:#.*]] = affine_map<(d0, d1, d2, d3) -> (d2, d1, d3)>
// CHECK: {columns = 4 : i64, name = "kernel", offset = 0 : i64, panels = 2 : i64, type
// CHECK-SAME: {columns = 4 : i64, name = "momentum", offset = 64 : i64, panels = 2 : i64, type
// CHECK-SAME: {name = "table", offset = 128 : i64, type
module attributes {cornu.state = [
    {name = "kernel", offset = 0 : i64, type = tensor<2x4xf32>, value = dense<1.0> : tensor<2x4xf32>},
    {name = "momentum", offset = 64 : i64, type = tensor<2x2x2xf32>},
    {name = "table", offset = 128 : i64, type = tensor<2x4xf32>, value = dense<1.0> : tensor<2x4xf32>}]} {
  func.func @train_step(%state: memref<?xi8> {nn.role = "state"}, %x: memref<?x2xf32>, %y: memref<?x4xf32>, %scratch: memref<?xi8> {nn.role = "scratch"}) {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %c128 = arith.constant 128 : index
    %kernel = memref.view %state[%c0][] : memref<?xi8> to memref<2x4xf32>
    %heads = memref.view %state[%c64][] : memref<?xi8> to memref<2x2x2xf32>
    %momentum = memref.reinterpret_cast %heads to offset: [0], sizes: [2, 4], strides: [4, 1] : memref<2x2x2xf32> to memref<2x4xf32>
    %table = memref.view %state[%c128][] : memref<?xi8> to memref<2x4xf32>
    %gradient = memref.view %scratch[%c0][] : memref<?xi8> to memref<2x4xf32>
    call @dense(%x, %kernel, %y) : (memref<?x2xf32>, memref<2x4xf32>, memref<?x4xf32>) -> ()
    call @dense_input(%y, %kernel, %x) : (memref<?x4xf32>, memref<2x4xf32>, memref<?x2xf32>) -> ()
    call @dense_kernel(%x, %y, %gradient) : (memref<?x2xf32>, memref<?x4xf32>, memref<2x4xf32>) -> ()
    call @descend(%gradient, %momentum, %kernel) : (memref<2x4xf32>, memref<2x4xf32>, memref<2x4xf32>) -> ()
    call @zero(%gradient) : (memref<2x4xf32>) -> ()
    call @by_index(%gradient, %table) : (memref<2x4xf32>, memref<2x4xf32>) -> ()
    return
  }
  // CHECK-LABEL: func.func private @dense(
  // CHECK: #codegen.contraction<{{.*}}pack_right = false, {{.*}}, panels = 2>
  func.func private @dense(%x: memref<?x2xf32>, %w: memref<2x4xf32>, %y: memref<?x4xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
        ins(%x, %w : memref<?x2xf32>, memref<2x4xf32>) outs(%y : memref<?x4xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK-LABEL: func.func private @dense_input(
  // CHECK: %[[W:.*]] = memref.reinterpret_cast %arg1 to offset: [0], sizes: [2, 2, 2], strides: [4, 2, 1]
  // CHECK: linalg.generic {indexing_maps = {{\[}}[[SPLIT]], [[PANEL]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%arg0, %[[W]]
  func.func private @dense_input(%dy: memref<?x4xf32>, %w: memref<2x4xf32>, %dx: memref<?x2xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
        ins(%dy, %w : memref<?x4xf32>, memref<2x4xf32>) outs(%dx : memref<?x2xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK-LABEL: func.func private @dense_kernel(
  // CHECK: #codegen.contraction<{{.*}}, output_panels = 2>
  func.func private @dense_kernel(%x: memref<?x2xf32>, %dy: memref<?x4xf32>, %dw: memref<2x4xf32>) attributes {nn.kernel} {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%dw : memref<2x4xf32>)
    linalg.generic {indexing_maps = [#km, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
        ins(%x, %dy : memref<?x2xf32>, memref<?x4xf32>) outs(%dw : memref<2x4xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  func.func private @descend(%dw: memref<2x4xf32>, %m: memref<2x4xf32>, %w: memref<2x4xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#ij, #ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%dw : memref<2x4xf32>) outs(%m, %w : memref<2x4xf32>, memref<2x4xf32>) {
    ^bb0(%d: f32, %b: f32, %a: f32):
      %p = arith.addf %b, %d : f32
      %q = arith.subf %a, %p : f32
      linalg.yield %p, %q : f32, f32
    }
    return
  }
  func.func private @zero(%w: memref<2x4xf32>) attributes {nn.kernel} {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%w : memref<2x4xf32>)
    return
  }
  func.func private @by_index(%from: memref<2x4xf32>, %to: memref<2x4xf32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#ij, #ij], iterator_types = ["parallel", "parallel"]}
        ins(%from : memref<2x4xf32>) outs(%to : memref<2x4xf32>) {
    ^bb0(%a: f32, %b: f32):
      %i = linalg.index 0 : index
      %n = arith.index_cast %i : index to i32
      %f = arith.sitofp %n : i32 to f32
      %q = arith.addf %a, %f : f32
      linalg.yield %q : f32
    }
    return
  }
}
