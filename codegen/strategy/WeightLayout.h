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
// Pass `codegen-pack-before-loops`: a weight that a loop reads in each step,
// the recurrent kernel of an LSTM, is packed once before it
// (PackBeforeLoops.cpp).
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_WEIGHTLAYOUT_H
#define CORNU_CODEGEN_STRATEGY_WEIGHTLAYOUT_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace cornu::codegen {

/// How a contraction would have its right operand: in panels of so many lanes.
struct Panels {
  int64_t width = 0; ///< 0: as its type says
  /// The lane is the operand's first dimension and not its last.
  bool laneFirst = false;

  explicit operator bool() const { return width != 0; }
  bool operator==(const Panels &other) const {
    return width == other.width && laneFirst == other.laneFirst;
  }
  bool operator!=(const Panels &other) const { return !(*this == other); }
};

/// The panels in which `op`, a linalg op with a strategy, would read `weight`;
/// none if it must stay row-major.
Panels panelsWanted(mlir::linalg::GenericOp op, mlir::Value weight);

/// The panels in which all that reads an argument of a kernel would have it,
/// and the ops that do.
Panels panelsWanted(mlir::BlockArgument argument,
                    llvm::SmallVectorImpl<mlir::linalg::GenericOp> &ops);

/// Changes the strategy of `op` to read its right operand in panels of the
/// width that panelsWanted() gave.
void readPanels(mlir::linalg::GenericOp op, int64_t width);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_WEIGHTLAYOUT_H
