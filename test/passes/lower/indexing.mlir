// RUN: cornu-opt %s --nn-lower | FileCheck %s

// A lookup happens in the nest that uses the rows.
// CHECK-LABEL: func.func private @gather
// CHECK-SAME: (%[[TABLE:.*]]: tensor<1000x64xf32>
// CHECK: linalg.generic
// CHECK: arith.cmpi slt
// CHECK: %[[VALID:.*]] = arith.cmpi ult
// CHECK: tensor.extract %[[TABLE]]
// CHECK: arith.select %[[VALID]], %{{.*}}, %{{.*}} : f32
// CHECK: arith.addf
// CHECK-NOT: linalg.generic
func.func private @gather(%table: tensor<1000x64xf32>, %ids: tensor<?x80xi32>, %p: tensor<80x64xf32>) -> tensor<?x80x64xf32> attributes {nn.kernel} {
  %0 = nn.gather %table, %ids : (tensor<1000x64xf32>, tensor<?x80xi32>) -> tensor<?x80x64xf32>
  %1 = nn.add %0, %p : (tensor<?x80x64xf32>, tensor<80x64xf32>) -> tensor<?x80x64xf32>
  return %1 : tensor<?x80x64xf32>
}

// Rows are added in their order; a row's columns are a nest.
// CHECK-LABEL: func.func private @scatter_add
// CHECK: tensor.collapse_shape
// CHECK: linalg.fill
// CHECK: scf.for
// CHECK: scf.if
// CHECK: tensor.extract_slice {{.*}} to tensor<64xf32>
// CHECK: linalg.generic
// CHECK: tensor.insert_slice
func.func private @scatter_add(%ids: tensor<?x80xi32>, %u: tensor<?x80x64xf32>) -> tensor<1000x64xf32> attributes {nn.kernel} {
  %0 = nn.scatter_add %ids, %u : (tensor<?x80xi32>, tensor<?x80x64xf32>) -> tensor<1000x64xf32>
  return %0 : tensor<1000x64xf32>
}

// The key and the step are read once; the counter is the element's number.
// CHECK-LABEL: func.func private @random
// CHECK-COUNT-3: tensor.extract %{{.*}} : tensor<4xi32>
// CHECK: linalg.generic
// CHECK-COUNT-2: linalg.index
// CHECK: arith.muli
// CHECK: arith.xori
// CHECK: arith.sitofp
func.func private @random(%state: tensor<4xi32>, %x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {nn.kernel} {
  %0 = nn.random_uniform 3 %state like %x : (tensor<4xi32>, tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
