//===- WeightLayout.h - Constant weights in the engine's layout -*- C++ -*-===//
//
// Pass `codegen-lay-out-weights`: a weight that nothing writes is laid out when
// the model is compiled, as the register tiles that read it walk it:
//
//   {name = "dense/kernel", type = tensor<784x512xf32>, panels = 64, ...}
//
// is 8 matrices of 784 x 64, one after another. Panels take as much memory as
// the row-major matrix, so that nothing else in the state block moves. Files of
// weights stay row-major; the descriptor tells the runtime how they lie here.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_WEIGHTLAYOUT_H
#define CORNU_CODEGEN_STRATEGY_WEIGHTLAYOUT_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace cornu::codegen {

/// The width of the panels in which `op`, a linalg op with a strategy, would
/// read `weight`; 0 if it must stay row-major.
int64_t panelsWanted(mlir::linalg::GenericOp op, mlir::Value weight);

/// Changes the strategy of `op` to read its right operand in panels of the
/// width that panelsWanted() gave.
void readPanels(mlir::linalg::GenericOp op, int64_t panels);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_WEIGHTLAYOUT_H
