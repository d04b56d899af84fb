//===- Decisions.h - What was decided about a kernel ------------*- C++ -*-===//
//
// The schedule replaces the ops that strategies stand on. A kernel remembers
// them in the order of its ops, for reports and profiles:
//
//   func.func private @kernel_4(...) attributes {nn.kernel,
//       codegen.strategies = [#codegen.contraction<mr = 6, nr = 16, ...>]}
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_DECISIONS_H
#define CORNU_CODEGEN_STRATEGY_DECISIONS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <string>

namespace cornu::codegen {

/// Adds the strategies of the ops in `kernel` to those it remembers.
void rememberStrategies(mlir::func::FuncOp kernel);

/// Puts `strategy` in the place of `old` in what `kernel` remembers.
void replaceStrategy(mlir::func::FuncOp kernel, mlir::Attribute old,
                     mlir::Attribute strategy);

/// In words: "contraction 6x16, packed, winograd F(4x4, 3x3); map 16": the
/// register tile of a contraction, the tile and lanes of a nest. Empty if the
/// kernel remembers none, or is null.
std::string strategyText(mlir::func::FuncOp kernel);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_DECISIONS_H
