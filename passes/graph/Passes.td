//===- Passes.td - The passes on nn IR ---------------------*- tablegen -*-===//

#ifndef CORNU_PASSES_GRAPH_PASSES
#define CORNU_PASSES_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

def BuildEntries : Pass<"nn-build-entries", "::mlir::ModuleOp"> {
  let summary = "make the entry functions of a model";
  let description = [{
    From `@forward`, `@loss`, `@metrics`, `@metric_results` and the module's
    `nn.optimizer` builds

      @predict          inputs -> outputs
      @evaluate_step    inputs, targets, sample weights ->
      @train_step       inputs, targets, sample weights ->
      @gradients        inputs, targets, sample weights -> gradients
      @apply_gradients  gradients ->
      @metric_results   -> results of the metrics

    Each reads its variables at the start, is pure in between, and assigns
    variables at the end. The functions it is made from are removed, and the
    optimizer's variables are added. With `inference-only`, or if the model has
    no loss, there is only `@predict`. With `whole-steps-only` there are no
    halves of a step, `@gradients` and `@apply_gradients`.
  }];
  let options = [
    Option<"inferenceOnly", "inference-only", "bool", "false", "keep only @predict">,
    Option<"wholeStepsOnly", "whole-steps-only", "bool", "false",
           "leave @gradients and @apply_gradients out">
  ];
  let dependentDialects = ["::cornu::nn::NNDialect", "::mlir::func::FuncDialect"];
}

def Specialize : Pass<"nn-specialize"> {
  let summary = "resolve nn.if_training and nn.stop_gradient for one mode";
  let options = [
    Option<"training", "training", "bool", "false", "the mode: training, else inference">
  ];
}

def PromoteVariables : Pass<"nn-promote-variables", "::mlir::func::FuncOp"> {
  let summary = "read variables first, assign them last, pass values in between";
}

def Simplify : Pass<"nn-simplify", "::mlir::func::FuncOp"> {
  let summary = "rewrite to equal values with less work";
  let description = [{
    Softmax with cross-entropy as one stable form, transposes into contractions,
    broadcasts into elementwise ops, padding into convolutions, work of all
    steps out of scans, dead results of scans. See simplify/Simplify.h.
  }];
  let dependentDialects = ["::cornu::nn::NNDialect"];
}

def FoldWeights : Pass<"nn-fold-weights", "::mlir::ModuleOp"> {
  let summary = "do arithmetic on constant weights at compile time";
  let description = [{
    For a model that only predicts: scales and shifts after a convolution or
    contraction, such as a batch normalization's, go into its weights; values
    computed of weights alone become variables `folded/N`; variables that are
    not read are removed.
  }];
  let dependentDialects = ["::cornu::nn::NNDialect"];
}

def FindIndependentSamples
    : Pass<"nn-find-independent-samples", "::mlir::func::FuncOp"> {
  let summary = "mark a @predict whose batch may be cut into parts";
  let description = [{
    Sets `nn.independent_samples` where no op sums, compares, moves or counts
    along the batch, and nothing is recurrent.
  }];
}

def Fuse : Pass<"nn-fuse", "::mlir::ModuleOp"> {
  let summary = "group ops into kernels and outline them";
  let description = [{
    Afterwards an entry function consists of calls of kernels, reads and
    assignments of variables, reshapes and slices that are views, and scans
    whose bodies consist of the same. A kernel is a private function with the
    attribute `nn.kernel`; `nn.layers` names the layers it stems from. The rules
    of grouping stand in fuse/Grouping.h.
  }];
  let dependentDialects = ["::cornu::nn::NNDialect", "::mlir::func::FuncDialect"];
}

def Rematerialize : Pass<"nn-rematerialize", "::mlir::ModuleOp"> {
  let summary = "compute tensors again rather than keep them";
  let description = [{
    For the entries that train, with a fixed batch: where more than `live-bytes`
    of tensors are alive, those that free most for the least work are computed
    once more before their next reader. The attribute `nn.live_bytes` of the
    entry tells what is reached.
  }];
  let options = [
    Option<"liveBytes", "live-bytes", "int64_t", "0", "how many bytes may be alive at a time">
  ];
  let dependentDialects = ["::cornu::nn::NNDialect", "::mlir::func::FuncDialect"];
}

def Differentiate : Pass<"nn-differentiate", "::mlir::func::FuncOp"> {
  let summary = "append the gradients of a scalar result (for tests)";
  let description = [{
    For a function whose first result is a scalar: appends to its results the
    gradients of that scalar for each float argument. Running it again
    differentiates the sum of the first argument's gradient when `again` is
    set, which tests derivatives of derivatives.
  }];
  let options = [
    Option<"again", "again", "bool", "false", "differentiate the last result's sum instead of the first result">
  ];
  let dependentDialects = ["::cornu::nn::NNDialect"];
}

#endif // CORNU_PASSES_GRAPH_PASSES
