//===- TaskGrid.h - A range as a grid of tasks ------------------*- C++ -*-===//
//
// codegen.parallel (%task, %worker) to %count if %large {
//   first = %task * steps, last = min(first + steps, total)
// }
//
// A grid of one task is straight-line code; one of little work is a loop.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_TASKGRID_H
#define CORNU_CODEGEN_SCHEDULE_TASKGRID_H

#include "codegen/schedule/IndexMath.h"

namespace cornu::codegen {

/// What a grid runs over: `total` steps of `points` points each; a task gets a
/// multiple of `multiple` steps, and there are at most `maxTasks` tasks.
struct GridShape {
  mlir::Value total;
  mlir::Value points;
  int64_t grain = 0, serial = 0, multiple = 1;
  std::optional<int64_t> maxTasks;
};

/// The number of steps per task.
mlir::Value stepsPerTask(IndexMath &index, const GridShape &shape);

/// The body of a task: its number and the steps [first, last) that it takes.
using TaskBody = llvm::function_ref<void(mlir::OpBuilder &, mlir::Value task,
                                         mlir::Value first, mlir::Value last)>;

/// Emits the grid; returns the number of tasks.
mlir::Value emitGrid(mlir::OpBuilder &builder, mlir::Location loc,
                     const GridShape &shape, TaskBody body);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_TASKGRID_H
