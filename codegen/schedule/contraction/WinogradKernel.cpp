//===- WinogradKernel.cpp - The transformed kernel ------------------------===//

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/NestBuffers.h"
#include "codegen/schedule/contraction/Winograd.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

/// The transform of one part of the window, for `count` weights from `offset`
/// on of each tap, `stride` apart: points by rows.
SmallVector<Value> ContractionNest::transformPart(const Winograd &plan,
                                                  Value offset,
                                                  OpFoldResult stride,
                                                  unsigned count, int64_t down,
                                                  int64_t across) {
  const WinogradForm &window = plan.form;
  const LinearView &weights = views[form.right];
  const WinogradTransform::Part *parts[2] = {&plan.transform.parts[down],
                                             &plan.transform.parts[across]};
  SmallVector<Value> taps;
  for (size_t i = 0; i < parts[0]->kernel.columns; ++i)
    for (size_t j = 0; j < parts[1]->kernel.columns; ++j) {
      Value at = offset;
      size_t steps[] = {i, j};
      for (auto [axis, part, step] : llvm::zip(window.axes, parts, steps)) {
        int64_t tap = part->tap + int64_t(step);
        if (axis.backwards)
          tap = window.taps - 1 - tap;
        at = math.add(at,
                      math.mul(math.constant(tap), weights.strides[axis.tap]));
      }
      taps.push_back(loadLanes(weights.buffer, at, stride, count));
    }
  return transformSquare(builder, loc, parts[0]->kernel, parts[1]->kernel,
                         taps);
}

/// U as the register tile reads it: [point][panel of nr lanes][part][c][lanes].
void ContractionNest::transformKernel(Winograd &plan) {
  int64_t channels = plan.form.channels;
  int64_t elements = plan.points * plan.pointWeights();
  plan.kernel =
      workspaceView(builder, loc, root->getParentOfType<func::FuncOp>(),
                    MemRefType::get({elements}, element));
  Value tasks = math.constant(llvm::divideCeil(channels, width));
  forTasks(tasks, [&](Value index) {
    Value first = math.mul(index, width);
    for (int64_t down = 0; down < plan.parts; ++down)
      for (int64_t across = 0; across < plan.parts; ++across)
        transformChannels(plan, first, down, across);
  });
}

/// U for one part of the window and the channels [first, first + width).
void ContractionNest::transformChannels(const Winograd &plan, Value first,
                                        int64_t down, int64_t across) {
  const WinogradForm &window = plan.form;
  const LinearView &weights = views[form.right];
  int64_t lanes = window.lanes, patch = plan.transform.patch;
  OpFoldResult one = builder.getIndexAttr(1);
  auto vectorType = VectorType::get({width}, element);
  int64_t part = down * plan.parts + across;
  size_t rows = plan.transform.parts[down].kernel.rows;
  size_t columns = plan.transform.parts[across].kernel.rows;
  // The point of value i of the part's transform, which may have fewer columns.
  auto pointOf = [&](Value i) {
    Value inRow = math.constant(columns);
    return math.add(math.mul(math.div(i, inRow), patch), math.rem(i, inRow));
  };
  // Where lanes [lane, lane + width) of a channel stand within a point.
  auto place = [&](Value channel, Value lane) {
    Value nr = math.constant(plan.nr);
    Value panel = math.mul(math.div(lane, nr), nr);
    Value inPanel = math.min(nr, math.sub(math.constant(plan.lanes), panel));
    Value term = math.add(channel, part * window.channels);
    return math.add(
        math.add(math.mul(panel, plan.terms()), math.mul(term, inPanel)),
        math.sub(lane, panel));
  };
  auto store = [&](Value vector, Value point, Value at) {
    vector::StoreOp::create(
        builder, loc, vector, plan.kernel,
        ValueRange{math.add(math.mul(point, plan.pointWeights()), at)});
  };
  Value base =
      math.add(weights.base, math.mul(first, weights.strides[window.channel]));
  // Vectors along the channels are transposed, where they are full.
  bool transposes = weights.stride(form.lane) != 1 &&
                    weights.stride(window.channel) == 1 &&
                    window.channels % width == 0 && lanes % width == 0;
  if (!transposes) {
    Value count = math.min(math.constant(width),
                           math.sub(math.constant(window.channels), first));
    return forRange(math.constant(0), count, 1, [&](Value c) {
      Value row = math.add(base, math.mul(c, weights.strides[window.channel]));
      Value channel = math.add(first, c);
      auto transform = [&](Value lane, unsigned piece) {
        Value offset =
            math.add(row, math.mul(lane, weights.strides[form.lane]));
        Value at = place(channel, lane);
        for (auto [i, value] : llvm::enumerate(
                 transformPart(plan, offset, weights.strides[form.lane], piece,
                               down, across)))
          store(value, pointOf(math.constant(i)), at);
      };
      // A vector may reach back within its panel.
      int64_t back =
          lanes - std::min<int64_t>(width, llvm::bit_floor(uint64_t(lanes)));
      if (back / plan.nr == (lanes - 1) / plan.nr)
        forOverlapping(lanes, transform);
      else
        forSpan(math.constant(0), math.constant(lanes), transform);
      // Lanes that only fill the last vector are zero.
      forSpan(math.constant(lanes), math.constant(plan.lanes),
              [&](Value lane, unsigned piece) {
                Value at = place(channel, lane);
                for (size_t i = 0; i < rows * columns; ++i)
                  store(zeroOf(piece), pointOf(math.constant(i)), at);
              });
    });
  }
  forRange(math.constant(0), math.constant(lanes), width, [&](Value lane) {
    workspaceUsed = 0;
    Value block = allocate(rows * columns * width * width);
    auto inBlock = [&](Value i, Value l) {
      return math.add(math.mul(i, width * width), math.mul(l, width));
    };
    forRange(math.constant(0), math.constant(width), 1, [&](Value l) {
      Value offset = math.add(
          base, math.mul(math.add(lane, l), weights.strides[form.lane]));
      for (auto [i, value] : llvm::enumerate(
               transformPart(plan, offset, one, width, down, across)))
        vector::StoreOp::create(builder, loc, value, block,
                                ValueRange{inBlock(math.constant(i), l)});
    });
    forRange(math.constant(0), math.constant(rows * columns), 1, [&](Value i) {
      SmallVector<Value> square;
      for (unsigned l = 0; l < width; ++l)
        square.push_back(
            vector::LoadOp::create(builder, loc, vectorType, block,
                                   ValueRange{inBlock(i, math.constant(l))}));
      Value point = pointOf(i);
      for (auto [c, row] : llvm::enumerate(transpose(builder, loc, square)))
        store(row, point, place(math.add(first, c), lane));
    });
  });
}

} // namespace cornu::codegen
