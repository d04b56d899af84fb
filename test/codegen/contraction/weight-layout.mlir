// RUN: cornu-opt %s -codegen-lay-out-weights -split-input-file | FileCheck %s

// Five columns in panels of two: two matrices of 2 x 2, and one of 2 x 1.
// A weight that two kernels read in panels of different widths stays, as does
// one that something else reads; here, and where the kernel is called with it.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#blocks2 = #codegen.contraction<mr = 6, nr = 2, mc = 6, nc = 8, kc = 8, copy_left = false, copy_right = false, pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 5, serial = 1000>
#blocks4 = #codegen.contraction<mr = 6, nr = 4, mc = 6, nc = 8, kc = 8, copy_left = false, copy_right = false, pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 5, serial = 1000>

// CHECK: {name = "only", offset = 0 : i64, panels = 2 : i64, type = tensor<2x5xf32>, value = dense<{{\[\[}}0.000000e+00, 1.000000e+00, 5.000000e+00, 6.000000e+00, 2.000000e+00], [3.000000e+00, 7.000000e+00, 8.000000e+00, 4.000000e+00, 9.000000e+00]]>
// CHECK-SAME: {name = "widths", offset = 64 : i64, type
// CHECK-SAME: {name = "other", offset = 128 : i64, type
// CHECK-SAME: {name = "drawn", offset = 192 : i64, type
module attributes {cornu.state = [
    {name = "only", offset = 0 : i64, type = tensor<2x5xf32>, value = dense<[[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]]> : tensor<2x5xf32>},
    {name = "widths", offset = 64 : i64, type = tensor<2x5xf32>, value = dense<[[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]]> : tensor<2x5xf32>},
    {name = "other", offset = 128 : i64, type = tensor<2x5xf32>, value = dense<[[0.0, 1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0, 9.0]]> : tensor<2x5xf32>},
    {name = "drawn", offset = 192 : i64, type = tensor<2x5xf32>}]} {
  func.func @predict(%state: memref<?xi8> {nn.role = "state"}, %x: memref<?x2xf32>, %y: memref<?x5xf32>) {
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
    call @sum(%other) : (memref<2x5xf32>) -> ()
    call @third_two(%x, %other, %y) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>) -> ()
    call @fourth_two(%x, %drawn, %y) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>) -> ()
    return
  }
  // CHECK-LABEL: func.func private @two(
  // CHECK: #codegen.contraction<{{.*}}pack_right = false, {{.*}}single_row_nr = 4, serial = 1000, panels = 2>
  func.func private @two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) {
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
  func.func private @also_two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) {
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
  func.func private @four(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) {
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
  func.func private @third_two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) {
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
  // CHECK: #codegen.contraction<{{.*}}pack_right = true
  func.func private @fourth_two(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32>) {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks2}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  func.func private @sum(%w: memref<2x5xf32>)
}
