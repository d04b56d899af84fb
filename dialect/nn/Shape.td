//===- Shape.td - Constants and ops that move elements -----*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_SHAPE
#define CORNU_DIALECT_NN_SHAPE

include "dialect/nn/Base.td"

def NN_ConstantOp : NN_PureOp<"constant", [ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "a constant tensor";
  let description = [{
    Example: `%half = nn.constant dense<0.5> : tensor<f32>`. Scalars are
    tensors of rank 0 and broadcast.
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
  let builders = [
    // A scalar of the given element type; integers are truncated.
    OpBuilder<(ins "::mlir::Type":$elementType, "double":$value)>
  ];
}

def NN_IotaOp : NN_PureOp<"iota"> {
  let summary = "the index along one axis";
  let description = [{
    `result[..., i, ...] = i`, where i stands at `axis`. The result is static.
    Example: `%i = nn.iota 0 : tensor<10xi32>`
  }];
  let arguments = (ins I64Attr:$axis);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$axis attr-dict `:` type($result)";
  let hasVerifier = 1;
}

def NN_BatchSizeOp : NN_PureOp<"batch_size"> {
  let summary = "the size of the leading dimension";
  let description = [{
    The size of the input's leading dimension as a scalar. Differentiates to
    zero. Example: `%n = nn.batch_size %x : (tensor<?x10xf32>) -> tensor<f32>`
  }];
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def NN_ReshapeOp : NN_PureOp<"reshape"> {
  let summary = "the same elements in another shape";
  let description = [{
    Keeps the row-major order of the elements. At most the leading dimension of
    the result is dynamic; it follows from the number of elements. For a
    dynamic input, the elements per unit of the input's leading dimension must
    be a multiple of those of the result's, or divide them.
    Example: `nn.reshape %x : tensor<?x4x6xf32> -> tensor<?x24xf32>`
  }];
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

def NN_TransposeOp : NN_InferredOp<"transpose"> {
  let summary = "permutes the dimensions";
  let description = [{
    Dimension i of the result is dimension `permutation[i]` of the input. The
    dynamic dimension need not stay in front.
    Example: `nn.transpose [0, 2, 1] %x : (tensor<?x4x6xf32>) -> tensor<?x6x4xf32>`
  }];
  let arguments = (ins DenseI64ArrayAttr:$permutation, NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$permutation $input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def NN_BroadcastOp : NN_PureOp<"broadcast"> {
  let summary = "repeats the input to a larger shape";
  let description = [{
    NumPy's broadcast_to: the input's shape is aligned at the last dimension,
    sizes of 1 and missing leading dimensions are repeated. If the result has a
    dynamic leading dimension which the input does not supply, it is that of
    `like` (times an integer if `like` has no dynamic dimension is not
    allowed: `like`'s leading dimension is used as it is).
    Example: `nn.broadcast %zero like %x : (tensor<f32>, tensor<?x8xf32>) -> tensor<?x128xf32>`
  }];
  let arguments = (ins NN_Tensor:$input, Optional<NN_Tensor>:$like);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input (`like` $like^)? attr-dict `:` functional-type(operands, results)
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$input), [{
      build($_builder, $_state, result, input, ::mlir::Value());
    }]>
  ];
  let hasFolder = 1;
  let hasVerifier = 1;
}

def NN_ConcatenateOp : NN_InferredOp<"concatenate"> {
  let summary = "joins tensors along an axis";
  let description = [{
    All inputs agree in every dimension but `axis`, which is static.
    Example: `nn.concatenate 1 %a, %b : (tensor<?x2xf32>, tensor<?x3xf32>) -> tensor<?x5xf32>`
  }];
  let arguments = (ins I64Attr:$axis, Variadic<NN_Tensor>:$inputs);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$axis $inputs attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

def NN_SliceOp : NN_InferredOp<"slice"> {
  let summary = "a rectangular part, possibly strided";
  let description = [{
    `result[i] = input[starts + i * strides]`, for `starts <= . < limits`. A
    dynamic dimension is taken whole: start 0, limit -1, stride 1.
    Example: `nn.slice [0, 1] [-1, 3] [1, 1] %x : (tensor<?x4xf32>) -> tensor<?x2xf32>`
  }];
  let arguments = (ins DenseI64ArrayAttr:$starts, DenseI64ArrayAttr:$limits,
                       DenseI64ArrayAttr:$strides, NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $starts $limits $strides $input attr-dict `:` functional-type(operands, results)
  }];
  let hasFolder = 1;
}

def NN_PadOp : NN_InferredOp<"pad"> {
  let summary = "surrounds a tensor with a constant";
  let description = [{
    Inserts `low` elements before and `high` after each dimension and
    `interior` between its elements, all of `value` (converted to the element
    type). Sizes are not negative; a dynamic dimension is not padded. The
    inverse of a strided slice.
  }];
  let arguments = (ins DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high,
                       DenseI64ArrayAttr:$interior, F64Attr:$value,
                       NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $input `low` $low `high` $high `interior` $interior `value` $value attr-dict
    `:` functional-type(operands, results)
  }];
  let hasFolder = 1;
}

def NN_ReverseOp : NN_PureOp<"reverse", [SameOperandsAndResultType]> {
  let summary = "reverses the order along axes";
  let arguments = (ins DenseI64ArrayAttr:$axes, NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$axes $input attr-dict `:` type($result)";
  let hasFolder = 1;
  let hasVerifier = 1;
}

#endif // CORNU_DIALECT_NN_SHAPE
