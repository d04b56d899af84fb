//===- Control.td - Recurrence and modes -------------------*- tablegen -*-===//

#ifndef CORNU_DIALECT_NN_CONTROL
#define CORNU_DIALECT_NN_CONTROL

include "dialect/nn/Base.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def NN_YieldOp : NN_Op<"yield", [Pure, Terminator, ReturnLike]> {
  let summary = "ends a region of nn.scan or nn.if_training";
  let arguments = (ins Variadic<NN_Tensor>:$values);
  let assemblyFormat = "attr-dict ($values^ `:` type($values))?";
  let builders = [OpBuilder<(ins), [{ }]>];
}

def NN_ScanOp : NN_Op<"scan", [AttrSizedOperandSegments, IsolatedFromAbove,
                               RecursiveMemoryEffects, SingleBlock]> {
  let summary = "recurrence over the time axis";
  let description = [{
    Runs the body once for each step t of the time axis, which is axis 1 of
    every sequence (the batch is axis 0):

      (state, outputs[:, t]) = body(state, sequences[:, t], invariants)

    from t = 0 upward, or from the last step downward under `reverse` (outputs
    stay at the position of their step). The body's arguments are the state,
    the elements of the sequences at step t (without the time axis), and the
    invariants; it yields the next state and the step's outputs. The results
    are the last state and the stacked outputs, (N, T, ...). `steps` is T,
    needed for a scan without sequences.

    Example, a plain recurrent layer:
    ```mlir
    %h, %ys = nn.scan steps 80 state(%h0) sequences(%xs) invariants(%w, %u) {
    ^bb0(%h: tensor<?x4xf32>, %x: tensor<?x3xf32>, %w: tensor<3x4xf32>, %u: tensor<4x4xf32>):
      %0 = nn.contract "bi,iu->bu" %x, %w : ...
      %1 = nn.contract "bi,iu->bu" %h, %u : ...
      %2 = nn.add %0, %1 : ...
      %3 = nn.tanh %2 : tensor<?x4xf32>
      nn.yield %3, %3 : tensor<?x4xf32>, tensor<?x4xf32>
    } : (tensor<?x4xf32>, tensor<?x80x3xf32>, tensor<3x4xf32>, tensor<4x4xf32>)
        -> (tensor<?x4xf32>, tensor<?x80x4xf32>)
    ```
  }];
  let arguments = (ins I64Attr:$steps, UnitAttr:$reverse,
                       Variadic<NN_Tensor>:$state,
                       Variadic<NN_Tensor>:$sequences,
                       Variadic<NN_Tensor>:$invariants);
  let results = (outs Variadic<NN_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `steps` $steps (`reverse` $reverse^)? (`state` `(` $state^ `)`)?
    (`sequences` `(` $sequences^ `)`)? (`invariants` `(` $invariants^ `)`)?
    $body attr-dict `:` functional-type(operands, results)
  }];
  let builders = [
    // Builds the body with `buildBody`, which receives the state, elements and
    // invariants and returns the next state followed by the step's outputs.
    OpBuilder<(ins "int64_t":$steps, "bool":$reverse,
                   "::mlir::ValueRange":$state, "::mlir::ValueRange":$sequences,
                   "::mlir::ValueRange":$invariants,
                   "::llvm::function_ref<::llvm::SmallVector<::mlir::Value>("
                   "::mlir::OpBuilder &, ::mlir::Location, ::mlir::ValueRange, "
                   "::mlir::ValueRange, ::mlir::ValueRange)>":$buildBody)>
  ];
  let extraClassDeclaration = [{
    ::mlir::Block *getBodyBlock() { return &getBody().front(); }
    ::mlir::ValueRange getFinalState() { return getResults().take_front(getState().size()); }
    ::mlir::ValueRange getOutputs() { return getResults().drop_front(getState().size()); }
    ::llvm::ArrayRef<::mlir::BlockArgument> getStateArguments() {
      return getBodyBlock()->getArguments().take_front(getState().size());
    }
    ::llvm::ArrayRef<::mlir::BlockArgument> getElementArguments() {
      return getBodyBlock()->getArguments().slice(getState().size(), getSequences().size());
    }
    ::llvm::ArrayRef<::mlir::BlockArgument> getInvariantArguments() {
      return getBodyBlock()->getArguments().take_back(getInvariants().size());
    }
  }];
  let hasRegionVerifier = 1;
}

def NN_IfTrainingOp : NN_Op<"if_training", [RecursiveMemoryEffects,
    SingleBlockImplicitTerminator<"YieldOp">, NoRegionArguments]> {
  let summary = "one thing in training, another in inference";
  let description = [{
    The one op that depends on the mode: dropout, batch normalization and noise
    are compositions inside its two regions. Specialization inlines the region
    of the mode.

    Example, dropout:
    ```mlir
    %y = nn.if_training -> tensor<?x8xf32> {
      %u = nn.random_uniform 3 %state like %x : ...
      %keep = nn.compare ge %u, %rate : ...
      %scaled = nn.multiply %x, %scale : ...
      %z = nn.select %keep, %scaled, %zero : ...
      nn.yield %z : tensor<?x8xf32>
    } else {
      nn.yield %x : tensor<?x8xf32>
    }
    ```
  }];
  let results = (outs Variadic<NN_Tensor>:$results);
  let regions = (region SizedRegion<1>:$training, SizedRegion<1>:$inference);
  let assemblyFormat = [{
    (`->` type($results)^)? $training `else` $inference attr-dict
  }];
  let hasVerifier = 1;
}

#endif // CORNU_DIALECT_NN_CONTROL
