// RUN: cornu-opt %s --nn-lower | FileCheck %s

// CHECK-DAG: #[[COLUMN:.*]] = affine_map<(d0, d1) -> (d0, 0)>

// A graph of elementwise ops is one generic; scalars are computed once, outside.
// CHECK-LABEL: func.func private @fused
// CHECK-SAME: (%[[X:.*]]: tensor<?x7xf32>, %[[B:.*]]: tensor<7xf32>, %[[S:.*]]: tensor<f32>, %[[OUT0:.*]]: tensor<?x7xf32>, %[[OUT1:.*]]: tensor<?x7xi1>)
// CHECK: %[[SCALAR:.*]] = tensor.extract %[[S]][]
// CHECK: %[[E:.*]] = math.exp %[[SCALAR]]
// CHECK: %[[R:.*]]:2 = linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "parallel"]
// CHECK-SAME: ins(%[[X]], %[[B]] : {{.*}}) outs(%[[OUT0]], %[[OUT1]]
// CHECK: arith.addf
// CHECK: arith.cmpf ogt
// CHECK: arith.mulf %{{.*}}, %[[E]]
// CHECK: arith.select
// CHECK-NOT: linalg.generic
// CHECK: return %[[R]]#0, %[[R]]#1
func.func private @fused(%x: tensor<?x7xf32>, %b: tensor<7xf32>, %s: tensor<f32>)
    -> (tensor<?x7xf32>, tensor<?x7xi1>) attributes {nn.kernel} {
  %zero = nn.constant dense<0.0> : tensor<f32>
  %0 = nn.add %x, %b : (tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  %1 = nn.compare gt %0, %zero : (tensor<?x7xf32>, tensor<f32>) -> tensor<?x7xi1>
  %e = nn.exp %s : tensor<f32>
  %2 = nn.multiply %0, %e : (tensor<?x7xf32>, tensor<f32>) -> tensor<?x7xf32>
  %3 = nn.select %1, %2, %x : (tensor<?x7xi1>, tensor<?x7xf32>, tensor<?x7xf32>) -> tensor<?x7xf32>
  return %3, %1 : tensor<?x7xf32>, tensor<?x7xi1>
}

// Sizes of 1 are repeated by a constant index.
// CHECK-LABEL: func.func private @broadcast
// CHECK: linalg.generic {indexing_maps = [#{{.*}}, #[[COLUMN]], #{{.*}}]
func.func private @broadcast(%x: tensor<?x7xf32>, %c: tensor<?x1xf32>) -> tensor<?x7xf32> attributes {nn.kernel} {
  %0 = nn.subtract %x, %c : (tensor<?x7xf32>, tensor<?x1xf32>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
}

// What costs more than a load and is repeated is computed once per element.
// CHECK-LABEL: func.func private @expensive_column
// CHECK: %[[ROOT:.*]] = linalg.generic
// CHECK: math.rsqrt
// CHECK: linalg.generic
// CHECK-SAME: ins(%{{.*}}, %[[ROOT]]
func.func private @expensive_column(%x: tensor<?x7xf32>, %v: tensor<7xf32>) -> tensor<?x7xf32> attributes {nn.kernel} {
  %r = nn.rsqrt %v : tensor<7xf32>
  %0 = nn.multiply %x, %r : (tensor<?x7xf32>, tensor<7xf32>) -> tensor<?x7xf32>
  return %0 : tensor<?x7xf32>
}

// Unsigned integers become signless ones.
// CHECK-LABEL: func.func private @unsigned
// CHECK-SAME: (%{{.*}}: tensor<?x4xi8>
// CHECK: arith.uitofp
func.func private @unsigned(%x: tensor<?x4xui8>) -> tensor<?x4xf32> attributes {nn.kernel} {
  %0 = nn.convert %x : (tensor<?x4xui8>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
