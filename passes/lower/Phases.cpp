//===- Phases.cpp - The positions that windows share taps at --------------===//

#include "passes/lower/Phases.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

SmallVector<Phase> phasesOf(const WindowAxis &axis) {
  auto [stride, dilation, low, size, window] = axis;
  int64_t tapStep = stride / std::gcd(stride, dilation);
  SmallVector<Phase> phases;
  for (int64_t r = 0; r < stride; ++r) {
    Phase phase = {};
    phase.first = llvm::mod(r - low, stride);
    if (phase.first >= size)
      continue;
    phase.count = (size - phase.first + stride - 1) / stride;
    phase.tapStep = tapStep;
    phase.step = tapStep * dilation / stride;
    // The first tap that hits these positions, if any.
    int64_t tap = 0;
    while (tap < tapStep && (r - tap * dilation) % stride != 0)
      ++tap;
    if (tap < tapStep && tap < window) {
      phase.taps = (window - tap - 1) / tapStep + 1;
      phase.firstTap = tap;
      int64_t lastTap = tap + (phase.taps - 1) * tapStep;
      phase.shift = (phase.first + low - lastTap * dilation) / stride;
    }
    phases.push_back(phase);
  }
  return phases;
}

Value inPhases(KernelLowering &kernel, Location loc, ArrayRef<WindowAxis> axes,
               Value tensor,
               llvm::function_ref<Value(ArrayRef<Phase>, Value)> compute) {
  OpBuilder &b = kernel.builder();
  Value zero = kernel.constant(loc, elementType(tensor), 0);
  SmallVector<SmallVector<Phase>> all;
  bool isWhole = true;
  for (const WindowAxis &axis : axes) {
    all.push_back(phasesOf(axis));
    isWhole &= all.back().size() == 1;
  }
  // The phases in row-major order.
  SmallVector<unsigned> choice(axes.size(), 0);
  for (bool more = true; more;) {
    SmallVector<Phase> phases;
    int64_t rank = tensorType(tensor).getRank();
    Sizes offsets(rank, b.getIndexAttr(0)), strides(rank, b.getIndexAttr(1)),
        sizes;
    for (int64_t d = 0; d < rank; ++d)
      sizes.push_back(tensorSize(b, loc, tensor, d));
    for (auto [d, axis] : llvm::enumerate(axes)) {
      phases.push_back(all[d][choice[d]]);
      offsets[1 + d] = b.getIndexAttr(phases[d].first);
      sizes[1 + d] = b.getIndexAttr(phases[d].count);
      strides[1 + d] = b.getIndexAttr(axis.stride);
    }
    Value part = isWhole ? tensor
                         : tensor::ExtractSliceOp::create(
                               b, loc, tensor, offsets, sizes, strides);
    part = kernel.fill(loc, zero, part);
    if (llvm::all_of(phases, [](const Phase &phase) { return phase.taps > 0; }))
      part = compute(phases, part);
    tensor = isWhole ? part
                     : tensor::InsertSliceOp::create(b, loc, part, tensor,
                                                     offsets, sizes, strides);
    more = false;
    for (unsigned d = axes.size(); d-- > 0 && !more;) {
      more = ++choice[d] < all[d].size();
      if (!more)
        choice[d] = 0;
    }
  }
  return tensor;
}

Value padForPhases(KernelLowering &kernel, Location loc, Value output,
                   ArrayRef<Phase> phases, double value) {
  Shape low, high;
  for (auto [d, phase] : llvm::enumerate(phases)) {
    int64_t size = tensorType(output).getDimSize(1 + d);
    int64_t reach = phase.count + (phase.taps - 1) * phase.step;
    low.push_back(-phase.shift);
    high.push_back(std::max<int64_t>(0, reach + phase.shift - size));
    if (size + low[d] <= 0)
      return {};
  }
  return kernel.padSpatial(loc, output, low, high, value);
}

Index readPositions(Nest &nest, ArrayRef<Phase> phases, unsigned firstTap) {
  Index positions;
  for (auto [d, phase] : llvm::enumerate(phases))
    positions.push_back(nest.dim(1 + d) - nest.dim(firstTap + d) * phase.step +
                        (phase.taps - 1) * phase.step);
  return positions;
}

} // namespace cornu::lower
