//===- Pooling.td - Reductions of windows ------------------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_POOLING
#define CORNU_DIALECT_NN_POOLING

include "dialect/nn/Base.td"

// Windows as in convolution, without dilation: for spatial dimension d,
//
//   input position = output position * strides[d] + tap - padding[2d]
//
// Tensors are (N, spatial..., C). Positions outside the input do not take part.
class NN_PoolOp<string mnemonic, list<Trait> traits = []> : NN_PureOp<mnemonic, traits> {
  dag windowArguments = (ins DenseI64ArrayAttr:$window,
                             DenseI64ArrayAttr:$strides,
                             DenseI64ArrayAttr:$padding);
  let results = (outs NN_FloatTensor:$result);
}

def NN_SumPoolOp : NN_PoolOp<"sum_pool", [InferTypeOpAdaptor]> {
  let summary = "the sum of each window";
  let arguments = !con((ins NN_FloatTensor:$input), windowArguments);
  let assemblyFormat = [{
    $input `window` $window `strides` $strides `padding` $padding attr-dict
    `:` functional-type(operands, results)
  }];
}

def NN_SumPoolGradientOp : NN_PoolOp<"sum_pool_gradient"> {
  let summary = "adds each element to all positions of its window";
  let description = [{
    The transpose of `nn.sum_pool`. The result type gives the spatial sizes.
  }];
  let arguments = !con((ins NN_FloatTensor:$output), windowArguments);
  let assemblyFormat = [{
    $output `window` $window `strides` $strides `padding` $padding attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def NN_MaxPoolOp : NN_PoolOp<"max_pool", [InferTypeOpAdaptor]> {
  let summary = "the largest element of each window";
  let arguments = !con((ins NN_FloatTensor:$input), windowArguments);
  let assemblyFormat = [{
    $input `window` $window `strides` $strides `padding` $padding attr-dict
    `:` functional-type(operands, results)
  }];
}

def NN_MaxPoolScatterOp : NN_PoolOp<"max_pool_scatter"> {
  let summary = "adds each element to the position of its window's maximum";
  let description = [{
    The derivative of `nn.max_pool(input)` applied to `output`: each element
    goes to the first (row-major) largest element of its window of `input`.
    The result has the input's type.
  }];
  let arguments = !con((ins NN_FloatTensor:$input, NN_FloatTensor:$output), windowArguments);
  let assemblyFormat = [{
    $input `,` $output `window` $window `strides` $strides `padding` $padding attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def NN_MaxPoolGatherOp : NN_PoolOp<"max_pool_gather", [InferTypeOpAdaptor]> {
  let summary = "of each window, the value at the maximum of another tensor";
  let description = [{
    The transpose of `nn.max_pool_scatter`: for each window the element of
    `values` at the position of the first largest element of `input`. `values`
    has the input's type.
  }];
  let arguments = !con((ins NN_FloatTensor:$input, NN_FloatTensor:$values), windowArguments);
  let assemblyFormat = [{
    $input `,` $values `window` $window `strides` $strides `padding` $padding attr-dict
    `:` functional-type(operands, results)
  }];
}

#endif // CORNU_DIALECT_NN_POOLING
