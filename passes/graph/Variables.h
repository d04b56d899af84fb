//===- Variables.h - Variables as values --------------------------*- C++
//-*-===//
//
// Between the first read and the last assignment of a variable, its value is
// an ordinary value:
//
//   %a = nn.read @v                      %a = nn.read @v
//   %b = nn.add %a, %x                   %b = nn.add %a, %x
//   nn.assign @v, %b            ->       %d = nn.multiply %b, %y
//   %c = nn.read @v                      nn.assign @v, %d
//   nn.assign @v, nn.multiply %c, %y
//
// After it a function reads all variables at its start, assigns at its end,
// and is pure in between.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_VARIABLES_H
#define CORNU_PASSES_GRAPH_VARIABLES_H

#include "dialect/nn/NN.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace cornu::graph {

/// Brings a function of one block into that form. Fails with a diagnostic if
/// a variable is read or assigned inside a region.
mlir::LogicalResult promoteVariables(mlir::func::FuncOp function);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_VARIABLES_H
