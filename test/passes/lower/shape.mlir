// RUN: cornu-opt %s --nn-lower | FileCheck %s

// Ops that move elements become indexing maps.
// CHECK-DAG: #[[MOVED:.*]] = affine_map<(d0, d1, d2) -> (d0, d2 * 2 + 1, -d1 + 3)>
// CHECK-LABEL: func.func private @movement
// CHECK-NOT: tensor.extract_slice
// CHECK: linalg.generic {indexing_maps = [#[[MOVED]], #{{.*}}]
func.func private @movement(%x: tensor<?x7x4xf32>) -> tensor<?x4x3xf32> attributes {nn.kernel} {
  %0 = nn.slice [0, 1, 0] [-1, 7, 4] [1, 2, 1] %x : (tensor<?x7x4xf32>) -> tensor<?x3x4xf32>
  %1 = nn.transpose [0, 2, 1] %0 : (tensor<?x3x4xf32>) -> tensor<?x4x3xf32>
  %2 = nn.reverse [1] %1 : tensor<?x4x3xf32>
  %3 = nn.exp %2 : tensor<?x4x3xf32>
  return %3 : tensor<?x4x3xf32>
}

// A reshape moves to the arguments, as a view.
// CHECK-LABEL: func.func private @reshape
// CHECK: %[[VIEW:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0], [1, 2]]
// CHECK: linalg.generic
// CHECK-SAME: ins(%[[VIEW]]
func.func private @reshape(%x: tensor<?x4x6xf32>) -> tensor<?x24xf32> attributes {nn.kernel} {
  %0 = nn.exp %x : tensor<?x4x6xf32>
  %1 = nn.reshape %0 : tensor<?x4x6xf32> -> tensor<?x24xf32>
  return %1 : tensor<?x24xf32>
}

// Parts are computed where they belong.
// CHECK-LABEL: func.func private @concatenate
// CHECK-SAME: %[[OUT:[a-z0-9]*]]: tensor<?x7xf32>)
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[OUT]][0, 0] [%{{.*}}, 2] [1, 1]
// CHECK: linalg.generic {{.*}} outs(%[[PART]]
// CHECK: tensor.insert_slice
// CHECK: tensor.extract_slice {{.*}}[0, 2] [%{{.*}}, 5] [1, 1]
// CHECK: math.exp
func.func private @concatenate(%a: tensor<?x2xf32>, %b: tensor<?x5xf32>) -> tensor<?x7xf32> attributes {nn.kernel} {
  %e = nn.exp %b : tensor<?x5xf32>
  %0 = nn.concatenate 1 %a, %e : (tensor<?x2xf32>, tensor<?x5xf32>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
}

// Only the border is filled.
// CHECK-LABEL: func.func private @pad
// CHECK: tensor.extract_slice {{.*}}[0, 0, 0] [%{{.*}}, 1, 6] [1, 1, 1]
// CHECK: linalg.fill
// CHECK: tensor.extract_slice {{.*}}[0, 1, 5] [%{{.*}}, 3, 1] [1, 1, 1]
// CHECK: linalg.fill
// CHECK: tensor.extract_slice {{.*}}[0, 1, 0] [%{{.*}}, 3, 5] [1, 1, 1]
// CHECK: linalg.generic
func.func private @pad(%x: tensor<?x3x5xf32>) -> tensor<?x4x6xf32> attributes {nn.kernel} {
  %0 = nn.pad %x low [0, 1, 0] high [0, 0, 1] interior [0, 0, 0] value 0.0 : (tensor<?x3x5xf32>) -> tensor<?x4x6xf32>
  return %0 : tensor<?x4x6xf32>
}
