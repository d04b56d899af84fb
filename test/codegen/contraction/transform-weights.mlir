// RUN: cornu-opt %s -codegen-transform-weights -split-input-file | FileCheck %s
// RUN: cornu-opt %s -pass-pipeline='builtin.module(func.func(codegen-strategy),codegen-transform-weights,func.func(codegen-schedule))' -split-input-file | FileCheck %s --check-prefix=LOOPS

// A kernel of ones gives 1, 3/2, 1/2 and 1 for the points of an axis. What lies
// behind it in the state moves by its growth, 16 - 9 points of 1024 weights.
// Others stay: one that another kernel reads in its own way, one that shares a
// convolution with it, one of a convolution with a single square, and one that
// is drawn when the model is new.

#in = affine_map<(n, i, j, f, a, b, c) -> (n, i + a, j + b, c)>
#w = affine_map<(n, i, j, f, a, b, c) -> (a, b, c, f)>
#out = affine_map<(n, i, j, f, a, b, c) -> (n, i, j, f)>
#all = affine_map<(a, b, c, f) -> (a, b, c, f)>
#one = affine_map<(a, b, c, f) -> ()>
#squares = #codegen.contraction<mr = 3, nr = 32, mc = 64, nc = 32, kc = 288, copy_left = false, copy_right = false, pack_right = false, flatten_rows = false, along_reduction = false, single_row_nr = 0, serial = 200000, winograd = <side = 2, taps = 3, squares = 48, from = 32>>

// CHECK: {columns = 32 : i64, filtering = {matrix = dense<{{.*}}> : tensor<16x9xf64>, parts = 1 : i64, points = 16 : i64, width = 8 : i64}, name = "only", offset = 0 : i64, panels = 32 : i64, type = tensor<3x3x32x32xf32>,
// CHECK-SAME: value = dense<"0x{{((0000803F)+(0000C03F)+(0000003F)+(0000803F)+(0000C03F)+(00001040)+(0000403F)+(0000C03F)+(0000003F)+(0000403F)+(0000803E)+(0000003F)+(0000803F)+(0000C03F)+(0000003F)+(0000803F)+)}}"> : tensor<16384xf32>}
// CHECK-SAME: {name = "mixed", offset = 65536 : i64, type = tensor<3x3x32x32xf32>
// CHECK-SAME: {name = "tied", offset = 102400 : i64, type = tensor<3x3x32x32xf32>
// CHECK-SAME: {name = "few", offset = 139264 : i64, type = tensor<3x3x32x32xf32>
// CHECK-SAME: {name = "drawn", offset = 176128 : i64, type = tensor<3x3x32x32xf32>
// CHECK-SAME: {name = "last", offset = 212992 : i64, type = tensor<3x3x32x32xf32>
// CHECK-SAME: cornu.state_bytes = 249856 : i64
module attributes {cornu.state_bytes = 221184 : i64, cornu.state = [
    {name = "only", offset = 0 : i64, type = tensor<3x3x32x32xf32>, value = dense<1.0> : tensor<3x3x32x32xf32>},
    {name = "mixed", offset = 36864 : i64, type = tensor<3x3x32x32xf32>, value = dense<1.0> : tensor<3x3x32x32xf32>},
    {name = "tied", offset = 73728 : i64, type = tensor<3x3x32x32xf32>, value = dense<1.0> : tensor<3x3x32x32xf32>},
    {name = "few", offset = 110592 : i64, type = tensor<3x3x32x32xf32>, value = dense<1.0> : tensor<3x3x32x32xf32>},
    {name = "drawn", offset = 147456 : i64, type = tensor<3x3x32x32xf32>},
    {name = "last", offset = 184320 : i64, type = tensor<3x3x32x32xf32>, value = dense<1.0> : tensor<3x3x32x32xf32>}]} {
  // CHECK-LABEL: func.func @predict
  // CHECK: %[[ONLY:.*]] = memref.view %arg0[%c0{{.*}}][] : memref<?xi8> to memref<16384xf32>
  // CHECK: %[[MIXED:.*]] = memref.view %arg0[%c65536{{.*}}][] : memref<?xi8> to memref<3x3x32x32xf32>
  // CHECK: call @conv({{.*}}, %[[ONLY]], {{.*}}) : (memref<?x10x10x32xf32>, memref<16384xf32>,
  // CHECK: call @also({{.*}}, %[[MIXED]], {{.*}}) : (memref<?x10x10x32xf32>, memref<3x3x32x32xf32>,
  func.func @predict(%state: memref<?xi8> {nn.role = "state"}, %x: memref<?x10x10x32xf32>, %y: memref<?x8x8x32xf32>, %u: memref<?x4x4x32xf32>, %v: memref<?x2x2x32xf32>, %total: memref<f32>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 36864 : index
    %c2 = arith.constant 73728 : index
    %c3 = arith.constant 110592 : index
    %c4 = arith.constant 147456 : index
    %c5 = arith.constant 184320 : index
    %only = memref.view %state[%c0][] : memref<?xi8> to memref<3x3x32x32xf32>
    %mixed = memref.view %state[%c1][] : memref<?xi8> to memref<3x3x32x32xf32>
    %tied = memref.view %state[%c2][] : memref<?xi8> to memref<3x3x32x32xf32>
    %few = memref.view %state[%c3][] : memref<?xi8> to memref<3x3x32x32xf32>
    %drawn = memref.view %state[%c4][] : memref<?xi8> to memref<3x3x32x32xf32>
    %last = memref.view %state[%c5][] : memref<?xi8> to memref<3x3x32x32xf32>
    call @conv(%x, %only, %y) : (memref<?x10x10x32xf32>, memref<3x3x32x32xf32>, memref<?x8x8x32xf32>) -> ()
    call @also(%x, %mixed, %y) : (memref<?x10x10x32xf32>, memref<3x3x32x32xf32>, memref<?x8x8x32xf32>) -> ()
    call @also(%x, %tied, %y) : (memref<?x10x10x32xf32>, memref<3x3x32x32xf32>, memref<?x8x8x32xf32>) -> ()
    call @single(%u, %few, %v) : (memref<?x4x4x32xf32>, memref<3x3x32x32xf32>, memref<?x2x2x32xf32>) -> ()
    call @third(%x, %drawn, %y) : (memref<?x10x10x32xf32>, memref<3x3x32x32xf32>, memref<?x8x8x32xf32>) -> ()
    call @sum(%mixed, %total) : (memref<3x3x32x32xf32>, memref<f32>) -> ()
    call @sum(%last, %total) : (memref<3x3x32x32xf32>, memref<f32>) -> ()
    return
  }
  // CHECK-LABEL: func.func @initialize
  // CHECK: memref.view %arg0[%c176128][]
  func.func @initialize(%state: memref<?xi8> {nn.role = "state"}, %seed: i64) {
    %c0 = arith.constant 0 : index
    %c147456 = arith.constant 147456 : index
    %one = arith.constant 1.0 : f32
    %drawn = memref.view %state[%c147456][] : memref<?xi8> to memref<9216xf32>
    memref.store %one, %drawn[%c0] : memref<9216xf32>
    return
  }
  // There is one version, and nothing is left to transform.
  // CHECK: func.func private @conv(%{{.*}}: memref<?x10x10x32xf32>, %[[U:.*]]: memref<16384xf32>,
  // CHECK: %[[TYPED:.*]] = memref.reinterpret_cast %[[U]]
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[TYPED]] :
  // CHECK-SAME: winograd = <side = 2, taps = 3, squares = 48, from = 0, transformed = true>
  // LOOPS-LABEL: func.func private @conv
  // LOOPS-NOT: codegen.kernel_workspace
  // LOOPS: codegen.parallel
  // LOOPS-NOT: codegen.parallel
  func.func private @conv(%x: memref<?x10x10x32xf32>, %w: memref<3x3x32x32xf32>, %y: memref<?x8x8x32xf32>) attributes {nn.kernel} {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x32xf32>)
    linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%x, %w : memref<?x10x10x32xf32>, memref<3x3x32x32xf32>) outs(%y : memref<?x8x8x32xf32>) attrs = {codegen.strategy = #squares} {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %m = arith.mulf %a, %b : f32
      %q = arith.addf %s, %m : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK: func.func private @also(%{{.*}}: memref<?x10x10x32xf32>, %{{.*}}: memref<3x3x32x32xf32>,
  // CHECK: from = 32>
  // LOOPS-LABEL: func.func private @also
  // LOOPS: codegen.kernel_workspace
  func.func private @also(%x: memref<?x10x10x32xf32>, %w: memref<3x3x32x32xf32>, %y: memref<?x8x8x32xf32>) attributes {nn.kernel} {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x32xf32>)
    linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%x, %w : memref<?x10x10x32xf32>, memref<3x3x32x32xf32>) outs(%y : memref<?x8x8x32xf32>) attrs = {codegen.strategy = #squares} {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %m = arith.mulf %a, %b : f32
      %q = arith.addf %s, %m : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK: func.func private @single(%{{.*}}: memref<?x4x4x32xf32>, %{{.*}}: memref<3x3x32x32xf32>,
  func.func private @single(%x: memref<?x4x4x32xf32>, %w: memref<3x3x32x32xf32>, %y: memref<?x2x2x32xf32>) attributes {nn.kernel} {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%y : memref<?x2x2x32xf32>)
    linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%x, %w : memref<?x4x4x32xf32>, memref<3x3x32x32xf32>) outs(%y : memref<?x2x2x32xf32>) attrs = {codegen.strategy = #squares} {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %m = arith.mulf %a, %b : f32
      %q = arith.addf %s, %m : f32
      linalg.yield %q : f32
    }
    return
  }
  // CHECK: func.func private @third(%{{.*}}: memref<?x10x10x32xf32>, %{{.*}}: memref<3x3x32x32xf32>,
  func.func private @third(%x: memref<?x10x10x32xf32>, %w: memref<3x3x32x32xf32>, %y: memref<?x8x8x32xf32>) attributes {nn.kernel} {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x32xf32>)
    linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%x, %w : memref<?x10x10x32xf32>, memref<3x3x32x32xf32>) outs(%y : memref<?x8x8x32xf32>) attrs = {codegen.strategy = #squares} {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %m = arith.mulf %a, %b : f32
      %q = arith.addf %s, %m : f32
      linalg.yield %q : f32
    }
    return
  }
  func.func private @sum(%w: memref<3x3x32x32xf32>, %total: memref<f32>) attributes {nn.kernel} {
    linalg.generic {indexing_maps = [#all, #one], iterator_types = ["reduction", "reduction", "reduction", "reduction"]}
        ins(%w : memref<3x3x32x32xf32>) outs(%total : memref<f32>) {
    ^bb0(%a: f32, %s: f32):
      %q = arith.addf %s, %a : f32
      linalg.yield %q : f32
    }
    return
  }
}

// -----

// A program that trains saves its weights.

#in = affine_map<(n, i, j, f, a, b, c) -> (n, i + a, j + b, c)>
#w = affine_map<(n, i, j, f, a, b, c) -> (a, b, c, f)>
#out = affine_map<(n, i, j, f, a, b, c) -> (n, i, j, f)>
#squares = #codegen.contraction<mr = 3, nr = 32, mc = 64, nc = 32, kc = 288, copy_left = false, copy_right = false, pack_right = false, flatten_rows = false, along_reduction = false, single_row_nr = 0, serial = 200000, winograd = <side = 2, taps = 3, squares = 48, from = 32>>

// CHECK: name = "frozen", offset = 0 : i64, type
// CHECK-NOT: transformed = true
module attributes {cornu.state_bytes = 36864 : i64, cornu.state = [{name = "frozen", offset = 0 : i64, type = tensor<3x3x32x32xf32>, value = dense<1.0> : tensor<3x3x32x32xf32>}]} {
  func.func @train_step(%state: memref<?xi8> {nn.role = "state"}, %x: memref<?x10x10x32xf32>, %y: memref<?x8x8x32xf32>) {
    %c0 = arith.constant 0 : index
    %frozen = memref.view %state[%c0][] : memref<?xi8> to memref<3x3x32x32xf32>
    call @conv(%x, %frozen, %y) : (memref<?x10x10x32xf32>, memref<3x3x32x32xf32>, memref<?x8x8x32xf32>) -> ()
    return
  }
  func.func private @conv(%x: memref<?x10x10x32xf32>, %w: memref<3x3x32x32xf32>, %y: memref<?x8x8x32xf32>) attributes {nn.kernel} {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x32xf32>)
    linalg.generic {indexing_maps = [#in, #w, #out], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%x, %w : memref<?x10x10x32xf32>, memref<3x3x32x32xf32>) outs(%y : memref<?x8x8x32xf32>) attrs = {codegen.strategy = #squares} {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %m = arith.mulf %a, %b : f32
      %q = arith.addf %s, %m : f32
      linalg.yield %q : f32
    }
    return
  }
}
