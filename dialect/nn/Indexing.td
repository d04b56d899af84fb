//===- Indexing.td - Lookup and random numbers -------------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_INDEXING
#define CORNU_DIALECT_NN_INDEXING

include "dialect/nn/Base.td"

def NN_GatherOp : NN_InferredOp<"gather"> {
  let summary = "rows of a table";
  let description = [{
    `result[i..., :] = table[indices[i...], :]`. Indices in [-rows, 0) count
    from the end; any other index outside the table gives a row of NaN, as in
    Keras on JAX.
    Example: `nn.gather %table, %ids : (tensor<1000x64xf32>, tensor<?x80xi32>) -> tensor<?x80x64xf32>`
  }];
  let arguments = (ins NN_FloatTensor:$table, NN_IndexTensor:$indices);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$table `,` $indices attr-dict `:` functional-type(operands, results)";
}

def NN_ScatterAddOp : NN_PureOp<"scatter_add"> {
  let summary = "sums rows into a table of zeros";
  let description = [{
    The transpose of `nn.gather` for its table: `result[indices[i...], :]` is
    the sum of `updates[i..., :]` over all i with that index. Negative indices
    as in gather; others outside the table are dropped.
  }];
  let arguments = (ins NN_IndexTensor:$indices, NN_FloatTensor:$updates);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = "$indices `,` $updates attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def NN_RandomUniformOp : NN_PureOp<"random_uniform"> {
  let summary = "uniform random numbers in [0, 1)";
  let description = [{
    Counter-based (Philox, Salmon et al., SC 2011): element i of the result is
    the first word of philox2x32-10(counter = {i low, i high ^ k1}, key = k0),
    times 2^-32, rounded down to 24 bits, where k0 and k1 are the first words
    of philox4x32-10(counter = {stream low, stream high, step, 0}, key = seed).
    `state` is {seed low, seed high, step, unused}; `stream` tells the op apart
    from others. Hence the numbers do not depend on threads or schedule.
    The leading dimension is that of `like` if the result is dynamic.
  }];
  let arguments = (ins RankedTensorOf<[I32]>:$state, Optional<NN_Tensor>:$like, I64Attr:$stream);
  let results = (outs NN_FloatTensor:$result);
  let assemblyFormat = [{
    $stream $state (`like` $like^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // CORNU_DIALECT_NN_INDEXING
