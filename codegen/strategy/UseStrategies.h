//===- UseStrategies.h - A file's strategies for a module -------*- C++ -*-===//
//
// Pass `codegen-use-strategies{file=F}`: gives each kernel whose key the file
// has its strategies; `codegen-strategy` applies them.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_USESTRATEGIES_H
#define CORNU_CODEGEN_STRATEGY_USESTRATEGIES_H

#include "mlir/Pass/Pass.h"
#include <memory>

namespace cornu::codegen {

/// On builtin.module, before codegen-strategy.
std::unique_ptr<mlir::Pass> createUseStrategiesPass(llvm::StringRef file = "");

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_USESTRATEGIES_H
