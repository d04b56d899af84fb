// RUN: cornu-opt %s --buffer-verify --split-input-file --verify-diagnostics

func.func @allocates() attributes {nn.entry} {
  // expected-error @+1 {{allocates in an entry: buffer-plan-memory gives every buffer a place}}
  %0 = memref.alloc() : memref<4xf32>
  return
}

// -----

func.func @copies(%x: memref<4xf32>, %y: memref<4xf32>) attributes {nn.entry} {
  // expected-error @+1 {{is a copy without a reason}}
  memref.copy %x, %y : memref<4xf32> to memref<4xf32>
  return
}

// -----

func.func private @tensors(%x: memref<4xf32>) attributes {nn.kernel} {
  // expected-error @+1 {{is still a tensor: bufferization left it}}
  %0 = bufferization.to_tensor %x : memref<4xf32> to tensor<4xf32>
  return
}
