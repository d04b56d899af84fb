//===- NestRanges.h - Loops over ranges in steps ----------------*- C++ -*-===//
//
// A loop of a nest runs over a range; its body takes one or several steps at
// once:
//
//   stepThrough([0, 10), steps {8, 2})      body(0, 8), body(8, 2)
//   stepThrough([0, %n), steps {8, 1})      scf.for 0 to n - n % 8 step 8 ...
//                                           scf.for n - n % 8 to n step 1 ...
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_NESTRANGES_H
#define CORNU_CODEGEN_SCHEDULE_NESTRANGES_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

namespace cornu::codegen {

/// The values of one loop: [lower, upper), or only `lower` if `upper` is null.
struct NestRange {
  mlir::Value lower, upper;
  bool isFixed() const { return !upper; }
};

/// The ranges [0, size) of all loops of `op`.
llvm::SmallVector<NestRange> fullRanges(mlir::OpBuilder &builder,
                                        mlir::linalg::GenericOp op);

/// The number of iterations if it is known.
std::optional<int64_t> staticExtent(const NestRange &range);

/// Loop-carried values.
using Carried = llvm::SmallVector<mlir::Value>;
/// Body of a loop: index, number of steps taken at once, loop-carried values.
using LoopBody = llvm::function_ref<Carried(mlir::OpBuilder &, mlir::Value,
                                            unsigned, mlir::ValueRange)>;

/// Runs over `range` in the first of `steps`, then over what is left in the
/// next, and so on. Full steps that are one or `unroll` at most are not a loop.
Carried stepThrough(mlir::OpBuilder &builder, mlir::Location loc,
                    NestRange range, llvm::ArrayRef<unsigned> steps,
                    unsigned unroll, mlir::ValueRange initial, LoopBody body);

/// Steps along the lane: `vectors` vectors, one vector, then a shorter one if
/// the extent is static, ones if not.
llvm::SmallVector<unsigned> laneSteps(unsigned width, unsigned vectors,
                                      const NestRange &range);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_NESTRANGES_H
