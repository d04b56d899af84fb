//===- CutReduction.h - Reductions in parts ---------------------*- C++ -*-===//
//
// A reduction of everything leaves one partial result per task in the kernel's
// workspace, and adds them up in the order of the tasks:
//
//   codegen.parallel (%task) to %count { partial[task] = sum of its part }
//   y = ((y + partial[0]) + partial[1]) + ...
//
// so the result does not depend on the number of threads.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CUTREDUCTION_H
#define CORNU_CODEGEN_SCHEDULE_CUTREDUCTION_H

#include "codegen/schedule/NestLoops.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// The reduction loop of `nest` whose parts can be computed apart: the
/// outermost one. None where that would not pay or cannot be.
std::optional<unsigned> reductionToCut(const Nest &nest,
                                       mlir::func::FuncOp kernel);

/// Emits `nest` with loop `cut` in parts; `ranges` are those of all its loops.
void emitCutReduction(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel,
                      const Nest &nest, llvm::ArrayRef<NestRange> ranges,
                      unsigned cut);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CUTREDUCTION_H
