//===- NestGrid.h - Nests on a grid of tasks --------------------*- C++ -*-===//
//
// Replaces the generics of a kernel that have a #codegen.nest by loops in a
// grid of tasks:
//
//   codegen.parallel (%task, %worker) to %count if %large {
//     scf.for %row = %first to %last {
//       m = max of the row; e = exp(...) into a buffer of one row; ...
//     }
//   }
//
// Tasks are cut by shape: rows where there are any, else the longest loop. A
// reduction of everything leaves one partial result per task in the kernel's
// workspace, and adds them up in the order of the tasks.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTGRID_H
#define CORNU_CODEGEN_SCHEDULE_NESTGRID_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// Schedules all nests of `kernel`.
mlir::LogicalResult scheduleNests(mlir::RewriterBase &rewriter,
                                  mlir::func::FuncOp kernel);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTGRID_H
