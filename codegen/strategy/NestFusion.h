//===- NestFusion.h - Fewer, larger nests -----------------------*- C++ -*-===//
//
// Brings the linalg ops of a kernel to the form that nests are scheduled from:
//
//   fill, copy, map, named ops        -> linalg.generic (constant fills stay)
//   pad -> window reduction           -> guarded window, no padded buffer
//   %t = f(x); y = g(%t)              -> y = g(f(x)), %t is gone
//   y = f(x); z = g(x)                -> y, z = f(x), g(x) in one nest
//
// Buffers are the dependences: distinct arguments of a kernel do not overlap.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_NESTFUSION_H
#define CORNU_CODEGEN_STRATEGY_NESTFUSION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// Named ops, copies and maps become linalg.generic; linalg.fill stays.
void generalizeOps(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel);

/// Removes padded buffers: a window reduction skips the positions outside
/// where the padding is neutral, other readers select.
void removePadding(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel);

/// Computes elementwise producers where they are used.
void inlineProducers(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel);

/// Merges nests over the same loops.
void mergeNests(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel);

/// Erases buffers that nobody reads and the fills and nests that only write
/// them.
void eraseDeadBuffers(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_NESTFUSION_H
