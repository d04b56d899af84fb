//===- NestedGrids.h - Grids inside a task ----------------------*- C++ -*-===//
//
// A kernel that is cut into blocks (strategy/Blocks.h) has a grid around what
// is scheduled as if it were kernels of their own. Their grids become loops of
// the task, in its worker's workspace.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTEDGRIDS_H
#define CORNU_CODEGEN_SCHEDULE_NESTEDGRIDS_H

#include "codegen/IR/Codegen.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// The outermost grid around `op`, or null.
ParallelOp enclosingGrid(mlir::Operation *op);

/// Where a buffer on the stack can be allocated for `op` once and for all: at
/// the start of its task, or of its kernel.
mlir::Block *stackBlock(mlir::Operation *op);

/// Makes grids inside a task loops, and gives the task's allocations a place in
/// its worker's workspace.
void serializeNestedGrids(mlir::RewriterBase &rewriter,
                          mlir::func::FuncOp kernel);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTEDGRIDS_H
