// RUN: cornu-opt %s --pass-pipeline='builtin.module(func.func(codegen-schedule,canonicalize,cse))' | FileCheck %s

// A register tile of 2 x 16: four accumulators, two loads and two broadcasts
// a step, nothing else in the loop of the reduction. The bias and the maximum
// are applied before the store; neither the sum nor its allocation is left.

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(m, n) -> (m, n)>
#last = affine_map<(m, n) -> (n)>

// CHECK-LABEL: func.func @dense
// CHECK-NOT: memref.alloc
// CHECK-NOT: linalg
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>)
// CHECK-COUNT-2: vector.load
// CHECK: memref.load
// CHECK-NEXT: vector.broadcast
// CHECK-NEXT: vector.fma
// CHECK-NEXT: vector.fma
// CHECK: memref.load
// CHECK-NEXT: vector.broadcast
// CHECK-NEXT: vector.fma
// CHECK-NEXT: vector.fma
// CHECK-NEXT: scf.yield
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: arith.maximumf {{.*}} : vector<8xf32>
// CHECK: vector.store
func.func @dense(%x: memref<4x24xf32>, %w: memref<24x16xf32>,
                 %b: memref<16xf32>, %y: memref<4x16xf32>,
                 %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %sum = memref.alloc() : memref<4x16xf32>
  linalg.fill ins(%zero : f32) outs(%sum : memref<4x16xf32>)
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : memref<4x24xf32>, memref<24x16xf32>)
      outs(%sum : memref<4x16xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 2, nr = 16, mc = 4, nc = 16, kc = 24, copy_left = false,
        copy_right = false, pack_right = false, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 1>} {
  ^bb0(%a: f32, %c: f32, %s: f32):
    %p = arith.mulf %a, %c : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  linalg.generic {indexing_maps = [#id, #last, #id],
                  iterator_types = ["parallel", "parallel"]}
      ins(%sum, %b : memref<4x16xf32>, memref<16xf32>)
      outs(%y : memref<4x16xf32>) {
  ^bb0(%s: f32, %c: f32, %old: f32):
    %p = arith.addf %s, %c : f32
    %q = arith.maximumf %p, %zero : f32
    linalg.yield %q : f32
  }
  return
}

// The padded operand never comes into being: its block is copied into the
// worker's workspace, zeros around it.

// CHECK-LABEL: func.func @padded
// CHECK-SAME: codegen.workspace =
// CHECK-NOT: memref.alloc
// CHECK: codegen.parallel (%{{.*}}, %[[WORKER:.*]]) to
// CHECK: codegen.worker_workspace %[[WORKER]]
// CHECK: vector.fma
// CHECK-NOT: linalg
func.func @padded(%x: memref<?x8x8x4xf32>, %w: memref<3x3x4x16xf32>,
                  %y: memref<?x8x8x16xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x8x8x4xf32>
  %p = memref.alloc(%n) : memref<?x10x10x4xf32>
  linalg.map outs(%p : memref<?x10x10x4xf32>) (%init: f32) {
    linalg.yield %zero : f32
  }
  %inside = memref.subview %p[0, 1, 1, 0] [%n, 8, 8, 4] [1, 1, 1, 1]
      : memref<?x10x10x4xf32>
      to memref<?x8x8x4xf32, strided<[400, 40, 4, 1], offset: 44>>
  memref.copy %x, %inside : memref<?x8x8x4xf32>
      to memref<?x8x8x4xf32, strided<[400, 40, 4, 1], offset: 44>>
  linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x16xf32>)
  linalg.generic {indexing_maps = [
        affine_map<(n, i, j, f, a, b, c) -> (n, i + a, j + b, c)>,
        affine_map<(n, i, j, f, a, b, c) -> (a, b, c, f)>,
        affine_map<(n, i, j, f, a, b, c) -> (n, i, j, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%p, %w : memref<?x10x10x4xf32>, memref<3x3x4x16xf32>)
      outs(%y : memref<?x8x8x16xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 4, nr = 16, mc = 64, nc = 16, kc = 36, copy_left = false,
        copy_right = false, pack_right = false, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 1>} {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}

// Any number of rows: a last full tile makes two of four rows with a rest of
// two or three. Tiles of a rest read the panel if a full one has filled it.

// CHECK-LABEL: func.func @rows
// CHECK-DAG: %[[TWO:.*]] = arith.cmpi eq, %[[REST:.*]], %c2
// CHECK-DAG: %[[THREE:.*]] = arith.cmpi eq, %[[REST]], %c3
// CHECK: %[[KEEP:.*]] = arith.ori %[[TWO]], %[[THREE]]
// CHECK: %[[LESS:.*]] = arith.maxsi
// CHECK: %[[FULL:.*]] = arith.select %[[KEEP]], %[[LESS]],
// CHECK: %[[FILLED:.*]] = arith.cmpi ne, %[[FULL]], %c0
// CHECK: scf.for %{{.*}} = %c0 to %[[FULL]] step %c6
// CHECK: scf.for %{{.*}} = %[[FULL]] to %{{.*}} step %c4
// CHECK: scf.if %[[FILLED]] -> (vector<8xf32>, vector<8xf32>, vector<8xf32>,
func.func @rows(%a: memref<?x64xf32>, %b: memref<64x48xf32>,
                %c: memref<?x48xf32>) {
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<?x64xf32>, memref<64x48xf32>)
      outs(%c : memref<?x48xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 6, nr = 16, mc = 192, nc = 48, kc = 64, copy_left = false,
        copy_right = false, pack_right = true, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 1>} {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  return
}

// An epilogue with a function: the sums of a tile wait in memory, and each row
// goes through it as one vector, twice as wide as a register.
// CHECK-LABEL: func.func @function
// CHECK: scf.yield
// CHECK-COUNT-4: vector.store {{.*}} vector<8xf32>
// CHECK-NEXT: scf.for
// CHECK-COUNT-2: vector.load {{.*}} vector<8xf32>
// CHECK: %[[ROW:.*]] = vector.shuffle {{.*}} : vector<8xf32>, vector<8xf32>
// CHECK: math.tanh %[[ROW]] {{.*}}: vector<16xf32>
// CHECK: vector.store {{.*}} vector<16xf32>
func.func @function(%a: memref<4x64xf32>, %b: memref<64x16xf32>,
                    %c: memref<4x16xf32>) {
  %zero = arith.constant 0.0 : f32
  %sum = memref.alloc() : memref<4x16xf32>
  linalg.fill ins(%zero : f32) outs(%sum : memref<4x16xf32>)
  linalg.generic {indexing_maps = [#mk, #kn, #mn],
                  iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : memref<4x64xf32>, memref<64x16xf32>)
      outs(%sum : memref<4x16xf32>)
      attrs = {codegen.strategy = #codegen.contraction<
        mr = 2, nr = 16, mc = 4, nc = 16, kc = 64, copy_left = false,
        copy_right = false, pack_right = false, flatten_rows = false,
        along_reduction = false, single_row_nr = 0, serial = 200000>} {
  ^bb0(%x: f32, %y: f32, %s: f32):
    %p = arith.mulf %x, %y : f32
    %q = arith.addf %s, %p : f32
    linalg.yield %q : f32
  }
  linalg.generic {indexing_maps = [#id, #id],
                  iterator_types = ["parallel", "parallel"]}
      ins(%sum : memref<4x16xf32>) outs(%c : memref<4x16xf32>) {
  ^bb0(%x: f32, %old: f32):
    %y = math.tanh %x : f32
    linalg.yield %y : f32
  }
  return
}
