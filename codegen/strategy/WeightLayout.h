//===- WeightLayout.h - Weights in the engine's layout ----------*- C++ -*-===//
//
// Pass `codegen-lay-out-weights`: a weight lies as the register tiles that read
// it walk it, if all that is done with it can deal with that:
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

/// True if `weight`, a matrix whose columns are its last dimension, is the
/// right operand of a contraction with the columns as its reduction: panels are
/// as good, if no column is left beside them.
bool canReadAlongReduction(mlir::linalg::GenericOp op, mlir::Value weight);
void readAlongReduction(mlir::linalg::GenericOp op, int64_t width);

/// True if `op` is a contraction that could write its output in panels, where
/// no column is left beside them. The kernel must not do anything else with it.
bool canWritePanels(mlir::linalg::GenericOp op, mlir::Value weight,
                    int64_t width);
void writePanels(mlir::linalg::GenericOp op, int64_t width);

/// True if `op` treats all elements of its operands alike, so that any order
/// will do that is the same for those of more than one element.
bool isOrderFree(mlir::linalg::GenericOp op);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_WEIGHTLAYOUT_H
