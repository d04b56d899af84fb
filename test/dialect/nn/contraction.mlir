// RUN: cornu-opt %s | cornu-opt | FileCheck %s

// CHECK-LABEL: func @dense
func.func @dense(%x: tensor<?x7x8xf32>, %w: tensor<8x4xf32>) -> tensor<?x7x4xf32> {
  // CHECK: nn.contract "bti,iu->btu" %{{.*}}, %{{.*}} : (tensor<?x7x8xf32>, tensor<8x4xf32>) -> tensor<?x7x4xf32>
  %0 = nn.contract "bti,iu->btu" %x, %w : (tensor<?x7x8xf32>, tensor<8x4xf32>) -> tensor<?x7x4xf32>
  return %0 : tensor<?x7x4xf32>
}

// CHECK-LABEL: func @scores
func.func @scores(%q: tensor<?x5x2x8xf32>, %k: tensor<?x7x2x8xf32>) -> tensor<?x2x5x7xf32> {
  // CHECK: nn.contract "bqhd,bkhd->bhqk"
  %0 = nn.contract "bqhd,bkhd->bhqk" %q, %k : (tensor<?x5x2x8xf32>, tensor<?x7x2x8xf32>) -> tensor<?x2x5x7xf32>
  return %0 : tensor<?x2x5x7xf32>
}
