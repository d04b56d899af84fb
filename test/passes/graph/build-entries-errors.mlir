// RUN: cornu-opt --nn-build-entries --verify-diagnostics --split-input-file %s

// expected-error @below {{has no function @forward}}
module {}

// -----

// expected-error @below {{optimizer 'magic' is not supported; supported are SGD, RMSprop}}
module attributes {nn.optimizer = {class_name = "Magic"}} {
  nn.variable trainable @w : tensor<f32>
  func.func @forward(%x: tensor<?xf32>) -> tensor<?xf32> {
    return %x : tensor<?xf32>
  }
  func.func @loss(%p: tensor<?xf32>, %t: tensor<?xf32>, %sw: tensor<?xf32>) -> tensor<f32> {
    %l = nn.reduce sum [0] %p : (tensor<?xf32>) -> tensor<f32>
    return %l : tensor<f32>
  }
}

// -----

// expected-error @below {{learning-rate schedule 'mydecay' is not supported}}
module attributes {nn.optimizer = {class_name = "SGD", learning_rate = {class_name = "MyDecay"}}} {
  func.func @forward(%x: tensor<?xf32>) -> tensor<?xf32> {
    return %x : tensor<?xf32>
  }
  func.func @loss(%p: tensor<?xf32>, %t: tensor<?xf32>, %sw: tensor<?xf32>) -> tensor<f32> {
    %l = nn.reduce sum [0] %p : (tensor<?xf32>) -> tensor<f32>
    return %l : tensor<f32>
  }
}

// -----

module {
  func.func @forward(%x: tensor<?xf32>) -> tensor<?xf32> {
    return %x : tensor<?xf32>
  }
  // expected-error @below {{needs an argument for each output, then as many targets as sample weights}}
  func.func @loss(%p: tensor<?xf32>, %t: tensor<?xf32>) -> tensor<f32> {
    %l = nn.reduce sum [0] %p : (tensor<?xf32>) -> tensor<f32>
    return %l : tensor<f32>
  }
}
