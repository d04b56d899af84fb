//===- Convolution.td - Convolutions of any rank -----------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_CONVOLUTION
#define CORNU_DIALECT_NN_CONVOLUTION

include "dialect/nn/Base.td"

// Three linear maps that are each other's derivatives. All of them describe
// the same window: for spatial dimension d,
//
//   input position = output position * strides[d] + tap * dilations[d] - padding[2d]
//
// input (N, spatial..., C), kernel (window..., C / groups, F), output
// (N, spatial..., F). Output channel f reads the input channels of group
// f / (F / groups). Positions outside the input count as zero.
class NN_ConvolutionLikeOp<string mnemonic, list<Trait> traits = []>
    : NN_PureOp<mnemonic, traits> {
  dag windowArguments = (ins DenseI64ArrayAttr:$strides,
                             DenseI64ArrayAttr:$padding,
                             DenseI64ArrayAttr:$dilations,
                             I64Attr:$groups);
  let results = (outs NN_FloatTensor:$result);
}

def NN_ConvolutionOp : NN_ConvolutionLikeOp<"convolution", [InferTypeOpAdaptor]> {
  let summary = "cross-correlation of any rank, strided, dilated, grouped";
  let description = [{
    `y[n, o, f] = sum over taps t and channels c of
     x[n, o * strides + t * dilations - padding_low, c] * w[t, c, f]`

    `padding` holds a low and a high amount for each spatial dimension.
    Depthwise convolution has `groups` equal to the number of input channels.

    Example:
    ```mlir
    nn.convolution %x, %w strides [1, 1] padding [1, 1, 1, 1] dilations [1, 1] groups 1
        : (tensor<?x28x28x3xf32>, tensor<3x3x3x8xf32>) -> tensor<?x28x28x8xf32>
    ```
  }];
  let arguments = !con((ins NN_FloatTensor:$input, NN_FloatTensor:$kernel), windowArguments);
  let assemblyFormat = [{
    $input `,` $kernel `strides` $strides `padding` $padding `dilations` $dilations
    `groups` $groups attr-dict `:` functional-type(operands, results)
  }];
}

def NN_ConvolutionInputGradientOp : NN_ConvolutionLikeOp<"convolution_input_gradient"> {
  let summary = "the derivative of a convolution for its input";
  let description = [{
    The transpose of the map x -> convolution(x, w): spreads each element of
    `output` over the input positions that its window covers. Also the forward
    map of a transposed convolution. The result type gives the spatial sizes.
  }];
  let arguments = !con((ins NN_FloatTensor:$output, NN_FloatTensor:$kernel), windowArguments);
  let assemblyFormat = [{
    $output `,` $kernel `strides` $strides `padding` $padding `dilations` $dilations
    `groups` $groups attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def NN_ConvolutionKernelGradientOp : NN_ConvolutionLikeOp<"convolution_kernel_gradient"> {
  let summary = "the derivative of a convolution for its kernel";
  let description = [{
    The transpose of the map w -> convolution(x, w):
    `dw[t, c, f] = sum over n, o of x[n, o * strides + t * dilations - padding_low, c] * output[n, o, f]`.
    The result type gives the window's size.
  }];
  let arguments = !con((ins NN_FloatTensor:$input, NN_FloatTensor:$output), windowArguments);
  let assemblyFormat = [{
    $input `,` $output `strides` $strides `padding` $padding `dilations` $dilations
    `groups` $groups attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // CORNU_DIALECT_NN_CONVOLUTION
