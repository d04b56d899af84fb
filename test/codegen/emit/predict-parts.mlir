// RUN: rm -rf %t && mkdir -p %t
// RUN: sed 's/per_sample = 32 : i64}}/per_sample = 67108864 : i64}, independent_samples}/' %S/entry-points.mlir > %t/tiny.mlir
// RUN: cornu-opt %t/tiny.mlir --codegen-entry-points | FileCheck %s
// RUN: cornu compile %t/tiny.mlir -c -o %t/tiny.o
// RUN: FileCheck %s --input-file=%t/tiny.h --check-prefix=HEADER
// RUN: %cc -std=c99 -Wall -Wextra -Werror -pedantic -I%t %S/Inputs/parts.c %t/tiny.o -o %t/tiny
// RUN: %t/tiny | FileCheck %s --check-prefix=OUTPUT

// Where samples are independent, a batch is predicted in parts that the caches
// hold: here one sample of 64 MiB at a time.

// CHECK-LABEL: llvm.func @tiny_predict(
// CHECK: %[[MOST:.*]] = llvm.mlir.constant(1 : i64) : i64
// CHECK: llvm.sub %[[MOST]]
// CHECK: llvm.udiv %{{.*}}, %[[MOST]]
// CHECK: %[[SIZE:.*]] = llvm.udiv
// CHECK: scf.for %[[FIRST:.*]] = %{{.*}} to %arg2 step %[[SIZE]]
// CHECK: %[[LEFT:.*]] = llvm.sub %arg2, %[[FIRST]]
// CHECK: llvm.intr.umin(%[[SIZE]], %[[LEFT]])
// CHECK: %[[BYTES:.*]] = llvm.mlir.constant(32 : i64)
// CHECK: %[[OFFSET:.*]] = llvm.mul %[[FIRST]], %[[BYTES]]
// CHECK: llvm.getelementptr %{{.*}}[%[[OFFSET]]]
// CHECK: func.call @predict(

// HEADER: ((size_t)(batch) < ((size_t)1u) ? (size_t)(batch) : ((size_t)1u))

// Sample i is all i: tanh(scale x + 1), of scale 0.
// OUTPUT: 0: 0.761594 0.761594
// OUTPUT-NEXT: 1: 0.761594 0.964028
// OUTPUT-NEXT: 2: 0.761594 0.995055
// OUTPUT-NEXT: scratch for 10: 67108928
