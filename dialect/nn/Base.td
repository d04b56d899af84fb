//===- Base.td - The nn dialect and what its ops share -----*- tablegen -*-===//
//
// The `nn` dialect: mathematical ops on tensors, from which layers, losses,
// metrics and optimizer steps are composed.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_DIALECT_NN_BASE
#define CORNU_DIALECT_NN_BASE

include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"

def NN_Dialect : Dialect {
  let name = "nn";
  let summary = "Mathematics of neural networks on tensors";
  let description = [{
    A model is a module of `nn.variable` symbols and functions of nn ops. The
    ops are mathematical, not Keras layers: `Dense` is a contraction, an
    addition and an activation. Every op documents its formula, infers the
    shape of its result, verifies its operands by name, and has a derivative
    (see `DifferentiableOpInterface`).

    Tensors are ranked. The batch is the leading dimension and the only one
    that may be dynamic (`?`); a reshape may merge other dimensions into it.
    Elementwise ops broadcast as NumPy does: shapes are aligned at the last
    dimension, and a dimension of size 1 is repeated. Layouts are channels
    last.

    Example:
    ```mlir
    nn.variable trainable @"dense/kernel" : tensor<100x64xf32>
    nn.variable trainable @"dense/bias" : tensor<64xf32>

    func.func @forward(%x: tensor<?x100xf32>) -> tensor<?x64xf32> {
      %kernel = nn.read @"dense/kernel" : tensor<100x64xf32>
      %bias = nn.read @"dense/bias" : tensor<64xf32>
      %0 = nn.contract "bi,iu->bu" %x, %kernel
          : (tensor<?x100xf32>, tensor<100x64xf32>) -> tensor<?x64xf32>
      %1 = nn.add %0, %bias
          : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<?x64xf32>
      %2 = nn.relu %1 : tensor<?x64xf32>
      return %2 : tensor<?x64xf32>
    }
    ```
  }];
  let cppNamespace = "::cornu::nn";
  let hasConstantMaterializer = 1;
  let useDefaultAttributePrinterParser = 1;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

def NN_Float : AnyTypeOf<[F32, F64]>;
def NN_Element : AnyTypeOf<[F32, F64, I1, I8, UI8, I32, I64]>;

def NN_Tensor : RankedTensorOf<[NN_Element], [], "tensor of f32, f64, i1, i8, ui8, i32 or i64">;
def NN_FloatTensor : RankedTensorOf<[NN_Float], [], "tensor of f32 or f64">;
def NN_IndexTensor : RankedTensorOf<[I32, I64], [], "tensor of i32 or i64">;
def NN_BoolTensor : RankedTensorOf<[I1], [], "tensor of i1">;

//===----------------------------------------------------------------------===//
// Op classes
//===----------------------------------------------------------------------===//

class NN_Op<string mnemonic, list<Trait> traits = []>
    : Op<NN_Dialect, mnemonic, traits>;

// An op without side effects.
class NN_PureOp<string mnemonic, list<Trait> traits = []>
    : NN_Op<mnemonic, !listconcat([Pure], traits)>;

// An op without side effects whose result type follows from its operands.
class NN_InferredOp<string mnemonic, list<Trait> traits = []>
    : NN_PureOp<mnemonic, !listconcat([InferTypeOpAdaptor], traits)>;

#endif // CORNU_DIALECT_NN_BASE
