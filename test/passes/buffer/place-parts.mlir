// RUN: cornu-opt %s --nn-lower --buffer-bufferize --canonicalize --cse --buffer-place-parts | FileCheck %s

func.func private @exp(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {nn.kernel} {
  %0 = nn.exp %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
func.func private @join(%a: tensor<?x4xf32>, %b: tensor<?x4xf32>) -> tensor<?x8xf32> attributes {nn.kernel} {
  %0 = nn.concatenate 1 %a, %b : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
func.func private @tanh(%x: tensor<?x8xf32>) -> tensor<?x8xf32> attributes {nn.kernel} {
  %0 = nn.tanh %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// Both parts are computed in the whole, the second from the first, and no
// kernel joins them.
// CHECK-LABEL: func.func @chain
// CHECK: %[[WHOLE:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x8xf32>
// CHECK: %[[A:.*]] = memref.subview %[[WHOLE]][0, 0]
// CHECK: call @[[FIRST:exp.*]](%{{.*}}, %[[A]]) : (memref<?x4xf32>, memref<?x4xf32, strided<[8, 1]>>) -> ()
// CHECK: %[[B:.*]] = memref.subview %[[WHOLE]][0, 4]
// CHECK: call @[[SECOND:exp.*]](%[[A]], %[[B]])
// CHECK-SAME: memref<?x4xf32, strided<[8, 1]>>, memref<?x4xf32, strided<[8, 1], offset: 4>>
// CHECK: call @tanh(%[[WHOLE]], %{{.*}})
// CHECK-NEXT: return
func.func @chain(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %a = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %b = call @exp(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = call @join(%a, %b) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  %y = call @tanh(%c) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// An input of the entry is the caller's memory: its copy remains, alone.
// CHECK-LABEL: func.func @joins_an_input
// CHECK-SAME: (%[[X:.*]]: memref<?x4xf32>
// CHECK: %[[WHOLE:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x8xf32>
// CHECK: %[[B:.*]] = memref.subview %[[WHOLE]][0, 4]
// CHECK: call @exp{{.*}}(%[[X]], %[[B]])
// CHECK: call @[[REST:join.*]](%[[X]], %[[WHOLE]])
func.func @joins_an_input(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %b = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = call @join(%x, %b) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %c : tensor<?x8xf32>
}

// What is joined with itself has one place.
// CHECK-LABEL: func.func @twice
// CHECK: %[[WHOLE:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x8xf32>
// CHECK: %[[A:.*]] = memref.subview %[[WHOLE]][0, 0]
// CHECK: call @exp{{.*}}(%{{.*}}, %[[A]])
// CHECK: call @join{{.*}}(%[[A]], %[[WHOLE]])
func.func @twice(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %a = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = call @join(%a, %a) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %c : tensor<?x8xf32>
}

// A part of two wholes lies in the first.
// CHECK-LABEL: func.func @two_wholes
// CHECK: %[[ONE:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x8xf32>
// CHECK: %[[A:.*]] = memref.subview %[[ONE]][0, 0]
// CHECK: call @exp{{.*}}(%{{.*}}, %[[A]])
// CHECK: %[[B:.*]] = memref.subview %[[ONE]][0, 4]
// CHECK: call @exp{{.*}}(%[[A]], %[[B]])
// CHECK: call @join{{.*}}(%[[B]], %[[A]], %{{.*}}) :
func.func @two_wholes(%x: tensor<?x4xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %a = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %b = call @exp(%a) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = call @join(%a, %b) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  %d = call @join(%b, %a) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %c, %d : tensor<?x8xf32>, tensor<?x8xf32>
}

func.func private @widen(%x: tensor<?x4xf32>) -> tensor<?x60xf32> attributes {nn.kernel} {
  %0 = nn.pad %x low [0, 28] high [0, 28] interior [0, 0] value 1.0 : (tensor<?x4xf32>) -> tensor<?x60xf32>
  return %0 : tensor<?x60xf32>
}
func.func private @join_more(%a: tensor<?x4xf32>, %b: tensor<?x60xf32>) -> tensor<?x64xf32> attributes {nn.kernel} {
  %0 = nn.concatenate 1 %a, %b : (tensor<?x4xf32>, tensor<?x60xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// The small part is there long before the large one: the whole would take
// memory for nothing, and its copy costs little. The inside of the padded one is
// too small a part, too.
// CHECK-LABEL: func.func @small_and_early
// CHECK: %[[A:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x4xf32>
// CHECK: call @exp{{.*}}(%{{.*}}, %[[A]]) : (memref<?x4xf32>, memref<?x4xf32>)
// CHECK: %[[WHOLE:.*]] = memref.alloc(%{{.*}}) {{.*}} : memref<?x64xf32>
// CHECK: %[[B:.*]] = memref.subview %[[WHOLE]][0, 4]
// CHECK: call @widen{{.*}}(%{{.*}}, %[[B]])
// CHECK: call @join_more{{.*}}(%[[A]], %[[WHOLE]])
func.func @small_and_early(%x: tensor<?x4xf32>) -> tensor<?x64xf32> {
  %a = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %t = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %b = call @widen(%t) : (tensor<?x4xf32>) -> tensor<?x60xf32>
  %c = call @join_more(%a, %b) : (tensor<?x4xf32>, tensor<?x60xf32>) -> tensor<?x64xf32>
  return %c : tensor<?x64xf32>
}

func.func private @pad(%x: tensor<?x4xf32>) -> tensor<?x8xf32> attributes {nn.kernel} {
  %0 = nn.pad %x low [0, 1] high [0, 3] interior [0, 0] value 0.0 : (tensor<?x4xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// A padded tensor is computed inside of its border.
// CHECK-LABEL: func.func @border
// CHECK: %[[INSIDE:.*]] = memref.subview %[[WHOLE:.*]][0, 1]
// CHECK: call @exp{{.*}}(%{{.*}}, %[[INSIDE]])
// CHECK: call @pad{{.*}}(%[[INSIDE]], %[[WHOLE]])
func.func @border(%x: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %a = call @exp(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = call @pad(%a) : (tensor<?x4xf32>) -> tensor<?x8xf32>
  return %c : tensor<?x8xf32>
}

// A part that is seen in another shape.
// CHECK-LABEL: func.func @flat
// CHECK: %[[A:.*]] = memref.subview %{{.*}}[0, 0]
// CHECK: %[[SQUARE:.*]] = memref.expand_shape %[[A]] {{\[\[}}0], [1, 2]]
// CHECK-SAME: into memref<?x2x2xf32, strided<[8, 2, 1]>>
// CHECK: call @square{{.*}}(%{{.*}}, %[[SQUARE]])
func.func private @square(%x: tensor<?x2x2xf32>) -> tensor<?x2x2xf32> attributes {nn.kernel} {
  %0 = nn.multiply %x, %x : (tensor<?x2x2xf32>, tensor<?x2x2xf32>) -> tensor<?x2x2xf32>
  return %0 : tensor<?x2x2xf32>
}
func.func @flat(%x: tensor<?x2x2xf32>, %z: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %a = call @square(%x) : (tensor<?x2x2xf32>) -> tensor<?x2x2xf32>
  %f = nn.reshape %a : tensor<?x2x2xf32> -> tensor<?x4xf32>
  %b = call @exp(%z) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  %c = call @join(%f, %b) : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x8xf32>
  return %c : tensor<?x8xf32>
}

// The steps of a recurrence write to the part.
// CHECK-LABEL: func.func @steps
// CHECK: %[[PART:.*]] = memref.subview %[[WHOLE:.*]][0, 0, 4]
// CHECK: scf.for %[[T:.*]] =
// CHECK: %[[STEP:.*]] = memref.subview %[[PART]][0, %[[T]], 0]
// CHECK-SAME: to memref<?x4xf32, strided<[40, 1], offset: ?>>
// CHECK: call @join_steps{{.*}}(%{{.*}}, %[[WHOLE]])
func.func private @join_steps(%a: tensor<?x5x4xf32>, %b: tensor<?x5x4xf32>) -> tensor<?x5x8xf32> attributes {nn.kernel} {
  %0 = nn.concatenate 2 %a, %b : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x8xf32>
  return %0 : tensor<?x5x8xf32>
}
func.func private @tanh_step(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {nn.kernel} {
  %0 = nn.tanh %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
func.func @steps(%x: tensor<?x5x4xf32>) -> tensor<?x5x8xf32> {
  %ys = nn.scan steps 5 sequences(%x) {
  ^bb0(%e: tensor<?x4xf32>):
    %0 = func.call @tanh_step(%e) : (tensor<?x4xf32>) -> tensor<?x4xf32>
    nn.yield %0 : tensor<?x4xf32>
  } : (tensor<?x5x4xf32>) -> tensor<?x5x4xf32>
  %c = call @join_steps(%x, %ys) : (tensor<?x5x4xf32>, tensor<?x5x4xf32>) -> tensor<?x5x8xf32>
  return %c : tensor<?x5x8xf32>
}
