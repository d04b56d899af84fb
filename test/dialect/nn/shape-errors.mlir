// RUN: cornu-opt %s --split-input-file --verify-diagnostics

func.func @reshape(%x: tensor<?x4x6xf32>) {
  // expected-error @+1 {{cannot turn shape (?, 4, 6) into (?, 5)}}
  %0 = nn.reshape %x : tensor<?x4x6xf32> -> tensor<?x5xf32>
  return
}

// -----

func.func @transpose(%x: tensor<?x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{permutation is not one of the input's 2 dimensions}}
  %0 = nn.transpose [0, 0] %x : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @broadcast(%x: tensor<3xf32>) {
  // expected-error @+1 {{needs `like` to know the result's leading dimension}}
  %0 = nn.broadcast %x : (tensor<3xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @concatenate(%a: tensor<?x2xf32>, %b: tensor<?x3x1xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{input #1 of shape (?, 3, 1) does not fit the first, (?, 2)}}
  %0 = nn.concatenate 1 %a, %b : (tensor<?x2xf32>, tensor<?x3x1xf32>) -> tensor<?x5xf32>
  return
}

// -----

func.func @slice(%x: tensor<?x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{dimension 0 is dynamic and must be taken whole}}
  %0 = nn.slice [1, 0] [-1, 4] [1, 1] %x : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @slice_range(%x: tensor<?x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{dimension 1: [2, 5) by 1 is not a range within its size 4}}
  %0 = nn.slice [0, 2] [-1, 5] [1, 1] %x : (tensor<?x4xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @pad(%x: tensor<?x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{dimension 1 has a negative amount of padding}}
  %0 = nn.pad %x low [0, -1] high [0, 0] interior [0, 0] value 0.0 : (tensor<?x4xf32>) -> tensor<?x3xf32>
  return
}
