// RUN: cornu-opt --nn-promote-variables --verify-diagnostics %s

nn.variable trainable @v : tensor<4xf32>

func.func @inside_a_region(%x: tensor<?x4xf32>) {
  nn.if_training {
    // expected-error @below {{a variable is used inside a region; pass it as an operand}}
    %a = nn.read @v : tensor<4xf32>
    nn.assign @v, %a : tensor<4xf32>
  } else {
  }
  return
}
