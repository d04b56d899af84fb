// RUN: cornu-opt %s --pass-pipeline='builtin.module(func.func(codegen-strategy))' | FileCheck %s --check-prefix=STRATEGY
// RUN: cornu-opt %s --pass-pipeline='builtin.module(func.func(codegen-strategy,codegen-schedule))' | FileCheck %s

// Convolutions that minimal filtering computes with fewer multiplications.

#in = affine_map<(n, i, j, f, a, b, c) -> (n, i + a, j + b, c)>
#back = affine_map<(n, i, j, f, a, b, c) -> (n, i - a + 2, j - b + 2, c)>
#apart = affine_map<(n, i, j, f, a, b, c) -> (n, i * 2 + a, j * 2 + b, c)>
#w = affine_map<(n, i, j, f, a, b, c) -> (a, b, c, f)>
#wt = affine_map<(n, i, j, f, a, b, c) -> (a, b, f, c)>
#kin = affine_map<(a, b, c, f, n, i, j) -> (n, i + a, j + b, c)>
#kout = affine_map<(a, b, c, f, n, i, j) -> (n, i, j, f)>
#dw = affine_map<(a, b, c, f, n, i, j) -> (a, b, c, f)>
#out = affine_map<(n, i, j, f, a, b, c) -> (n, i, j, f)>

// The kernel's transform is shared by the tasks that follow; fewer than
// `from` squares are left to the plain nest.
// STRATEGY-LABEL: func.func @forward
// STRATEGY: winograd = <side = 4, taps = 3, squares = {{[0-9]+}}, from = 32>
// CHECK-LABEL: func.func @forward
// CHECK-SAME: codegen.shared_workspace = 589824
// CHECK: scf.if
// CHECK: codegen.kernel_workspace
// CHECK: codegen.parallel
// CHECK: codegen.parallel
// CHECK: codegen.worker_workspace
// CHECK: vector.fma
// CHECK: else
// CHECK: codegen.parallel
// CHECK-NOT: linalg
func.func @forward(%x: memref<?x10x10x64xf32>, %k: memref<3x3x64x64xf32>,
                   %y: memref<?x8x8x64xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x64xf32>)
  linalg.generic {indexing_maps = [#in, #w, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %k : memref<?x10x10x64xf32>, memref<3x3x64x64xf32>)
      outs(%y : memref<?x8x8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}

// A window of 7 x 7 is cut into parts of 2, 2 and 3 taps: 16 points of 9 parts
// of 32 x 32 weights, and one loop over a part's rows around its runs of terms.
// STRATEGY-LABEL: func.func @parts
// STRATEGY: winograd = <side = 2, taps = 3,
// CHECK-LABEL: func.func @parts
// CHECK-SAME: codegen.shared_workspace = 589824
// CHECK: vector.fma
// CHECK-NOT: linalg
func.func @parts(%x: memref<4x14x14x32xf32>, %k: memref<7x7x32x32xf32>,
                 %y: memref<4x8x8x32xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<4x8x8x32xf32>)
  linalg.generic {indexing_maps = [#in, #w, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %k : memref<4x14x14x32xf32>, memref<7x7x32x32xf32>)
      outs(%y : memref<4x8x8x32xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}

// A gradient for the input: taps backwards, the kernel along its filters.
// STRATEGY-LABEL: func.func @backward
// STRATEGY: winograd = <side = 4, taps = 3,
// CHECK-LABEL: func.func @backward
// CHECK-SAME: codegen.shared_workspace = 589824
// CHECK: vector.shuffle
// CHECK-NOT: linalg
func.func @backward(%x: memref<16x10x10x64xf32>, %k: memref<3x3x64x64xf32>,
                    %y: memref<16x8x8x64xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<16x8x8x64xf32>)
  linalg.generic {indexing_maps = [#back, #wt, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %k : memref<16x10x10x64xf32>, memref<3x3x64x64xf32>)
      outs(%y : memref<16x8x8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}

// A gradient for the kernel: partial sums of 36 points of 64 x 32 weights, then
// a second grid over the channels that adds them.
// STRATEGY-LABEL: func.func @kernel
// STRATEGY: winograd = <side = 4, taps = 3, squares = {{[0-9]+}}, from = 32, sums = 8, channels = 64, lanes = 32>
// CHECK-LABEL: func.func @kernel
// CHECK-SAME: codegen.shared_workspace = 2359296
// CHECK: scf.if
// CHECK: codegen.parallel
// CHECK: scf.for
// CHECK: vector.fma
// CHECK: codegen.parallel
// CHECK: scf.for
// CHECK: arith.addf {{.*}} : vector
// CHECK: else
// CHECK-NOT: linalg
func.func @kernel(%x: memref<?x10x10x64xf32>, %e: memref<?x8x8x32xf32>,
                  %k: memref<3x3x64x32xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%k : memref<3x3x64x32xf32>)
  linalg.generic {indexing_maps = [#kin, #kout, #dw],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %e : memref<?x10x10x64xf32>, memref<?x8x8x32xf32>)
      outs(%k : memref<3x3x64x32xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}

// Sums over many channels keep to the smaller transforms.
// STRATEGY-LABEL: func.func @wide
// STRATEGY: winograd = <side = 2, taps = 3,
func.func @wide(%x: memref<?x10x10x128xf32>, %k: memref<3x3x128x64xf32>,
                   %y: memref<?x8x8x64xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x8x8x64xf32>)
  linalg.generic {indexing_maps = [#in, #w, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %k : memref<?x10x10x128xf32>, memref<3x3x128x64xf32>)
      outs(%y : memref<?x8x8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}

// Tasks of few squares would each read all of a large kernel: as many squares as
// a task may have are four tasks, for a quarter of its lanes each.
// STRATEGY-LABEL: func.func @lanes
// STRATEGY: from = 32, lanes = 128>
// CHECK-LABEL: func.func @lanes
// CHECK: %[[FEW:.*]] = arith.cmpi sle, %{{.*}}, %c48
// CHECK: %[[PARTS:.*]] = arith.select %[[FEW]], %c4{{.*}}, %c1
// CHECK: codegen.parallel {{.*}} to %c8
// CHECK: codegen.parallel (%[[TASK:.*]], %{{.*}}) to
// CHECK: arith.remui %[[TASK]], %[[PARTS]]
func.func @lanes(%x: memref<?x9x9x64xf32>, %k: memref<3x3x64x512xf32>,
                 %y: memref<?x7x7x512xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<?x7x7x512xf32>)
  linalg.generic {indexing_maps = [#in, #w, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %k : memref<?x9x9x64xf32>, memref<3x3x64x512xf32>)
      outs(%y : memref<?x7x7x512xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}

// A stride leaves nothing that neighbouring outputs share.
// STRATEGY-LABEL: func.func @strided
// STRATEGY-NOT: winograd
// STRATEGY: return
func.func @strided(%x: memref<4x17x17x64xf32>, %k: memref<3x3x64x64xf32>,
                   %y: memref<4x8x8x64xf32>, %workspace: memref<?xi8>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<4x8x8x64xf32>)
  linalg.generic {indexing_maps = [#apart, #w, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction", "reduction", "reduction"]}
      ins(%x, %k : memref<4x17x17x64xf32>, memref<3x3x64x64xf32>)
      outs(%y : memref<4x8x8x64xf32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %m = arith.mulf %a, %b : f32
    %q = arith.addf %s, %m : f32
    linalg.yield %q : f32
  }
  return
}
