// RUN: cornu-opt --nn-differentiate --canonicalize --cse --split-input-file %s | FileCheck %s

// CHECK-LABEL: @dense
// CHECK: %[[Z:.*]] = nn.contract "bi,iu->bu" %arg0, %arg1
// CHECK: %[[S:.*]] = nn.add %[[Z]], %arg2
// CHECK: %[[Y:.*]] = nn.relu %[[S]]
// CHECK: %[[L:.*]] = nn.reduce sum [0, 1] %[[Y]]
// CHECK: %[[G:.*]] = nn.broadcast {{.*}} like %[[Y]]
// CHECK: %[[P:.*]] = nn.compare gt %[[Y]]
// CHECK: %[[DZ:.*]] = nn.select %[[P]], %[[G]]
// CHECK: %[[DB:.*]] = nn.reduce sum [0] %[[DZ]]
// CHECK: %[[DX:.*]] = nn.contract "bu,iu->bi" %[[DZ]], %arg1
// CHECK: %[[DW:.*]] = nn.contract "bi,bu->iu" %arg0, %[[DZ]]
// CHECK: return %[[L]], %[[DX]], %[[DW]], %[[DB]]
func.func @dense(%x: tensor<?x3xf32>, %w: tensor<3x2xf32>, %b: tensor<2xf32>) -> tensor<f32> {
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x3xf32>, tensor<3x2xf32>) -> tensor<?x2xf32>
  %1 = nn.add %0, %b : (tensor<?x2xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  %2 = nn.relu %1 : tensor<?x2xf32>
  %3 = nn.reduce sum [0, 1] %2 : (tensor<?x2xf32>) -> tensor<f32>
  return %3 : tensor<f32>
}

// -----

// A value that the scalar does not depend on has a gradient of zero.
// CHECK-LABEL: @unused
// CHECK: %[[ZERO:.*]] = nn.constant dense<0.000000e+00> : tensor<4xf32>
// CHECK: return %arg0, %{{.*}}, %[[ZERO]]
func.func @unused(%x: tensor<f32>, %y: tensor<4xf32>) -> tensor<f32> {
  return %x : tensor<f32>
}
