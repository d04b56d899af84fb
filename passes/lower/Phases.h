//===- Phases.h - The positions that windows share taps at ------*- C++ -*-===//
//
// What windows give back to the positions they lie on. With stride s, a window
// at output o has its tap t at position o * s + t * dilation - low: positions
// of equal remainder modulo s are met by the same taps, those of another
// remainder by others. So the transpose of a sum over windows is a sum over
// taps for each phase:
//
//   stride 2, window 3:   x'[2q]     = y[q] * w[0] + y[q - 1] * w[2]
//                         x'[2q + 1] = y[q] * w[1]
//
// Every position is written once, by one reduction.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_LOWER_PHASES_H
#define CORNU_PASSES_LOWER_PHASES_H

#include "passes/lower/KernelLowering.h"

namespace cornu::lower {

/// The positions i with (i + low) mod stride = r of one dimension. They are
/// first, first + stride, ... (`count` of them); position number q receives
/// from output q + (taps - 1 - k) * step + shift through tap firstTap + k *
/// tapStep, for k in [0, taps). No taps: nothing reaches them.
struct Phase {
  int64_t first, count, taps, step, shift, firstTap, tapStep;
};

/// The windows of one dimension of `size` positions.
struct WindowAxis {
  int64_t stride, dilation, low, size, window;
};

llvm::SmallVector<Phase> phasesOf(const WindowAxis &axis);

/// Computes the positions of every combination of phases, one for each
/// dimension of `axes` (dimensions 1, 2, ... of `tensor`), into their part of
/// `tensor`: `compute(phases, part)` adds to a part that is zero.
mlir::Value
inPhases(KernelLowering &kernel, mlir::Location loc,
         llvm::ArrayRef<WindowAxis> axes, mlir::Value tensor,
         llvm::function_ref<mlir::Value(llvm::ArrayRef<Phase>, mlir::Value)>
             compute);

/// `output` with as much of `value` around (or taken off) as the phases read
/// from their first position to their last; null if they read nothing of it.
mlir::Value padForPhases(KernelLowering &kernel, mlir::Location loc,
                         mlir::Value output, llvm::ArrayRef<Phase> phases,
                         double value);

/// Where a nest whose loops 1, 2, ... are the positions of the phases, and
/// whose loops from `firstTap` on are their taps, reads what padForPhases
/// returns, in the dimensions of the phases.
Index readPositions(Nest &nest, llvm::ArrayRef<Phase> phases,
                    unsigned firstTap);

} // namespace cornu::lower

#endif // CORNU_PASSES_LOWER_PHASES_H
