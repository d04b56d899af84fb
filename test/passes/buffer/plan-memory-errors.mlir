// RUN: cornu-opt %s --buffer-plan-memory --verify-diagnostics

func.func private @k(%x: memref<?x4xf32>) attributes {nn.kernel} {
  return
}
func.func @predict(%x: memref<?x4xf32>, %n: memref<index>) attributes {nn.entry} {
  %size = memref.load %n[] : memref<index>
  // expected-error @+1 {{has a size that is no static multiple of the batch}}
  %0 = memref.alloc(%size) : memref<?x4xf32>
  call @k(%0) : (memref<?x4xf32>) -> ()
  return
}
