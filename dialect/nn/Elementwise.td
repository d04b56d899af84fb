//===- Elementwise.td - Ops that act on each element -------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_ELEMENTWISE
#define CORNU_DIALECT_NN_ELEMENTWISE

include "dialect/nn/Base.td"

// Marks the ops that compute each element of the result from the elements of
// the operands at the same (broadcast) position.
def NN_Elementwise : NativeOpTrait<"Elementwise"> {
  let cppNamespace = "::cornu::nn";
}

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

class NN_UnaryOp<string mnemonic, string formula, Type type = NN_FloatTensor>
    : NN_PureOp<mnemonic, [SameOperandsAndResultType, NN_Elementwise]> {
  let summary = "computes " # formula;
  let description = "Computes `" # formula # "` for each element.";
  let arguments = (ins type:$input);
  let results = (outs type:$result);
  let assemblyFormat = "$input attr-dict `:` type($result)";
}

def NN_NegateOp : NN_UnaryOp<"negate", "-x", NN_Tensor> { let hasFolder = 1; }
def NN_AbsoluteOp : NN_UnaryOp<"absolute", "|x|", NN_Tensor>;
def NN_SignOp : NN_UnaryOp<"sign", "-1, 0 or 1, the sign of x", NN_Tensor>;
def NN_ExpOp : NN_UnaryOp<"exp", "e^x">;
def NN_Expm1Op : NN_UnaryOp<"expm1", "e^x - 1">;
def NN_LogOp : NN_UnaryOp<"log", "ln x">;
def NN_Log1pOp : NN_UnaryOp<"log1p", "ln(1 + x)">;
def NN_SqrtOp : NN_UnaryOp<"sqrt", "x^(1/2)">;
def NN_RsqrtOp : NN_UnaryOp<"rsqrt", "x^(-1/2)">;
def NN_SinOp : NN_UnaryOp<"sin", "sin x">;
def NN_CosOp : NN_UnaryOp<"cos", "cos x">;
def NN_TanhOp : NN_UnaryOp<"tanh", "tanh x">;
def NN_SigmoidOp : NN_UnaryOp<"sigmoid", "1 / (1 + e^-x)">;
def NN_ErfOp : NN_UnaryOp<"erf", "2/sqrt(pi) * integral of e^(-t^2) over [0, x]">;
def NN_SoftplusOp : NN_UnaryOp<"softplus", "ln(1 + e^x), as max(x, 0) + log1p(e^-|x|)">;
def NN_FloorOp : NN_UnaryOp<"floor", "largest integer not above x">;
def NN_ReluOp : NN_UnaryOp<"relu", "max(x, 0)", NN_Tensor> {
  let description = [{
    Computes `max(x, 0)` for each element; NaN stays NaN. The derivative at 0
    is 0.
  }];
}
def NN_LogicalNotOp : NN_UnaryOp<"logical_not", "not x", NN_BoolTensor>;

def NN_StopGradientOp : NN_UnaryOp<"stop_gradient", "x", NN_Tensor> {
  let description = [{
    The identity, with a derivative of zero. Removed after differentiation.
  }];
}

//===----------------------------------------------------------------------===//
// Binary, with broadcasting
//===----------------------------------------------------------------------===//

class NN_BinaryOp<string mnemonic, string formula, Type type = NN_Tensor,
                  list<Trait> traits = []>
    : NN_InferredOp<mnemonic, !listconcat([NN_Elementwise], traits)> {
  let summary = "computes " # formula;
  let description = "Computes `" # formula # [{` for each pair of elements;
    shapes broadcast as in NumPy, element types are equal.}];
  let arguments = (ins type:$lhs, type:$rhs);
  let results = (outs type:$result);
  let assemblyFormat =
      "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
}

def NN_AddOp : NN_BinaryOp<"add", "a + b", NN_Tensor, [Commutative]> { let hasFolder = 1; }
def NN_SubtractOp : NN_BinaryOp<"subtract", "a - b"> { let hasFolder = 1; }
def NN_MultiplyOp : NN_BinaryOp<"multiply", "a * b", NN_Tensor, [Commutative]> { let hasFolder = 1; }
def NN_DivideOp : NN_BinaryOp<"divide", "a / b"> { let hasFolder = 1; }
def NN_MaximumOp : NN_BinaryOp<"maximum", "max(a, b)", NN_Tensor, [Commutative]> {
  let description = [{
    Computes `max(a, b)` for each pair of elements; NaN if either is NaN. The
    derivative is split equally where a equals b.
  }];
}
def NN_MinimumOp : NN_BinaryOp<"minimum", "min(a, b)", NN_Tensor, [Commutative]> {
  let description = [{
    Computes `min(a, b)` for each pair of elements; NaN if either is NaN. The
    derivative is split equally where a equals b.
  }];
}
def NN_PowerOp : NN_BinaryOp<"power", "a^b", NN_FloatTensor> { let hasFolder = 1; }
def NN_RemainderOp : NN_BinaryOp<"remainder", "a - b * floor(a / b)">;
def NN_LogicalAndOp : NN_BinaryOp<"logical_and", "a and b", NN_BoolTensor, [Commutative]>;
def NN_LogicalOrOp : NN_BinaryOp<"logical_or", "a or b", NN_BoolTensor, [Commutative]>;
def NN_LogicalXorOp : NN_BinaryOp<"logical_xor", "a xor b", NN_BoolTensor, [Commutative]>;

//===----------------------------------------------------------------------===//
// Comparison, choice, conversion
//===----------------------------------------------------------------------===//

def NN_Predicate : I32EnumAttr<"Predicate", "an ordered comparison", [
    I32EnumAttrCase<"eq", 0>, I32EnumAttrCase<"ne", 1>,
    I32EnumAttrCase<"lt", 2>, I32EnumAttrCase<"le", 3>,
    I32EnumAttrCase<"gt", 4>, I32EnumAttrCase<"ge", 5>]> {
  let cppNamespace = "::cornu::nn";
  let genSpecializedAttr = 0;
}
def NN_PredicateAttr : EnumAttr<NN_Dialect, NN_Predicate, "predicate">;

def NN_CompareOp : NN_InferredOp<"compare", [NN_Elementwise]> {
  let summary = "a ? b as a boolean";
  let description = [{
    Compares each pair of elements; shapes broadcast. A comparison with NaN is
    false, except `ne`, which is true.

    Example: `%m = nn.compare gt %x, %zero : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xi1>`
  }];
  let arguments = (ins NN_PredicateAttr:$predicate, NN_Tensor:$lhs, NN_Tensor:$rhs);
  let results = (outs NN_BoolTensor:$result);
  let assemblyFormat = [{
    $predicate $lhs `,` $rhs attr-dict `:` functional-type(operands, results)
  }];
}

def NN_SelectOp : NN_InferredOp<"select", [NN_Elementwise]> {
  let summary = "c ? a : b";
  let description = [{
    Chooses `on_true` where the condition holds, else `on_false`; all three
    broadcast. The gradient goes to the chosen operand only.
  }];
  let arguments = (ins NN_BoolTensor:$condition, NN_Tensor:$on_true, NN_Tensor:$on_false);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = [{
    $condition `,` $on_true `,` $on_false attr-dict `:` functional-type(operands, results)
  }];
}

def NN_ConvertOp : NN_PureOp<"convert", [NN_Elementwise, SameOperandsAndResultShape]> {
  let summary = "element type conversion";
  let description = [{
    Converts each element to the result's element type: floats to integers by
    truncation, anything to i1 by `x != 0`, i1 to 0 or 1.
  }];
  let arguments = (ins NN_Tensor:$input);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasFolder = 1;
}

#endif // CORNU_DIALECT_NN_ELEMENTWISE
