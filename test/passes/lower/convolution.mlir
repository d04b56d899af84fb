// RUN: cornu-opt %s --nn-lower | FileCheck %s

// CHECK-DAG: #[[X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 * 2 + d4, d2 * 2 + d5, d6)>
// CHECK-DAG: #[[PHASE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d0, d1 - d4 + 1, d2 - d5 + 1, d6)>
// CHECK-DAG: #[[DEPTHWISE:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1 + d4, d2 + d5, d3)>

// The padding of the layer and a zero pad in front are one tensor.pad.
// CHECK-LABEL: func.func private @forward
// CHECK: tensor.pad %{{.*}} low[0, 1, 1, 0] high[0, 1, 1, 0]
// CHECK: linalg.generic {indexing_maps = [#[[X]], #{{.*}}, #{{.*}}], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
func.func private @forward(%x: tensor<?x9x9x6xf32>, %w: tensor<3x3x6x8xf32>) -> tensor<?x5x5x8xf32> attributes {nn.kernel} {
  %p = nn.pad %x low [0, 1, 0, 0] high [0, 1, 0, 0] interior [0, 0, 0, 0] value 0.0 : (tensor<?x9x9x6xf32>) -> tensor<?x11x9x6xf32>
  %0 = nn.convolution %p, %w strides [2, 2] padding [0, 0, 1, 1] dilations [1, 1] groups 1 : (tensor<?x11x9x6xf32>, tensor<3x3x6x8xf32>) -> tensor<?x5x5x8xf32>
  return %0 : tensor<?x5x5x8xf32>
}

// A strided gradient is a generic for each phase, into a strided slice.
// CHECK-LABEL: func.func private @input_gradient
// CHECK: tensor.extract_slice %{{.*}}[0, 1, 1, 0] [%{{.*}}, 4, 4, 6] [1, 2, 2, 1]
// CHECK: linalg.fill
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0, 0] [2, 2, 6, 8] [2, 2, 1, 1]
// CHECK: linalg.generic {indexing_maps = [#[[PHASE]]
// CHECK: tensor.insert_slice
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: linalg.generic
func.func private @input_gradient(%dy: tensor<?x5x5x8xf32>, %w: tensor<3x3x6x8xf32>) -> tensor<?x9x9x6xf32> attributes {nn.kernel} {
  %0 = nn.convolution_input_gradient %dy, %w strides [2, 2] padding [1, 1, 1, 1] dilations [1, 1] groups 1 : (tensor<?x5x5x8xf32>, tensor<3x3x6x8xf32>) -> tensor<?x9x9x6xf32>
  return %0 : tensor<?x9x9x6xf32>
}

// CHECK-LABEL: func.func private @kernel_gradient
// CHECK: linalg.generic
// CHECK-SAME: ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
func.func private @kernel_gradient(%x: tensor<?x9x9x6xf32>, %dy: tensor<?x5x5x8xf32>) -> tensor<3x3x6x8xf32> attributes {nn.kernel} {
  %0 = nn.convolution_kernel_gradient %x, %dy strides [2, 2] padding [1, 1, 1, 1] dilations [1, 1] groups 1 : (tensor<?x9x9x6xf32>, tensor<?x5x5x8xf32>) -> tensor<3x3x6x8xf32>
  return %0 : tensor<3x3x6x8xf32>
}

// Depthwise: the channel is a parallel loop, nothing but the window is summed.
// CHECK-LABEL: func.func private @depthwise
// CHECK: linalg.generic {indexing_maps = [#[[DEPTHWISE]], #{{.*}}, #{{.*}}], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}
func.func private @depthwise(%x: tensor<?x9x9x6xf32>, %w: tensor<3x3x1x6xf32>) -> tensor<?x7x7x6xf32> attributes {nn.kernel} {
  %0 = nn.convolution %x, %w strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 6 : (tensor<?x9x9x6xf32>, tensor<3x3x1x6xf32>) -> tensor<?x7x7x6xf32>
  return %0 : tensor<?x7x7x6xf32>
}

// Groups are a loop of their own.
// CHECK-LABEL: func.func private @grouped
// CHECK: tensor.expand_shape %{{.*}} {{\[\[}}0], [1], [2], [3, 4]] output_shape [%{{.*}}, 9, 9, 2, 3]
// CHECK: linalg.generic
// CHECK-SAME: ["parallel", "parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]
func.func private @grouped(%x: tensor<?x9x9x6xf32>, %w: tensor<3x3x3x8xf32>) -> tensor<?x7x7x8xf32> attributes {nn.kernel} {
  %0 = nn.convolution %x, %w strides [1, 1] padding [0, 0, 0, 0] dilations [1, 1] groups 2 : (tensor<?x9x9x6xf32>, tensor<3x3x3x8xf32>) -> tensor<?x7x7x8xf32>
  return %0 : tensor<?x7x7x8xf32>
}
