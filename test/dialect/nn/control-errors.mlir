// RUN: cornu-opt %s --split-input-file --verify-diagnostics

func.func @steps(%xs: tensor<?x5x3xf32>) {
  // expected-error @+1 {{sequence #0 has shape (?, 5, 3), its axis 1 must have 4 steps}}
  %ys = nn.scan steps 4 sequences(%xs) {
  ^bb0(%x: tensor<?x3xf32>):
    nn.yield %x : tensor<?x3xf32>
  } : (tensor<?x5x3xf32>) -> tensor<?x4x3xf32>
  return
}

// -----

func.func @state(%h0: tensor<?x3xf32>, %xs: tensor<?x5x2xf32>) {
  // expected-error @+1 {{body yields 'tensor<?x2xf32>' for state #0 of type 'tensor<?x3xf32>'}}
  %h = nn.scan steps 5 state(%h0) sequences(%xs) {
  ^bb0(%h: tensor<?x3xf32>, %x: tensor<?x2xf32>):
    nn.yield %x : tensor<?x2xf32>
  } : (tensor<?x3xf32>, tensor<?x5x2xf32>) -> tensor<?x3xf32>
  return
}

// -----

func.func @unknown() {
  // expected-error @+1 {{there is no variable @missing}}
  %0 = nn.read @missing : tensor<3xf32>
  return
}

// -----

nn.variable trainable @w : tensor<3xf32>
func.func @type() {
  // expected-error @+1 {{variable @w has type 'tensor<3xf32>', not 'tensor<4xf32>'}}
  %0 = nn.read @w : tensor<4xf32>
  return
}

// -----

// expected-error @+1 {{must have a static shape}}
nn.variable trainable @w : tensor<?xf32>
