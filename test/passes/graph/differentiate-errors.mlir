// RUN: cornu-opt --nn-differentiate --verify-diagnostics --split-input-file %s

func.func @mode(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{no derivative for 'nn.if_training', on which the loss depends}}
  %y = nn.if_training -> tensor<f32> {
    nn.yield %x : tensor<f32>
  } else {
    nn.yield %x : tensor<f32>
  }
  %z = nn.multiply %y, %x : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %z : tensor<f32>
}

// -----

// expected-error @below {{the first result is not a scalar}}
func.func @vector(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
