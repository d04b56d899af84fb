//===- NestBuffers.h - Where the intermediates of nests live ----*- C++ -*-===//
//
// A value between a root and its epilogue lives in registers, between stages of
// a row in a buffer of one row on the task's stack, between groups on the
// kernel's stack or in its workspace.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTBUFFERS_H
#define CORNU_CODEGEN_SCHEDULE_NESTBUFFERS_H

#include "codegen/schedule/NestLoops.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// Bytes of a buffer of known shape.
int64_t byteSize(mlir::MemRefType type);

/// Erases an allocation that is only filled; false if there are other uses.
bool eraseUnused(mlir::RewriterBase &rewriter, mlir::memref::AllocOp alloc);

/// Puts a buffer that nobody frees in the place of an allocation.
void replaceAllocation(mlir::RewriterBase &rewriter,
                       mlir::memref::AllocOp alloc, mlir::Value buffer);

/// Marks the buffers that only carry a value from a root to its epilogues.
void findDeadBuffers(llvm::MutableArrayRef<Nest> nests);

/// What runs in one loop over rows.
struct NestRows {
  llvm::ArrayRef<mlir::linalg::GenericOp> stages;
  llvm::ArrayRef<Nest> nests;                 ///< of the stages
  llvm::ArrayRef<mlir::linalg::FillOp> fills; ///< that the nests take over
  unsigned numRows; ///< leading loops of each stage that are rows
};

/// Shrinks the intermediates of a group to what one row needs.
void makeRowBuffers(mlir::OpBuilder &builder, const NestRows &group);

/// A part of the kernel's workspace.
mlir::Value workspaceView(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::func::FuncOp kernel, mlir::MemRefType type);

/// Places what nests of different groups pass on: on the stack, or in the
/// workspace. Only a size that depends on the batch stays an allocation.
void placeBuffers(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTBUFFERS_H
