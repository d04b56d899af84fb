//===- KernelCost.h - What it costs to run a kernel once more ---*- C++ -*-===//
#ifndef CORNU_PASSES_GRAPH_REMATERIALIZE_KERNELCOST_H
#define CORNU_PASSES_GRAPH_REMATERIALIZE_KERNELCOST_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace cornu::graph {

/// Roughly the multiply-adds, or the time of as many, that one call of a kernel
/// of nn ops takes.
double costOf(mlir::func::FuncOp kernel);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_REMATERIALIZE_KERNELCOST_H
