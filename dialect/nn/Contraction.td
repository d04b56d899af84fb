//===- Contraction.td - Sums of products -------------------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_CONTRACTION
#define CORNU_DIALECT_NN_CONTRACTION

include "dialect/nn/Base.td"

def NN_ContractOp : NN_InferredOp<"contract"> {
  let summary = "sums of products over shared dimensions";
  let description = [{
    Einstein summation of two tensors. `equation` names each dimension by a
    letter; letters that the result lacks are summed over. No letter repeats
    within one tensor; each letter of the result stands in an operand; a letter
    of only one operand that the result lacks is not allowed (reduce first).

    Examples:
    ```mlir
    // Dense: y[b, u] = sum_i x[b, i] * w[i, u]
    nn.contract "bi,iu->bu" %x, %w : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
    // Attention scores per head
    nn.contract "bqhd,bkhd->bhqk" %q, %k : ...
    ```
  }];
  let arguments = (ins StrAttr:$equation, NN_FloatTensor:$lhs, NN_FloatTensor:$rhs);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $equation $lhs `,` $rhs attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    // The letters of the three tensors, e.g. "bi", "iu", "bu".
    ::llvm::StringRef getLhsLabels();
    ::llvm::StringRef getRhsLabels();
    ::llvm::StringRef getResultLabels();
  }];
}

#endif // CORNU_DIALECT_NN_CONTRACTION
