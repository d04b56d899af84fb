// RUN: cornu-opt %s --split-input-file --verify-diagnostics

func.func @groups(%x: tensor<?x8x6xf32>, %w: tensor<3x6x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{input of 6 channels and kernel (3, 6, 4) do not fit 2 groups}}
  %0 = nn.convolution %x, %w strides [1] padding [0, 0] dilations [1] groups 2
      : (tensor<?x8x6xf32>, tensor<3x6x4xf32>) -> tensor<?x6x4xf32>
  return
}

// -----

func.func @window(%x: tensor<?x2x6xf32>, %w: tensor<3x6x4xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{window of kernel (3, 6, 4) does not fit input (?, 2, 6)}}
  %0 = nn.convolution %x, %w strides [1] padding [0, 0] dilations [1] groups 1
      : (tensor<?x2x6xf32>, tensor<3x6x4xf32>) -> tensor<?x1x4xf32>
  return
}

// -----

func.func @gradient(%y: tensor<?x5x4xf32>, %w: tensor<3x6x4xf32>) {
  // expected-error @+1 {{output has shape (?, 5, 4), the convolution gives (?, 6, 4)}}
  %0 = nn.convolution_input_gradient %y, %w strides [1] padding [0, 0] dilations [1] groups 1
      : (tensor<?x5x4xf32>, tensor<3x6x4xf32>) -> tensor<?x8x6xf32>
  return
}

// -----

func.func @pool(%x: tensor<?x2x6xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{window (3) does not fit input (?, 2, 6)}}
  %0 = nn.max_pool %x window [3] strides [1] padding [0, 0] : (tensor<?x2x6xf32>) -> tensor<?x1x6xf32>
  return
}
