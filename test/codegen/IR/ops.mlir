// RUN: cornu-opt %s | cornu-opt | FileCheck %s

// CHECK-LABEL: func.func @grid
func.func @grid(%count: index, %large: i1, %workspace: memref<?xi8>) {
  // CHECK: codegen.parallel (%[[TASK:.*]], %[[WORKER:.*]]) to %{{.*}} if %{{.*}} {
  codegen.parallel (%task, %worker) to %count if %large {
    // CHECK: codegen.worker_workspace %[[WORKER]] : memref<?xi8>
    %bytes = codegen.worker_workspace %worker : memref<?xi8>
  }
  // CHECK: codegen.kernel_workspace : memref<?xi8>
  %shared = codegen.kernel_workspace : memref<?xi8>
  return
}

// CHECK-LABEL: func.func @strategy
func.func @strategy(%x: memref<8xf32>) {
  %zero = arith.constant 0.0 : f32
  // CHECK: #codegen.nest<kind = map, lane = 0, width = 8, vectors = 1, tile_loop = -1, tile = 1, rows = 0, group = 0, grain = 4096, serial = 8192>
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"],
      codegen.strategy = #codegen.nest<kind = map, lane = 0, width = 8, vectors = 1, tile_loop = -1, tile = 1, rows = 0, group = 0, grain = 4096, serial = 8192>}
      outs(%x : memref<8xf32>) {
  ^bb0(%o: f32):
    linalg.yield %zero : f32
  }
  return
}
