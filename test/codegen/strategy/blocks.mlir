// RUN: cornu-opt %s --codegen-strategy | FileCheck %s
// RUN: cornu-opt %s --codegen-strategy --codegen-schedule | FileCheck %s --check-prefix=LOOPS

module attributes {codegen.target = {triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", l2_bytes = 4096 : i64}} {

// Products that feed each other: a task has one b, one h and half of the rows q.
// What lies between is the task's own.
// CHECK-LABEL: func.func @scores
// CHECK-NOT: linalg
// CHECK: codegen.parallel (%[[TASK:.*]], %{{.*}}) to
// CHECK: %[[S:.*]] = memref.alloc() {{.*}} : memref<35x8xf32>
// CHECK: memref.subview %arg0[%{{.*}}, %{{.*}}, %{{.*}}, 0] [1, 35, 1, 4]
// CHECK: linalg.generic {{.*}} outs(%[[S]] : memref<35x8xf32>) attrs = {codegen.strategy = #codegen.contraction
// CHECK: linalg.generic {{.*}} ins(%[[S]], {{.*}} attrs = {codegen.strategy = #codegen.contraction

// Inside a task there is no other grid; its buffers are the worker's.
// LOOPS-LABEL: func.func @scores
// LOOPS-SAME: codegen.workspace =
// LOOPS: codegen.parallel (%{{.*}}, %[[WORKER:.*]]) to
// LOOPS: codegen.worker_workspace %[[WORKER]]
// LOOPS-NOT: codegen.parallel
// LOOPS-NOT: memref.alloc()
// LOOPS: return
func.func @scores(%q: memref<?x70x2x4xf32>, %k: memref<?x8x2x4xf32>, %v: memref<?x8x2x4xf32>, %y: memref<?x70x2x4xf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %q, %c0 : memref<?x70x2x4xf32>
  %s = memref.alloc(%n) : memref<?x2x70x8xf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<?x2x70x8xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, h, q, k, d) -> (b, q, h, d)>, affine_map<(b, h, q, k, d) -> (b, k, h, d)>, affine_map<(b, h, q, k, d) -> (b, h, q, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : memref<?x70x2x4xf32>, memref<?x8x2x4xf32>) outs(%s : memref<?x2x70x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.fill ins(%zero : f32) outs(%y : memref<?x70x2x4xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, q, h, d, k) -> (b, h, q, k)>, affine_map<(b, q, h, d, k) -> (b, k, h, d)>, affine_map<(b, q, h, d, k) -> (b, q, h, d)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%s, %v : memref<?x2x70x8xf32>, memref<?x8x2x4xf32>) outs(%y : memref<?x70x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// A product that sums over the rows: a task takes its blocks in turn, and the
// sum begins at zero before them.
// CHECK-LABEL: func.func @sums
// CHECK: codegen.parallel
// CHECK: linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : memref<8x4xf32
// CHECK: scf.for
// CHECK: %[[T:.*]] = memref.alloc() {{.*}} : memref<35x8xf32>
// CHECK: linalg.generic {{.*}} outs(%[[T]] : memref<35x8xf32>)
// CHECK-NOT: linalg.fill
// CHECK: linalg.generic {{.*}} ins(%[[T]], {{.*}} outs(%{{.*}} : memref<8x4xf32
func.func @sums(%q: memref<?x70x2x4xf32>, %k: memref<?x8x2x4xf32>, %dk: memref<?x8x2x4xf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %q, %c0 : memref<?x70x2x4xf32>
  %s = memref.alloc(%n) : memref<?x2x70x8xf32>
  linalg.fill ins(%zero : f32) outs(%s : memref<?x2x70x8xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, h, q, k, d) -> (b, q, h, d)>, affine_map<(b, h, q, k, d) -> (b, k, h, d)>, affine_map<(b, h, q, k, d) -> (b, h, q, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%q, %k : memref<?x70x2x4xf32>, memref<?x8x2x4xf32>) outs(%s : memref<?x2x70x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.fill ins(%zero : f32) outs(%dk : memref<?x8x2x4xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, k, h, d, q) -> (b, h, q, k)>, affine_map<(b, k, h, d, q) -> (b, q, h, d)>, affine_map<(b, k, h, d, q) -> (b, k, h, d)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%s, %q : memref<?x2x70x8xf32>, memref<?x70x2x4xf32>) outs(%dk : memref<?x8x2x4xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// A window: the first block has the border above, the last one that below, and
// those between have none along the rows.
// CHECK-LABEL: func.func @separable
// CHECK: scf.index_switch
// CHECK: case 0 {
// CHECK: memref.alloc() {{.*}} : memref<[[IN:[0-9]+]]x7x8xf32>
// CHECK: memref.subview %{{.*}}[1, 1, 0]
// CHECK: memref.subview %arg0[%{{.*}}, 0, 0, 0]
// CHECK: case
// CHECK: memref.subview %{{.*}}[0, 1, 0]
// CHECK: default {
// CHECK: memref.alloc() {{.*}} : memref<[[IN]]x7x8xf32>
// CHECK: memref.subview %{{.*}}[0, 1, 0] [[[IN]], 5, 8]
// CHECK: memref.subview %arg0[%{{.*}}, %{{.*}}, 0, 0] [1, [[IN]], 5, 8]
func.func @separable(%x: memref<?x60x5x8xf32>, %k: memref<3x3x8xf32>, %v: memref<8x16xf32>, %y: memref<?x60x5x16xf32>, %w: memref<?xi8>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %x, %c0 : memref<?x60x5x8xf32>
  %p = memref.alloc(%n) : memref<?x62x7x8xf32>
  linalg.map outs(%p : memref<?x62x7x8xf32>) (%init: f32) { linalg.yield %zero : f32 }
  %i = memref.subview %p[0, 1, 1, 0] [%n, 60, 5, 8] [1, 1, 1, 1] : memref<?x62x7x8xf32> to memref<?x60x5x8xf32, strided<[3472, 56, 8, 1], offset: 64>>
  memref.copy %x, %i : memref<?x60x5x8xf32> to memref<?x60x5x8xf32, strided<[3472, 56, 8, 1], offset: 64>>
  %t = memref.alloc(%n) : memref<?x60x5x8xf32>
  linalg.fill ins(%zero : f32) outs(%t : memref<?x60x5x8xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, y, x, c, i, j) -> (b, y + i, x + j, c)>, affine_map<(b, y, x, c, i, j) -> (i, j, c)>, affine_map<(b, y, x, c, i, j) -> (b, y, x, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%p, %k : memref<?x62x7x8xf32>, memref<3x3x8xf32>) outs(%t : memref<?x60x5x8xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  linalg.fill ins(%zero : f32) outs(%y : memref<?x60x5x16xf32>)
  linalg.generic {indexing_maps = [affine_map<(b, y, x, f, c) -> (b, y, x, c)>, affine_map<(b, y, x, f, c) -> (c, f)>, affine_map<(b, y, x, f, c) -> (b, y, x, f)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]}
      ins(%t, %v : memref<?x60x5x8xf32>, memref<8x16xf32>) outs(%y : memref<?x60x5x16xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  }
  return
}
}
