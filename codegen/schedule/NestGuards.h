//===- NestGuards.h - Windows that reach over the border --------*- C++ -*-===//
//
// A guarded operand (`codegen.guards`) is indexed outside its bounds at some
// points, which do not take part. The loops skip them by their bounds:
//
//   x[n, 2*oh + kh - 1, c]:   kh runs from max(0, 1 - 2*oh)
//                                     to min(KH, H + 1 - 2*oh)
//
// and a register tile over `oh` splits into borders, where single points are
// bounded so, and an interior, where every tap is inside. Along the lanes,
// where the loops of the guards have constant indices, a border is a vector in
// which some lanes do not take part: lanes ow = 0 .. 7 at tap kw = 0 without
// the first.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTGUARDS_H
#define CORNU_CODEGEN_SCHEDULE_NESTGUARDS_H

#include "codegen/schedule/LinearExpr.h"
#include "codegen/schedule/NestLoops.h"

namespace cornu::codegen {

/// A guard 0 <= sum of coefficients[i] * loop i + constant < extent.
struct Guard {
  unsigned operand, dim;
  llvm::SmallVector<int64_t> coefficients;
  int64_t constant;
  int64_t extent;
};

/// The guards of `op`.
llvm::SmallVector<Guard> guardsOf(mlir::linalg::GenericOp op);

/// `range` of loop `loop`, narrowed by the guards whose other loops have a
/// known index.
NestRange guardedRange(mlir::OpBuilder &builder, mlir::Location loc,
                       llvm::ArrayRef<Guard> guards, unsigned loop,
                       NestRange range, llvm::ArrayRef<mlir::Value> indices);

/// The part [first, second) of loop `loop` of which no guard that mentions it
/// can fail, whatever the other loops, which have these static sizes. Empty
/// if that cannot be said.
std::pair<int64_t, int64_t> interior(llvm::ArrayRef<Guard> guards,
                                     unsigned loop,
                                     llvm::ArrayRef<int64_t> sizes);

/// A piece [first, first + count) of a loop; not inside if guards that mention
/// it can fail there.
struct LoopPiece {
  int64_t first, count;
  bool isInside;
};

/// Cuts [0, size) into whole steps of `width` inside of `interior`, and pieces
/// of `width` or less around them.
llvm::SmallVector<LoopPiece>
cutAtBorders(int64_t size, std::pair<int64_t, int64_t> interior, int64_t width);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTGUARDS_H
