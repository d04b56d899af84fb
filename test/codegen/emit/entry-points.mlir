// RUN: cornu-opt %s --codegen-entry-points | FileCheck %s
// RUN: cornu-opt %s --codegen-to-llvm | FileCheck %s --check-prefix=LLVM
// RUN: rm -rf %t && mkdir -p %t
// RUN: cornu compile %s -c -o %t/tiny.o
// RUN: %cc -std=c99 -Wall -Wextra -Werror -pedantic -I%t %S/Inputs/tiny.c %t/tiny.o -o %t/tiny
// RUN: %t/tiny | FileCheck %s --check-prefix=OUTPUT
// RUN: %cxx -std=c++11 -Wall -Wextra -Werror -pedantic -x c++ -fsyntax-only %t/tiny.h

// y = tanh(scale x + shift), as the stages before would write it: rows are
// tasks.

// RUN: llvm-nm -g --defined-only %t/tiny.o | FileCheck %s --check-prefix=SYMBOLS
// SYMBOLS: W cornu_parallel_for
// SYMBOLS-NEXT: W cornu_worker_count
// SYMBOLS-NEXT: T tiny_initialize
// SYMBOLS-NEXT: D tiny_model
// SYMBOLS-NEXT: T tiny_predict
// SYMBOLS-NOT: {{[TDBWV]}}

module @tiny attributes {
  codegen.target = {triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = ""},
  cornu.model = {
    name = "tiny",
    inputs = [{name = "x", type = tensor<?x8xf32>}],
    outputs = [{name = "y", type = tensor<?x8xf32>}],
    variables = [
      {name = "scale", type = tensor<8xf32>, offset = 0 : i64, kind = "trainable",
       value = dense<[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : tensor<8xf32>},
      {name = "shift", type = tensor<96xf32>, offset = 64 : i64, kind = "non_trainable",
       value = dense<1.0> : tensor<96xf32>}],
    layers = [{name = "scaling", class_name = "Rescaling", output_shape = "(None, 8)", parameters = 8 : i64}],
    state_bytes = 448 : i64,
    predict_scratch = {fixed = 64 : i64, per_sample = 32 : i64}}} {

  // CHECK-LABEL: llvm.func @tiny_initialize(%{{.*}}: !llvm.ptr, %{{.*}}: i64) -> i32 attributes {target_cpu = "x86-64"}
  // CHECK: llvm.call @cornu_cpu_supported()
  // CHECK: "llvm.intr.memset"
  // CHECK: func.call @initial_values

  // CHECK-LABEL: llvm.func @tiny_predict(
  // CHECK-SAME: %[[STATE:.*]]: !llvm.ptr, %[[INPUTS:.*]]: !llvm.ptr, %[[BATCH:.*]]: i64,
  // CHECK: %[[ONE:.*]] = llvm.mlir.constant(1 : i64) : i64
  // CHECK: llvm.icmp "sge" %[[BATCH]], %[[ONE]]
  // CHECK: scf.if
  // CHECK: func.call @predict(

  // LLVM-NOT: unrealized_conversion_cast
  // LLVM: llvm.func internal @predict(
  // LLVM-NOT: @tanh
  // LLVM: llvm.mlir.global internal unnamed_addr constant @cornu_values_0(dense_resource<cornu_values_0>
  // LLVM: llvm.func weak @cornu_parallel_for
  // LLVM: llvm.mlir.global external constant @tiny_model()
  func.func @predict(%state: memref<?xi8>, %x: memref<?x8xf32>, %y: memref<?x8xf32>, %scratch: memref<?xi8>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c64 = arith.constant 64 : index
    %w = memref.view %state[%c0][] : memref<?xi8> to memref<8xf32>
    %b = memref.view %state[%c64][] : memref<?xi8> to memref<96xf32>
    %wv = vector.load %w[%c0] : memref<8xf32>, vector<8xf32>
    %bv = vector.load %b[%c0] : memref<96xf32>, vector<8xf32>
    %batch = memref.dim %x, %c0 : memref<?x8xf32>
    codegen.parallel (%row, %worker) to %batch {
      %v = vector.load %x[%row, %c0] : memref<?x8xf32>, vector<8xf32>
      %s = vector.fma %v, %wv, %bv : vector<8xf32>
      %t = math.tanh %s : vector<8xf32>
      vector.store %t, %y[%row, %c0] : memref<?x8xf32>, vector<8xf32>
    }
    return
  }
}

// OUTPUT: 0.761594 0.964028 0.995055 0.999329
// OUTPUT-NEXT: batch 0: 1
// OUTPUT-NEXT: scratch for 10: 384
