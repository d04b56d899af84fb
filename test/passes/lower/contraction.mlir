// RUN: cornu-opt %s --nn-lower | FileCheck %s

// Loops: the result's letters, then the summed ones. A computed operand has a
// generic of its own, what uses the result too; a transpose is a map.
// CHECK-DAG: #[[W:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-LABEL: func.func private @dense
// CHECK-SAME: (%[[X:.*]]: tensor<?x5xf32>, %[[WT:.*]]: tensor<3x5xf32>, %[[B:.*]]: tensor<3xf32>, %[[OUT:.*]]: tensor<?x3xf32>)
// CHECK: %[[PROLOGUE:.*]] = linalg.generic {{.*}} ins(%[[X]]
// CHECK: %[[ZERO:.*]] = linalg.fill
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#{{.*}}, #[[W]], #{{.*}}], iterator_types = ["parallel", "parallel", "reduction"]}
// CHECK-SAME: ins(%[[PROLOGUE]], %[[WT]] : {{.*}}) outs(%[[ZERO]]
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: arith.addf
// CHECK: linalg.generic {{.*}} ins(%[[SUM]], %[[B]] : {{.*}}) outs(%[[OUT]]
func.func private @dense(%x: tensor<?x5xf32>, %w: tensor<3x5xf32>, %b: tensor<3xf32>) -> tensor<?x3xf32> attributes {nn.kernel} {
  %r = nn.relu %x : tensor<?x5xf32>
  %t = nn.transpose [1, 0] %w : (tensor<3x5xf32>) -> tensor<5x3xf32>
  %0 = nn.contract "bi,iu->bu" %r, %t : (tensor<?x5xf32>, tensor<5x3xf32>) -> tensor<?x3xf32>
  %1 = nn.add %0, %b : (tensor<?x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  return %1 : tensor<?x3xf32>
}

// Without an epilogue the sum goes straight to the result.
// CHECK-LABEL: func.func private @attention
// CHECK-SAME: %[[OUT:[a-z0-9]*]]: tensor<?x3x2x4xf32>)
// CHECK: linalg.fill {{.*}} outs(%[[OUT]]
// CHECK: linalg.generic
// CHECK-SAME: ["parallel", "parallel", "parallel", "parallel", "reduction"]
func.func private @attention(%q: tensor<?x2x3x5xf32>, %k: tensor<?x4x3x5xf32>) -> tensor<?x3x2x4xf32> attributes {nn.kernel} {
  %0 = nn.contract "bqhd,bkhd->bhqk" %q, %k : (tensor<?x2x3x5xf32>, tensor<?x4x3x5xf32>) -> tensor<?x3x2x4xf32>
  return %0 : tensor<?x3x2x4xf32>
}
