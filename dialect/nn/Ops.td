//===- Ops.td - All ops of the nn dialect, by family -------*- tablegen -*-===//

include "dialect/nn/Variable.td"
include "dialect/nn/Elementwise.td"
include "dialect/nn/Shape.td"
include "dialect/nn/Reduction.td"
include "dialect/nn/Contraction.td"
include "dialect/nn/Convolution.td"
include "dialect/nn/Pooling.td"
include "dialect/nn/Indexing.td"
include "dialect/nn/Control.td"
