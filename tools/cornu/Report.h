//===- Report.h - Kernels of a model in words -------------------*- C++ -*-===//
//
//   predict: 5 kernels
//   kernel    calls     FLOP  + a sample     bytes  + a sample   share  ...
//   kernel_1      1        0      2.88 k       160         832   63.1%  ...
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TOOLS_CORNU_REPORT_H
#define CORNU_TOOLS_CORNU_REPORT_H

#include "mlir/IR/BuiltinOps.h"
#include <string>

namespace cornu::tools {

/// What `cornu compile --report` prints: for predict, evaluate_step and
/// train_step of a module at the stage of kernels, each kernel's calls,
/// operations, bytes, strategy and layers. Its share is that of the entry's
/// time, were each kernel as fast as the machine's multiply-adds and memory
/// allow, at the model's batch or Keras's default.
std::string kernelReport(mlir::ModuleOp module, bool json);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_REPORT_H
