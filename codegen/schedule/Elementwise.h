//===- Elementwise.h - A linalg body on vectors -----------------*- C++ -*-===//
//
// The two halves of every nest's innermost code: read the operands of a
// linalg.generic at a point of its loops, and compute its scalar body there,
// for `width` neighbouring points at once.
//
// A point is given by one index per loop. `lanes` names the loops that run
// along the lanes of a vector: their indices are those of lane 0.
//
//   // out[i, j] = max(x[i, j] + bias[j], 0), eight j at a time
//   VectorType type = VectorType::get({8}, f32);
//   Value x = loadOperand(b, loc, op, 0, {i, j}, /*lanes=*/1, type);
//   Value bias = loadOperand(b, loc, op, 1, {i, j}, /*lanes=*/1, type);
//   Value old = loadOperand(b, loc, op, 2, {i, j}, /*lanes=*/1, type);
//   SmallVector<Value> y =
//       emitBody(b, op, {x, bias, old}, {i, j}, /*lanes=*/1, /*width=*/8);
//   storeOperand(b, loc, op, 2, y[0], {i, j}, /*lanes=*/1);
//
// Width 1 (and a null vector type) means scalars throughout.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_ELEMENTWISE_H
#define CORNU_CODEGEN_SCHEDULE_ELEMENTWISE_H

#include "codegen/schedule/Lanes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace cornu::codegen {

/// The indices of the memref of operand `operand` at a point of the loops.
/// Constants are gathered, so that equal addresses are written equally.
llvm::SmallVector<mlir::Value> operandIndices(mlir::OpBuilder &builder,
                                              mlir::Location loc,
                                              mlir::linalg::GenericOp op,
                                              unsigned operand,
                                              mlir::ValueRange loopIndices);

/// The value of operand `operand` at a point, as a vector of `type` along
/// `lanes`: broadcast where it does not depend on the lane, one vector.load
/// where it is contiguous, a few and shuffles where it is nearly so, one scalar
/// load per lane otherwise. A null `type` gives a scalar.
mlir::Value loadOperand(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::linalg::GenericOp op, unsigned operand,
                        mlir::ValueRange loopIndices, const Lanes &lanes,
                        mlir::VectorType type);

/// The elements of operand `operand` at `offsets`, counted from the one at the
/// point, in a few loads; nothing but what lies between them is touched. The
/// operand's last dimension is contiguous.
mlir::Value loadElements(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::linalg::GenericOp op, unsigned operand,
                         mlir::ValueRange loopIndices,
                         llvm::ArrayRef<int64_t> offsets);

/// Stores `value` (a vector along `lanes`, or a scalar) to operand `operand`.
void storeOperand(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::linalg::GenericOp op, unsigned operand,
                  mlir::Value value, mlir::ValueRange loopIndices,
                  const Lanes &lanes);

/// Computes the body of `op` at a point from the values of all its operands,
/// outputs included, in order; returns the yielded values. A value that the
/// body does not use may be null. Values that are the
/// same for all lanes are computed once, as scalars. Accesses of memrefs in
/// the body become one load where all lanes read the same element or
/// neighbouring ones, one per lane otherwise. Multiplications and additions
/// may contract to fused multiply-adds.
llvm::SmallVector<mlir::Value> emitBody(mlir::OpBuilder &builder,
                                        mlir::linalg::GenericOp op,
                                        mlir::ValueRange args,
                                        mlir::ValueRange loopIndices,
                                        const Lanes &lanes, unsigned width);

/// True where emitBody can compute the body of `op` on vectors. Bodies with
/// regions of their own run at width 1.
bool isVectorizable(mlir::linalg::GenericOp op);

/// An extent as full vectors and powers of two, so that no lane is masked:
/// lanePieces(10, 8) is {8, 2}, lanePieces(19, 8) is {8, 8, 2, 1}.
llvm::SmallVector<unsigned> lanePieces(int64_t extent, unsigned width);

/// `value` + `constant`, folded into a constant already added to `value`.
mlir::Value addConstant(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value value, int64_t constant);

/// `value` as a vector of `width` lanes (itself if it is one); width 1 leaves
/// a scalar.
mlir::Value splat(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Value value, unsigned width);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_ELEMENTWISE_H
