// RUN: cornu-opt %s --nn-lower --buffer-bufferize --canonicalize --cse --buffer-place-results --buffer-carry-views | FileCheck %s

func.func private @step(%x: tensor<?x4xf32>, %h: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {nn.kernel} {
  %0 = nn.add %x, %h : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = nn.tanh %0 : tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
func.func private @exp(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {nn.kernel} {
  %0 = nn.exp %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Each step reads the state where the one before has written it, the first one
// where it comes from; what follows reads the last row.
// CHECK-LABEL: func.func @sequence
// CHECK-SAME: (%[[X:[a-z0-9]+]]: memref<?x9x4xf32>, %[[H0:[a-z0-9]+]]: memref<?x4xf32>, %[[YS:[a-z0-9]+]]: memref<?x9x4xf32>
// CHECK: %[[FIRST:.*]] = memref.cast %[[H0]] : memref<?x4xf32> to memref<?x4xf32, strided<[?, 1], offset: ?>>
// CHECK: %[[LAST:.*]] = scf.for %[[T:.*]] = {{.*}} iter_args(%[[H:.*]] = %[[FIRST]])
// CHECK: %[[ROW:.*]] = memref.subview %[[YS]][0, %[[T]], 0]
// CHECK: %[[OUT:.*]] = memref.cast %[[ROW]]
// CHECK: call @step{{.*}}(%{{.*}}, %[[H]], %[[OUT]])
// CHECK-NOT: memref.copy
// CHECK: %[[NEXT:.*]] = memref.cast %[[ROW]]
// CHECK: scf.yield %[[NEXT]]
// CHECK: call @exp{{.*}}(%[[LAST]], %{{.*}})
// CHECK-NOT: memref.copy
// CHECK: return
func.func @sequence(%x: tensor<?x9x4xf32>, %h0: tensor<?x4xf32>) -> (tensor<?x9x4xf32>, tensor<?x4xf32>) {
  %h, %ys = nn.scan steps 9 state(%h0) sequences(%x) {
  ^bb0(%h: tensor<?x4xf32>, %e: tensor<?x4xf32>):
    %0 = func.call @step(%e, %h) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    nn.yield %0, %0 : tensor<?x4xf32>, tensor<?x4xf32>
  } : (tensor<?x4xf32>, tensor<?x9x4xf32>) -> (tensor<?x4xf32>, tensor<?x9x4xf32>)
  %z = call @exp(%h) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %ys, %z : tensor<?x9x4xf32>, tensor<?x4xf32>
}

// A state that no sequence holds stays where it is, and changes there.
// CHECK-LABEL: func.func @last_state
// CHECK: scf.for
// CHECK-NOT: iter_args
// CHECK: return
func.func @last_state(%x: tensor<?x9x4xf32>, %h0: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %h = nn.scan steps 9 state(%h0) sequences(%x) {
  ^bb0(%h: tensor<?x4xf32>, %e: tensor<?x4xf32>):
    %0 = func.call @step(%e, %h) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    nn.yield %0 : tensor<?x4xf32>
  } : (tensor<?x4xf32>, tensor<?x9x4xf32>) -> tensor<?x4xf32>
  return %h : tensor<?x4xf32>
}
