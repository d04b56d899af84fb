// RUN: cornu-opt %s --codegen-schedule -verify-diagnostics

func.func @undecided(%x: memref<8xf32>) {
  %zero = arith.constant 0.0 : f32
  // expected-error@+1 {{has no strategy; run codegen-strategy first}}
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<8xf32>) {
  ^bb0(%o: f32):
    linalg.yield %zero : f32
  }
  return
}
