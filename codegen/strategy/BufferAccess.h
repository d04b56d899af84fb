//===- BufferAccess.h - Who reads and writes a buffer -----------*- C++ -*-===//
//
// The dependences between the ops of a kernel are the buffers they share. A
// view is its buffer; distinct arguments of a kernel do not overlap.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_BUFFERACCESS_H
#define CORNU_CODEGEN_STRATEGY_BUFFERACCESS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace cornu::codegen {

/// The buffer that `value` is a view of.
mlir::Value baseBuffer(mlir::Value value);

/// True for a buffer that only the kernel itself sees.
bool isPrivateBuffer(mlir::Value base);

/// True if `op`, or an op inside it, may read (write) the buffer `base`.
bool readsBuffer(mlir::Operation *op, mlir::Value base);
bool writesBuffer(mlir::Operation *op, mlir::Value base);

/// The base buffers that a generic reads: inputs, read outputs, and memrefs
/// that its body loads from.
llvm::SmallVector<mlir::Value> buffersRead(mlir::linalg::GenericOp op);

/// The base buffers of a generic's outputs.
llvm::SmallVector<mlir::Value> buffersWritten(mlir::linalg::GenericOp op);

/// True if the body of `reader` loads from one of the base buffers `buffers`,
/// at indices that it computes.
bool gathersFrom(mlir::linalg::GenericOp reader,
                 llvm::ArrayRef<mlir::Value> buffers);

/// The ops strictly between two ops of one block.
llvm::SmallVector<mlir::Operation *> opsBetween(mlir::Operation *first,
                                                mlir::Operation *second);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_BUFFERACCESS_H
