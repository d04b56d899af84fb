// RUN: cornu-opt %s --nn-lower | FileCheck %s

// CHECK-DAG: #[[WINDOW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1 * 2 + d3, d2 * 2 + d4, d5)>
// CHECK-DAG: #[[TAPS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d3, d4)>

// An operand that is never read gives the window its size.
// CHECK-LABEL: func.func private @max_pool
// CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK: %[[SIZE:.*]] = tensor.empty() : tensor<3x3xf32>
// CHECK: linalg.generic {indexing_maps = [#[[WINDOW]], #[[TAPS]], #{{.*}}], iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]}
// CHECK-SAME: ins(%{{.*}}, %[[SIZE]]
func.func private @max_pool(%x: tensor<?x9x9x6xf32>) -> tensor<?x5x5x6xf32> attributes {nn.kernel} {
  %0 = nn.max_pool %x window [3, 3] strides [2, 2] padding [1, 1, 1, 1] : (tensor<?x9x9x6xf32>) -> tensor<?x5x5x6xf32>
  return %0 : tensor<?x5x5x6xf32>
}

// The first maximum of each window; then each phase of positions adds up what
// its taps receive: odd ones from two windows in each dimension, even ones from
// one. What no window has as its maximum lies around.
// CHECK-LABEL: func.func private @max_pool_scatter
// CHECK: linalg.generic
// CHECK: arith.cmpf ogt
// CHECK: -> (tensor<?x5x5x6xf32>, tensor<?x5x5x6xi32>)
// CHECK: tensor.extract_slice %{{.*}}[0, 1, 1, 0] [%{{.*}}, 4, 4, 6] [1, 2, 2, 1]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]}
// CHECK: arith.cmpi eq
// CHECK: tensor.insert_slice
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0] [%{{.*}}, 5, 5, 6] [1, 2, 2, 1]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]}
// CHECK: tensor.insert_slice
// CHECK-NOT: linalg.copy
func.func private @max_pool_scatter(%x: tensor<?x9x9x6xf32>, %dy: tensor<?x5x5x6xf32>) -> tensor<?x9x9x6xf32> attributes {nn.kernel} {
  %0 = nn.max_pool_scatter %x, %dy window [3, 3] strides [2, 2] padding [1, 1, 1, 1] : (tensor<?x9x9x6xf32>, tensor<?x5x5x6xf32>) -> tensor<?x9x9x6xf32>
  return %0 : tensor<?x9x9x6xf32>
}

// Windows that cover the input once write the gradient straight to the result.
// CHECK-LABEL: func.func private @sum_pool_gradient
// CHECK-SAME: %[[OUT:[a-z0-9]*]]: tensor<?x4x4x6xf32>)
// CHECK-NOT: linalg.fill
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]
// CHECK-SAME: outs(%[[OUT]]
// CHECK-NOT: linalg.copy
// CHECK: return
func.func private @sum_pool_gradient(%dy: tensor<?x2x2x6xf32>) -> tensor<?x4x4x6xf32> attributes {nn.kernel} {
  %0 = nn.sum_pool_gradient %dy window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<?x2x2x6xf32>) -> tensor<?x4x4x6xf32>
  return %0 : tensor<?x4x4x6xf32>
}

// Windows apart from each other are one map as well; what lies between them is
// zero.
// CHECK-LABEL: func.func private @sum_pool_gradient_apart
// CHECK: linalg.fill
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel", "parallel"]
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func private @sum_pool_gradient_apart(%dy: tensor<?x2x2x6xf32>) -> tensor<?x5x5x6xf32> attributes {nn.kernel} {
  %0 = nn.sum_pool_gradient %dy window [2, 2] strides [3, 3] padding [0, 0, 0, 0] : (tensor<?x2x2x6xf32>) -> tensor<?x5x5x6xf32>
  return %0 : tensor<?x5x5x6xf32>
}

// One phase where windows follow at every position: padded by what windows
// reach over, and nothing is copied.
// CHECK-LABEL: func.func private @sum_pool_gradient_dense
// CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK: linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "parallel"]}
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.addf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func private @sum_pool_gradient_dense(%dy: tensor<?x7x7x6xf32>) -> tensor<?x7x7x6xf32> attributes {nn.kernel} {
  %0 = nn.sum_pool_gradient %dy window [3, 3] strides [1, 1] padding [1, 1, 1, 1] : (tensor<?x7x7x6xf32>) -> tensor<?x7x7x6xf32>
  return %0 : tensor<?x7x7x6xf32>
}
