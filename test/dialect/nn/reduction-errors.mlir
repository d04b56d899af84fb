// RUN: cornu-opt %s --split-input-file --verify-diagnostics

func.func @axes(%x: tensor<?x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{axes are not distinct dimensions of the input}}
  %0 = nn.reduce sum [1, 1] %x : (tensor<?x4xf32>) -> tensor<?xf32>
  return
}

// -----

func.func @kind(%x: tensor<?x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{cannot reduce 'f32' by any}}
  %0 = nn.reduce any [1] %x : (tensor<?x4xf32>) -> tensor<?xf32>
  return
}

// -----

func.func @softmax(%x: tensor<?x4xf32>) {
  // expected-error @+1 {{axis 2 is not a dimension of the input}}
  %0 = nn.softmax 2 %x : tensor<?x4xf32>
  return
}
