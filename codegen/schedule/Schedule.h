//===- Schedule.h - Applies the strategies of a kernel ----------*- C++ -*-===//
//
// Pass `codegen-schedule`: replaces the linalg ops of a kernel by loops over
// vectors in a grid of tasks, as the attribute `codegen.strategy` of each says.
//
//   #codegen.contraction  -> schedule/contraction
//   #codegen.nest         -> NestGrid
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_SCHEDULE_H
#define CORNU_CODEGEN_SCHEDULE_SCHEDULE_H

#include "mlir/Pass/Pass.h"
#include <memory>

namespace cornu::codegen {

/// On func.func: kernels on memrefs with strategies.
std::unique_ptr<mlir::Pass> createSchedulePass();

void registerSchedulePasses();

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_SCHEDULE_H
