// RUN: cornu-opt %s --nn-lower | FileCheck %s

// Reductions of one space that do not need each other share a generic.
// CHECK-LABEL: func.func private @shared
// CHECK-SAME: %[[DY:arg1]]: tensor<?x3x5xf32>
// CHECK-COUNT-2: linalg.fill
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["reduction", "reduction", "parallel"]
// CHECK: -> (tensor<5xf32>, tensor<5xf32>)
// CHECK-NOT: linalg.generic
func.func private @shared(%x: tensor<?x3x5xf32>, %dy: tensor<?x3x5xf32>) -> (tensor<5xf32>, tensor<5xf32>) attributes {nn.kernel} {
  %p = nn.multiply %x, %dy : (tensor<?x3x5xf32>, tensor<?x3x5xf32>) -> tensor<?x3x5xf32>
  %0 = nn.reduce sum [0, 1] %p : (tensor<?x3x5xf32>) -> tensor<5xf32>
  %1 = nn.reduce max [0, 1] %dy : (tensor<?x3x5xf32>) -> tensor<5xf32>
  return %0, %1 : tensor<5xf32>, tensor<5xf32>
}

// A mean is a sum, divided once per element.
// CHECK-LABEL: func.func private @mean
// CHECK: %[[SUM:.*]] = linalg.generic
// CHECK-SAME: ["parallel", "reduction"]
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[SUM]]
// CHECK: arith.divf
func.func private @mean(%x: tensor<?x8xf32>) -> tensor<?xf32> attributes {nn.kernel} {
  %0 = nn.reduce mean [1] %x : (tensor<?x8xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}

// The largest, then the first place where it, or NaN, is: both are vectors.
// CHECK-LABEL: func.func private @argmax
// CHECK: %[[MAX:.*]] = linalg.generic
// CHECK-SAME: ["parallel", "reduction"]
// CHECK: arith.maximumf
// CHECK: linalg.generic
// CHECK-SAME: ["parallel", "reduction"]
// CHECK-SAME: %[[MAX]]
// CHECK: arith.cmpf oeq
// CHECK: arith.cmpf uno
// CHECK: linalg.index 1
// CHECK: arith.select
// CHECK: arith.minsi
func.func private @argmax(%x: tensor<?x8xf32>) -> tensor<?xi32> attributes {nn.kernel} {
  %0 = nn.argmax 1 %x : (tensor<?x8xf32>) -> tensor<?xi32>
  return %0 : tensor<?xi32>
}

// The stages of softmax; the last works in place.
// CHECK-LABEL: func.func private @softmax
// CHECK: arith.maximumf
// CHECK: %[[E:.*]] = linalg.generic
// CHECK: math.exp
// CHECK: arith.addf
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[E]], %{{.*}} outs(%[[E]]
// CHECK: arith.divf
func.func private @softmax(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {nn.kernel} {
  %0 = nn.softmax 1 %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
