// RUN: cornu-opt %s -codegen-pack-before-loops -split-input-file | FileCheck %s
// RUN: cornu-opt %s -split-input-file '--pass-pipeline=builtin.module(codegen-pack-before-loops,func.func(codegen-schedule))' -o /dev/null

// A weight that each step reads is packed once: five columns in panels of two.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#blocks = #codegen.contraction<mr = 6, nr = 2, mc = 6, nc = 8, kc = 8, copy_left = false, copy_right = false, pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 5, serial = 1000>

// CHECK-LABEL: func.func @predict
// CHECK: %[[W:.*]] = memref.view %{{.*}} to memref<2x5xf32>
// CHECK: %[[P:.*]] = memref.alloc() : memref<2x5xf32>
// CHECK: call @pack_0(%[[W]], %[[P]], %[[WORKSPACE:.*]]) {cornu.work = {bytes = 80 : i64
// CHECK: scf.for
// CHECK: call @step(%{{.*}}, %[[P]], %{{.*}}, %[[WORKSPACE]])
// CHECK: call @step(%{{.*}}, %[[P]], %{{.*}}, %[[WORKSPACE]])
// The other product reads the transposed matrix: two columns, one panel.
// CHECK: call @pack_1(%[[W]], %[[Q:.*]], %[[WORKSPACE]])
// CHECK: scf.for
// CHECK: call @back(%{{.*}}, %[[Q]], %{{.*}}, %[[WORKSPACE]])
// CHECK-LABEL: func.func private @pack_0
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [2, 2, 2], strides: [2, 5, 1]
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [2, 2, 2], strides: [4, 2, 1]
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [4], sizes: [2, 1], strides: [5, 1]
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [8], sizes: [2, 1], strides: [1, 1]
// CHECK-LABEL: func.func private @step
// CHECK: pack_right = false, {{.*}}single_row_nr = 4, {{.*}}panels = 2>
// CHECK-LABEL: func.func private @pack_1
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [1, 5, 2], strides: [10, 1, 5]
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [1, 5, 2], strides: [10, 2, 1]
// CHECK-LABEL: func.func private @back
// CHECK: pack_right = false, {{.*}}panels = 2>
func.func @predict(%state: memref<?xi8> {nn.role = "state"}, %x: memref<?x2xf32>, %y: memref<?x5xf32>, %workspace: memref<?xi8>) attributes {nn.entry} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %w = memref.view %state[%c0][] : memref<?xi8> to memref<2x5xf32>
  scf.for %t = %c0 to %c9 step %c1 {
    func.call @step(%x, %w, %y, %workspace) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>, memref<?xi8>) -> ()
    func.call @step(%x, %w, %y, %workspace) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>, memref<?xi8>) -> ()
  }
  scf.for %t = %c0 to %c9 step %c1 {
    func.call @back(%y, %w, %x, %workspace) : (memref<?x5xf32>, memref<2x5xf32>, memref<?x2xf32>, memref<?xi8>) -> ()
  }
  return
}
func.func private @step(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32> {nn.output}, %workspace: memref<?xi8>) attributes {nn.kernel} {
  linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
      ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}
func.func private @back(%y: memref<?x5xf32>, %w: memref<2x5xf32>, %x: memref<?x2xf32> {nn.output}, %workspace: memref<?xi8>) attributes {nn.kernel} {
  linalg.generic {indexing_maps = [#mk, #nk, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
      ins(%y, %w : memref<?x5xf32>, memref<2x5xf32>) outs(%x : memref<?x2xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %p = arith.mulf %a, %b : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// -----

// Not one that the loop writes, nor for few steps, nor where another call of
// the kernel is in no loop.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#blocks = #codegen.contraction<mr = 6, nr = 2, mc = 6, nc = 8, kc = 8, copy_left = false, copy_right = false, pack_right = true, flatten_rows = false, along_reduction = false, single_row_nr = 5, serial = 1000>

// CHECK-LABEL: func.func @train_step
// CHECK-NOT: memref.alloc
// CHECK-NOT: @pack
// CHECK-NOT: panels =
module {
  func.func @train_step(%state: memref<?xi8> {nn.role = "state"}, %x: memref<?x2xf32>, %y: memref<?x5xf32>, %workspace: memref<?xi8>) attributes {nn.entry} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %c9 = arith.constant 9 : index
    %c64 = arith.constant 64 : index
    %w = memref.view %state[%c0][] : memref<?xi8> to memref<2x5xf32>
    %v = memref.view %state[%c64][] : memref<?xi8> to memref<2x5xf32>
    scf.for %t = %c0 to %c9 step %c1 {
      func.call @written(%x, %w, %y, %workspace) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>, memref<?xi8>) -> ()
      func.call @alone(%x, %v, %y, %workspace) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>, memref<?xi8>) -> ()
      func.call @change(%w) : (memref<2x5xf32>) -> ()
    }
    scf.for %t = %c0 to %c3 step %c1 {
      func.call @few(%x, %v, %y, %workspace) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>, memref<?xi8>) -> ()
    }
    call @alone(%x, %v, %y, %workspace) : (memref<?x2xf32>, memref<2x5xf32>, memref<?x5xf32>, memref<?xi8>) -> ()
    return
  }
  func.func private @change(%w: memref<2x5xf32> {nn.output})
  func.func private @written(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32> {nn.output}, %workspace: memref<?xi8>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  func.func private @alone(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32> {nn.output}, %workspace: memref<?xi8>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
  func.func private @few(%x: memref<?x2xf32>, %w: memref<2x5xf32>, %y: memref<?x5xf32> {nn.output}, %workspace: memref<?xi8>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#mk, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"], codegen.strategy = #blocks}
        ins(%x, %w : memref<?x2xf32>, memref<2x5xf32>) outs(%y : memref<?x5xf32>) {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %q = arith.addf %s, %p : f32
      linalg.yield %q : f32
    }
    return
  }
}
