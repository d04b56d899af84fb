// RUN: cornu-opt %s --nn-to-linalg --split-input-file --verify-diagnostics

func.func @alone(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{stands outside of a kernel}}
  %0 = nn.relu %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func private @helper(%x: tensor<?x4xf32>) -> tensor<?x4xf32>
func.func @calls(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{calls @helper, not a kernel}}
  %0 = call @helper(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
