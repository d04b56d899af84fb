//===- RecurrentCell.h - The step of a recurrent layer ----------*- C++ -*-===//
//
// A cell is a function (x_t, state, invariants) -> (output, state); a recurrent
// layer is a scan over it. SimpleRNN, LSTM, GRU and stacks of cells differ only
// in their cell.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_IMPORT_LAYERS_RECURRENTCELL_H
#define CORNU_FRONTEND_IMPORT_LAYERS_RECURRENTCELL_H

#include "frontend/import/ModelBuilder.h"

namespace cornu::frontend {

struct RecurrentCell {
  struct Step {
    mlir::Value output;
    llvm::SmallVector<mlir::Value> state;
  };
  llvm::SmallVector<int64_t> stateSizes;
  int64_t outputSize = 0;
  size_t outputState = 0; // the state that equals the output
  /// Weights and dropout masks: read outside of the scan, passed into it.
  llvm::SmallVector<mlir::Value> invariants;
  std::function<Step(mlir::Value x, mlir::ValueRange state,
                     mlir::ValueRange invariants)>
      step;
  bool valid = false;
};

/// The cell of a layer such as LSTM, whose configuration holds the cell's keys,
/// or a cell object such as LSTMCell, for inputs (batch, features). `call` is
/// the layer, in whose scope the cell's variables are `name` and `attribute`.
/// `training` tells whether to build dropout.
RecurrentCell makeCell(LayerCall &call, const Json &object, const Scope &scope,
                       mlir::Value input, bool training);
bool isCell(llvm::StringRef className);

/// True if the cell, or one of a stack, has dropout.
bool hasDropout(const Json &object);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_LAYERS_RECURRENTCELL_H
