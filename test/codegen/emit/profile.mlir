// RUN: cornu-opt %s --codegen-to-llvm="profile=true" | FileCheck %s
// RUN: cornu-opt %s --codegen-to-llvm | FileCheck %s --check-prefix=PLAIN

// Before each kernel, and before a copy of its own, an entry asks for the hook, and names the call's row in
// the descriptor.

// PLAIN-NOT: cornu_profile_hook
// PLAIN-NOT: cornu.work

module attributes {cornu.model = {
  name = "small", inputs = [{name = "x", type = tensor<?x4xf32>}],
  outputs = [{name = "y", type = tensor<?x4xf32>}], targets = [], variables = [], metric_names = [], layers = [],
  fixed_batch = 0 : i64, state_bytes = 0 : i64, gradient_bytes = 0 : i64, metrics_offset = 0 : i64, metrics_bytes = 0 : i64,
  predict_scratch = {fixed = 0 : i64, per_sample = 0 : i64}, evaluate_scratch = {fixed = 0 : i64, per_sample = 0 : i64},
  train_scratch = {fixed = 0 : i64, per_sample = 0 : i64}}} {

func.func private @kernel_0(%x: memref<?x4xf32>, %y: memref<?x4xf32>, %workspace: memref<?xi8>)
    attributes {nn.kernel, nn.layers = ["dense"]} {
  return
}

// CHECK-LABEL: llvm.func internal @predict
// CHECK: %[[HOOK:.*]] = llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.icmp "ne" %[[HOOK]], %{{.*}} : !llvm.ptr
// CHECK: llvm.call %[[HOOK]](%{{.*}}) : !llvm.ptr, (i32) -> ()
// CHECK: llvm.call @kernel_0
// CHECK: llvm.load
// CHECK: llvm.icmp "ne"
// CHECK: llvm.call %{{.*}}(%{{.*}}) : !llvm.ptr, (i32) -> ()
// CHECK: llvm.call @kernel_0
// CHECK: llvm.call %{{.*}}(%{{.*}}) : !llvm.ptr, (i32) -> ()
func.func @predict(%state: memref<?xi8>, %x: memref<?x4xf32>, %y: memref<?x4xf32>,
                   %scratch: memref<?xi8>) attributes {nn.entry} {
  call @kernel_0(%x, %y, %scratch) {cornu.work = {calls = 1 : i64, flops = 7 : i64, flops_per_sample = 11 : i64, bytes = 13 : i64, bytes_per_sample = 17 : i64}}
      : (memref<?x4xf32>, memref<?x4xf32>, memref<?xi8>) -> ()
  call @kernel_0(%y, %y, %scratch) : (memref<?x4xf32>, memref<?x4xf32>, memref<?xi8>) -> ()
  memref.copy %x, %y {cornu.reason = "the test wants one"} : memref<?x4xf32> to memref<?x4xf32>
  return
}
}

// CHECK: llvm.mlir.global internal @cornu_profile_hook()
// CHECK: llvm.mlir.global private unnamed_addr constant @cornu_text{{.*}}("kernel_0\00")
// CHECK: llvm.mlir.global private unnamed_addr constant @cornu_text{{.*}}("dense\00")
// CHECK: llvm.mlir.global private unnamed_addr constant @cornu_text{{.*}}("copy\00")
// CHECK: llvm.mlir.global private constant @cornu_calls
// CHECK-DAG: llvm.mlir.constant(7 : i64)
// CHECK-DAG: llvm.mlir.constant(11 : i64)
// CHECK-DAG: llvm.mlir.constant(13 : i64)
// CHECK-DAG: llvm.mlir.constant(17 : i64)
