// What does not belong to a fault is removed; here the fault is an nn.exp.
// (MLIR 22's reducer does not survive a function without results.)

// RUN: cornu-reduce %s -reduction-tree='traversal-mode=0 test=%S/Inputs/has_exp.sh' -o %t.mlir
// RUN: FileCheck %s --input-file=%t.mlir --implicit-check-not=nn.variable --implicit-check-not=@innocent
// RUN: cornu-opt %t.mlir -o /dev/null

// CHECK: func.func @guilty
// CHECK-NEXT: nn.exp
// CHECK-NEXT: return
nn.variable trainable @w : tensor<3xf32>
func.func @innocent(%x: tensor<3xf32>) -> tensor<3xf32> {
  %w = nn.read @w : tensor<3xf32>
  %y = nn.add %x, %w : (tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  return %y : tensor<3xf32>
}
func.func @guilty(%x: tensor<3xf32>) -> tensor<3xf32> {
  %y = nn.exp %x : tensor<3xf32>
  return %y : tensor<3xf32>
}
func.func @innocent_too(%x: tensor<3xf32>) -> tensor<3xf32> {
  %y = nn.tanh %x : tensor<3xf32>
  return %y : tensor<3xf32>
}
