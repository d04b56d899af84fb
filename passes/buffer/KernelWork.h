//===- KernelWork.h - What a call computes and moves ------------*- C++ -*-===//
//
//   func.func private @kernel_4(%x: memref<?x148xf32>, %w: memref<148x3xf32>,
//                               %y: memref<?x3xf32>, ...)
//   call @kernel_4(...) {cornu.work = {
//       calls = 1 : i64, flops = 0 : i64, flops_per_sample = 888 : i64,
//       bytes = 1776 : i64, bytes_per_sample = 604 : i64}}
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_BUFFER_KERNELWORK_H
#define CORNU_PASSES_BUFFER_KERNELWORK_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include <optional>

namespace cornu::buffer {

/// fixed + per_sample * batch.
struct Amount {
  int64_t fixed = 0, perSample = 0;

  double at(int64_t batch) const {
    return double(fixed) + double(perSample) * double(batch);
  }
  Amount &operator+=(Amount other) {
    fixed += other.fixed;
    perSample += other.perSample;
    return *this;
  }
  friend Amount operator*(Amount amount, int64_t times) {
    return {amount.fixed * times, amount.perSample * times};
  }
  friend bool operator==(Amount a, Amount b) {
    return a.fixed == b.fixed && a.perSample == b.perSample;
  }
};

struct Work {
  /// Operations on floats: an addition, a multiplication, an exponential are
  /// one each, a multiply-add is two; comparisons, selections, conversions and
  /// integers do not count. That of the kernel as it was fused, before codegen
  /// looks for a form with fewer.
  Amount flops;
  /// Of the kernel's arguments: each element that it reads counts once, each
  /// that it writes once. What a kernel keeps to itself does not count.
  Amount bytes;
  /// How often the call runs when its entry runs once: loops around it. The
  /// amounts are those of one time.
  int64_t calls = 1;
};

/// The work of one call; nothing where it is not a linear function of the
/// batch.
std::optional<Work> workOf(mlir::func::CallOp call, mlir::func::FuncOp kernel);

/// The same of a copy in an entry, which is not in a kernel.
std::optional<Work> workOf(mlir::memref::CopyOp copy);

/// Writes the work on a call or a copy.
void describeWork(mlir::Operation *op, const Work &work);

/// The work that `buffer-describe-kernels` has written on a call or a copy.
std::optional<Work> describedWork(mlir::Operation *op);

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_KERNELWORK_H
