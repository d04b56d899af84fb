//===- Variable.td - State that outlives a call ------------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_VARIABLE
#define CORNU_DIALECT_NN_VARIABLE

include "dialect/nn/Base.td"

def NN_VariableKind : I32EnumAttr<"VariableKind", "what a variable is for", [
    I32EnumAttrCase<"trainable", 0>, I32EnumAttrCase<"non_trainable", 1>,
    I32EnumAttrCase<"optimizer", 2>, I32EnumAttrCase<"metric", 3>,
    I32EnumAttrCase<"random", 4>]> {
  let cppNamespace = "::cornu::nn";
  let genSpecializedAttr = 0;
}
def NN_VariableKindAttr : EnumAttr<NN_Dialect, NN_VariableKind, "variable_kind">;

def NN_VariableOp : NN_Op<"variable", [Symbol]> {
  let summary = "a tensor of the model's state";
  let description = [{
    A symbol for a tensor that lives in the state block. Its name is Keras's
    path: `dense/kernel`, `optimizer/dense/kernel/momentum`,
    `metrics/accuracy/total`. The kind decides what training, checkpoints and
    resets do with it. Its first value is `value` if present, else it is drawn
    from `initializer` (a Keras initializer: class name and config), else zero.

    Example:
    ```mlir
    nn.variable trainable @"dense/kernel" : tensor<100x64xf32>
        {initializer = {class_name = "GlorotUniform", config = {}}}
    ```
  }];
  let arguments = (ins NN_VariableKindAttr:$kind, SymbolNameAttr:$sym_name,
                       TypeAttrOf<NN_Tensor>:$type,
                       OptionalAttr<ElementsAttr>:$value,
                       OptionalAttr<DictionaryAttr>:$initializer,
                       OptionalAttr<StrAttr>:$sym_visibility);
  let assemblyFormat = "$kind $sym_name `:` $type (`=` $value^)? attr-dict";
  let hasVerifier = 1;
}

def NN_ReadOp : NN_Op<"read", [MemoryEffects<[MemRead]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the current value of a variable";
  let arguments = (ins FlatSymbolRefAttr:$variable);
  let results = (outs NN_Tensor:$result);
  let assemblyFormat = "$variable attr-dict `:` type($result)";
}

def NN_AssignOp : NN_Op<"assign", [MemoryEffects<[MemWrite]>, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "gives a variable a new value";
  let arguments = (ins FlatSymbolRefAttr:$variable, NN_Tensor:$value);
  let assemblyFormat = "$variable `,` $value attr-dict `:` type($value)";
}

#endif // CORNU_DIALECT_NN_VARIABLE
