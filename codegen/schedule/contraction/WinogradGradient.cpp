//===- WinogradGradient.cpp - The gradient of a kernel, transformed -------===//
//
//   codegen.parallel over partial sums, blocks of channels and lanes
//     S[point][part][c][lanes] = 0
//     for each block of squares of the partial sum
//       for each patch:   V[point][patch][c]      = B^T d B
//       for each square:  E[point][square][lanes] = A e A^T
//       for each point and part of the window:
//         S[point][part] += V^T E                        the register tile
//   codegen.parallel over channels
//     G^T (sum of the partial sums) G, epilogue, store
//
// The rows of the register tile are channels, its steps are squares.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/NestBuffers.h"
#include "codegen/schedule/contraction/Winograd.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

/// Blocks of squares that a partial sum has at least: its own addition and the
/// transform of its points would cost more than a task less.
static constexpr int64_t kLeastBlocks = 4;

void ContractionNest::emitWinogradGradient(Winograd &plan) {
  const WinogradForm &window = plan.form;
  int64_t channels = plan.patchSource.channels,
          lanes = plan.squareSource.channels;
  Value blocks = math.ceilDiv(plan.total, plan.squares);
  Value blocksPerSum = math.ceilDiv(blocks, plan.strategy.getSums());
  blocksPerSum = math.max(blocksPerSum, math.constant(kLeastBlocks));
  Value sums = math.ceilDiv(blocks, blocksPerSum);

  int64_t elements =
      plan.strategy.getSums() * plan.points * plan.pointWeights();
  plan.kernel =
      workspaceView(builder, loc, root->getParentOfType<func::FuncOp>(),
                    MemRefType::get({elements}, element));
  int64_t across = window.lanes / lanes;
  int64_t perSum = window.channels / channels * across;
  forTasks(math.mul(sums, perSum), [&](Value index) {
    Value sum = math.div(index, math.constant(perSum));
    Value block = math.rem(index, math.constant(perSum));
    plan.patchSource.firstChannel =
        math.mul(math.div(block, math.constant(across)), channels);
    plan.squareSource.firstChannel =
        math.mul(math.rem(block, math.constant(across)), lanes);
    allocatePoints(plan);
    int64_t taskElements =
        plan.points * plan.parts * plan.parts * channels * plan.row;
    Value at = math.mul(index, taskElements);
    forRange(math.constant(0), math.constant(taskElements), width,
             [&](Value i) {
               vector::StoreOp::create(builder, loc, zeroOf(width), plan.kernel,
                                       ValueRange{math.add(at, i)});
             });
    Value first = math.mul(sum, blocksPerSum);
    Value last = math.min(math.add(first, blocksPerSum), blocks);
    forRange(first, last, 1, [&](Value block) {
      Value count = startSquares(plan, math.mul(block, plan.squares),
                                 math.constant(plan.squares));
      forRange(math.constant(0), count, 1, [&](Value square) {
        SmallVector<Value> loops = squareIndices(
            plan, math.add(plan.firstSquare, square), plan.squaresOf);
        transformInto(plan, plan.squareSource, loops,
                      plan.transform.output.transposed(), plan.products, square,
                      plan.row, plan.productStep);
      });
      forRange(math.constant(0), math.constant(plan.points), 1,
               [&](Value point) { addProducts(plan, point, count, at); });
    });
  });
  forTasks(math.constant(window.channels), [&](Value channel) {
    plan.square = allocate(window.taps * window.taps * width);
    forRange(math.constant(0), math.constant(plan.lanes), width,
             [&](Value lane) { finishTaps(plan, channel, lane, sums); });
  });
}

/// S += V^T E for one point, and the part of S from `at` on.
void ContractionNest::addProducts(const Winograd &plan, Value point,
                                  Value count, Value at) {
  int64_t channels = plan.patchSource.channels;
  // Tiles of equal height, but for the last.
  int64_t mr =
      llvm::divideCeil(channels, llvm::divideCeil(channels, strategy.getMr()));
  int64_t full = channels / mr * mr;
  auto forPart = [&](Value down, Value across) {
    Value patches = math.add(math.mul(down, plan.patchesOf(1)), across);
    Value left =
        math.add(math.mul(point, plan.patchStep), math.mul(patches, channels));
    Value right = math.mul(point, plan.productStep);
    Value part = math.add(
        math.mul(math.add(math.mul(point, plan.parts), down), plan.parts),
        across);
    Value out = math.add(at, math.mul(part, channels * plan.row));
    forPanels(plan, [&](Value lane, int64_t columns) {
      auto tiles = [&](int64_t from, int64_t to, int64_t rows) {
        forRange(math.constant(from), math.constant(to), rows, [&](Value row) {
          addTile(plan, math.add(left, row), math.add(right, lane),
                  math.add(math.add(out, math.mul(row, plan.row)), lane), rows,
                  columns / width, count);
        });
      };
      tiles(0, full, mr);
      if (full < channels)
        tiles(full, channels, channels - full);
    });
  };
  if (plan.parts == 1)
    return forPart(math.constant(0), math.constant(0));
  Value firstDown, firstAcross;
  std::tie(firstDown, firstAcross) = firstParts(plan, point);
  forRange(firstDown, math.constant(plan.parts), 1, [&](Value down) {
    forRange(firstAcross, math.constant(plan.parts), 1,
             [&](Value across) { forPart(down, across); });
  });
}

/// A tile of S at `out`, so many channels by so many vectors of lanes, plus
/// what `count` squares add: `left` and `right` are their places in V and E.
void ContractionNest::addTile(const Winograd &plan, Value left, Value right,
                              Value out, int64_t rows, unsigned vectors,
                              Value count) {
  int64_t channels = plan.patchSource.channels;
  auto vectorType = VectorType::get({width}, element);
  SmallVector<Value> places, sums;
  for (int64_t r = 0; r < rows; ++r)
    for (unsigned v = 0; v < vectors; ++v) {
      places.push_back(
          addConstant(builder, loc, out, r * plan.row + v * width));
      sums.push_back(vector::LoadOp::create(
          builder, loc, vectorType, plan.kernel, ValueRange{places.back()}));
    }
  auto addRun = [&](Value left, Value right, Value steps, ValueRange initial) {
    return addTerms(
        plan, rows, plan.products, steps,
        [&](Value step, int64_t r) {
          return addConstant(builder, loc,
                             math.add(left, math.mul(step, channels)), r);
        },
        [&](Value step) { return math.add(right, math.mul(step, plan.row)); },
        initial);
  };
  if (plan.parts == 1) {
    sums = addRun(left, right, count, sums);
  } else {
    // The patches of a row of squares are neighbours, those of the next are
    // some further.
    int64_t perRow = plan.squaresOf[1];
    auto loop = scf::ForOp::create(
        builder, loc, math.constant(0), count, math.constant(perRow), sums,
        [&](OpBuilder &, Location, Value square, ValueRange accumulators) {
          Value patch =
              math.sub(patchOf(plan, math.add(plan.firstSquare, square)),
                       plan.firstPatch);
          scf::YieldOp::create(
              builder, loc,
              addRun(math.add(left, math.mul(patch, channels)),
                     math.add(right, math.mul(square, plan.row)),
                     math.constant(perRow), accumulators));
        });
    sums = SmallVector<Value>(loop.getResults());
  }
  for (auto [place, sum] : llvm::zip(places, sums))
    vector::StoreOp::create(builder, loc, sum, plan.kernel, ValueRange{place});
}

/// The window of one channel and the vector of lanes from `lane` on.
void ContractionNest::finishTaps(const Winograd &plan, Value channel,
                                 Value lane, Value sums) {
  const WinogradForm &window = plan.form;
  int64_t channels = plan.patchSource.channels,
          lanes = plan.squareSource.channels, patch = plan.transform.patch;
  auto vectorType = VectorType::get({width}, element);
  int64_t partElements = channels * plan.row,
          pointElements = plan.parts * plan.parts * partElements;
  // The place in a partial sum of the first point and part.
  Value block = math.add(math.mul(math.div(channel, math.constant(channels)),
                                  window.lanes / lanes),
                         math.div(lane, math.constant(lanes)));
  Value at = math.mul(block, plan.points * pointElements);
  at = math.add(at,
                math.mul(math.rem(channel, math.constant(channels)), plan.row));
  at = math.add(at, math.rem(lane, math.constant(lanes)));

  SmallVector<Value> taps(window.taps * window.taps);
  auto transformPart = [&](int64_t down, int64_t across) {
    const WinogradTransform::Part *parts[2] = {&plan.transform.parts[down],
                                               &plan.transform.parts[across]};
    auto load = [&](Value sum) {
      SmallVector<Value> points;
      Value from =
          math.add(at, math.mul(sum, plan.points * plan.pointWeights()));
      from = math.add(from, (down * plan.parts + across) * partElements);
      for (size_t i = 0; i < parts[0]->kernel.rows; ++i)
        for (size_t j = 0; j < parts[1]->kernel.rows; ++j)
          points.push_back(vector::LoadOp::create(
              builder, loc, vectorType, plan.kernel,
              ValueRange{addConstant(builder, loc, from,
                                     (i * patch + j) * pointElements)}));
      return points;
    };
    auto loop = scf::ForOp::create(
        builder, loc, math.constant(1), sums, math.constant(1),
        load(math.constant(0)),
        [&](OpBuilder &, Location, Value sum, ValueRange totals) {
          SmallVector<Value> next;
          for (auto [total, value] : llvm::zip(totals, load(sum)))
            next.push_back(arith::AddFOp::create(builder, loc, total, value));
          scf::YieldOp::create(builder, loc, next);
        });
    SmallVector<Value> ofPart =
        transformSquare(builder, loc, parts[0]->kernel.transposed(),
                        parts[1]->kernel.transposed(), loop.getResults());
    size_t columns = parts[1]->kernel.columns;
    for (auto [k, value] : llvm::enumerate(ofPart))
      taps[(parts[0]->tap + int64_t(k / columns)) * window.taps +
           parts[1]->tap + int64_t(k % columns)] = value;
  };
  for (int64_t down = 0; down < plan.parts; ++down)
    for (int64_t across = 0; across < plan.parts; ++across)
      transformPart(down, across);
  SmallVector<Value> first(root.getNumLoops());
  first[window.channel] = channel;
  Value side = math.constant(window.taps);
  finishSums(plan, taps, window.taps, {side, side}, first,
             {window.axes[0].tap, window.axes[1].tap}, lane);
}

} // namespace cornu::codegen
