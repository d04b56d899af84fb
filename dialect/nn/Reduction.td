//===- Reduction.td - Sums, extrema and softmax ------------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_REDUCTION
#define CORNU_DIALECT_NN_REDUCTION

include "dialect/nn/Base.td"

def NN_ReductionKind : I32EnumAttr<"ReductionKind", "how elements combine", [
    I32EnumAttrCase<"sum", 0>, I32EnumAttrCase<"mean", 1>,
    I32EnumAttrCase<"max", 2>, I32EnumAttrCase<"min", 3>,
    I32EnumAttrCase<"product", 4>, I32EnumAttrCase<"any", 5>,
    I32EnumAttrCase<"all", 6>]> {
  let cppNamespace = "::cornu::nn";
  let genSpecializedAttr = 0;
}
def NN_ReductionKindAttr : EnumAttr<NN_Dialect, NN_ReductionKind, "reduction">;

def NN_ReduceOp : NN_InferredOp<"reduce"> {
  let summary = "combines the elements along axes";
  let description = [{
    Reduces the given axes by sum, mean, max, min, product (numbers) or any,
    all (booleans). The axes disappear, or stay with size 1 under `keep_axes`.
    The gradient of max and min is split equally among ties.
    Example: `nn.reduce mean [0, 1] %x : (tensor<?x9x4xf32>) -> tensor<4xf32>`
  }];
  let arguments = (ins NN_ReductionKindAttr:$kind, DenseI64ArrayAttr:$axes,
                       UnitAttr:$keep_axes, NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $kind $axes (`keep` $keep_axes^)? $input attr-dict `:` functional-type(operands, results)
  }];
  let builders = [
    OpBuilder<(ins "::cornu::nn::ReductionKind":$kind, "::mlir::Value":$input,
                   "::llvm::ArrayRef<int64_t>":$axes, CArg<"bool", "false">:$keepAxes)>
  ];
  let hasFolder = 1;
}

def NN_ArgmaxOp : NN_InferredOp<"argmax"> {
  let summary = "the index of the first largest element along an axis";
  let description = [{
    The axis disappears; the result is i32.
    Example: `nn.argmax 1 %p : (tensor<?x10xf32>) -> tensor<?xi32>`
  }];
  let arguments = (ins I64Attr:$axis, NN_Tensor:$input);
  let results = (outs RankedTensorOf<[I32]>:$result);
  let assemblyFormat = "$axis $input attr-dict `:` functional-type(operands, results)";
}

class NN_SoftmaxLikeOp<string mnemonic, string formula>
    : NN_PureOp<mnemonic, [SameOperandsAndResultType]> {
  let summary = "computes " # formula;
  let description = "Computes `" # formula # [{` along one axis, after
    subtracting the largest element, so that it does not overflow.}];
  let arguments = (ins I64Attr:$axis, NN_FloatTensor:$input);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$axis $input attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def NN_SoftmaxOp : NN_SoftmaxLikeOp<"softmax", "e^x_i / sum_j e^x_j">;
def NN_LogSoftmaxOp : NN_SoftmaxLikeOp<"log_softmax", "x_i - ln sum_j e^x_j">;

#endif // CORNU_DIALECT_NN_REDUCTION
