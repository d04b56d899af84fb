// RUN: cornu-opt %s --split-input-file --verify-diagnostics

func.func @shapes(%a: tensor<?x4xf32>, %b: tensor<3xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{shape (3) of operand #1 does not broadcast with (?, 4)}}
  %0 = nn.add %a, %b : (tensor<?x4xf32>, tensor<3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @element_types(%a: tensor<4xf32>, %b: tensor<4xi32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{element types of lhs ('f32') and rhs ('i32') differ}}
  %0 = nn.add %a, %b : (tensor<4xf32>, tensor<4xi32>) -> tensor<4xf32>
  return
}

// -----

func.func @condition(%a: tensor<4xf32>) {
  // expected-error @+1 {{operand #0 must be tensor of i1}}
  %0 = nn.select %a, %a, %a : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return
}
