//===- WinogradForm.cpp - Convolutions with minimal filtering -------------===//

#include "codegen/strategy/WinogradForm.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

/// The axis of a dimension of the left operand that is place +- tap + constant.
static std::optional<WinogradForm::Axis> axisOf(const LinearExpr &expr,
                                                ArrayRef<unsigned> places,
                                                ArrayRef<unsigned> taps,
                                                ArrayRef<int64_t> extents) {
  std::optional<unsigned> place, tap;
  for (auto [loop, coefficient] : llvm::enumerate(expr.coefficients)) {
    if (coefficient == 0)
      continue;
    if (coefficient == 1 && !place && llvm::is_contained(places, loop))
      place = loop;
    else if (std::abs(coefficient) == 1 && !tap &&
             llvm::is_contained(taps, loop))
      tap = loop;
    else
      return std::nullopt;
  }
  if (!place || !tap || ShapedType::isDynamic(extents[*place]) ||
      ShapedType::isDynamic(extents[*tap]))
    return std::nullopt;
  WinogradForm::Axis axis;
  axis.place = *place;
  axis.tap = *tap;
  axis.backwards = expr.coefficients[*tap] < 0;
  axis.first = expr.constant - (axis.backwards ? extents[*tap] - 1 : 0);
  axis.outputs = extents[*place];
  return axis;
}

/// The form of `op` where `places` are the loops over images and outputs, and
/// `window` those over taps and channel.
static std::optional<WinogradForm> formOf(linalg::GenericOp op,
                                          const ContractionForm &form,
                                          ArrayRef<unsigned> places,
                                          ArrayRef<unsigned> window) {
  if (window.size() != 3)
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<LinearExpr> left = *linearResults(maps[form.left]);
  WinogradForm result;
  unsigned found = 0;
  for (auto [dim, expr] : llvm::enumerate(ArrayRef(left).drop_back())) {
    if (std::optional<WinogradForm::Axis> axis =
            axisOf(expr, places, window, form.extents)) {
      if (found == 2)
        return std::nullopt;
      axis->dim = dim;
      result.axes[found++] = *axis;
      continue;
    }
    // All other dimensions are loops of their own.
    auto own = dyn_cast<AffineDimExpr>(maps[form.left].getResult(dim));
    if (!own || !llvm::is_contained(places, own.getPosition()))
      return std::nullopt;
  }
  auto last = dyn_cast<AffineDimExpr>(maps[form.left].getResults().back());
  if (found != 2 || !last || !llvm::is_contained(window, last.getPosition()))
    return std::nullopt;
  result.channel = last.getPosition();
  result.taps = form.extents[result.axes[0].tap];
  result.channels = form.extents[result.channel];
  result.lanes = form.extents[form.lane];
  for (unsigned loop : places)
    if (loop != result.axes[0].place && loop != result.axes[1].place)
      result.outer.push_back(loop);
  if (result.axes[0].tap == result.axes[1].tap ||
      form.extents[result.axes[1].tap] != result.taps ||
      ShapedType::isDynamic(result.channels) ||
      ShapedType::isDynamic(result.lanes))
    return std::nullopt;
  return result;
}

std::optional<WinogradForm> WinogradForm::of(linalg::GenericOp op,
                                             const ContractionForm &form) {
  if (!form.batch.empty() || !form.columns.empty() || form.sharedLane ||
      !getElementTypeOrSelf(op.getDpsInits()[0].getType()).isF32())
    return std::nullopt;
  if (auto result = formOf(op, form, form.rows, form.reduction))
    return result;
  // The gradient's squares lie in the right operand as its outputs would.
  AffineMap right = op.getIndexingMapsArray()[form.right];
  if (!right.isProjectedPermutation() ||
      right.getResults().back() != getAffineDimExpr(form.lane, op.getContext()))
    return std::nullopt;
  auto result = formOf(op, form, form.reduction, form.rows);
  if (!result || result->axes[0].backwards || result->axes[1].backwards)
    return std::nullopt;
  result->forKernel = true;
  return result;
}

namespace {
/// F(side x side, partTaps x partTaps) for a window of `taps` or a part of it.
struct Filtering {
  int64_t taps = 0, side = 0, partTaps = 0;

  int64_t patch() const { return side + partTaps - 1; }
  /// Of a side of the window; they begin `side` taps apart.
  int64_t parts() const { return (taps - partTaps) / side + 1; }
  /// Along an axis, of a square: a part that is not the last has a tap less,
  /// and so a point less.
  int64_t products() const { return patch() * parts() - (parts() - 1); }
};
} // namespace

/// Memory for the partial sums of a kernel's gradient beyond the first, at
/// most.
static constexpr int64_t kPartialSumBytes = 4 << 20;

/// Lanes of a task that does not read all of a large kernel. Measured for one
/// image of 7 x 7 and 512 x 512 weights: 4 such tasks take as long on a thread
/// as 3 tasks for a third of the squares, and on two threads 0.8 times.
static constexpr int64_t kTaskLanes = 128;

static SmallVector<Filtering> filteringsFor(int64_t taps) {
  switch (taps) {
  case 3:
    return {{taps, 4, 3}, {taps, 2, 3}};
  case 5:
    return {{taps, 2, 5}, {taps, 2, 3}};
  case 7:
    return {{taps, 2, 3}};
  default:
    return {};
  }
}

/// Cuts a kernel's gradient into blocks whose sums of products, `points` for
/// each pair of a channel and a lane, stay in half of the second cache.
static void cutKernel(int64_t points, int64_t &channels, int64_t &lanes,
                      const Target &target) {
  const int64_t width = target.lanes(), most = target.l2Bytes / 2;
  auto halve = [&](int64_t &extent) {
    if (extent <= 64 || extent % (2 * width) != 0)
      return false;
    extent /= 2;
    return true;
  };
  while (points * channels * lanes * int64_t(sizeof(float)) > most)
    if (!(channels > lanes ? halve(channels) || halve(lanes)
                           : halve(lanes) || halve(channels)))
      return;
}

namespace {
/// One way to compute a convolution, and what it takes.
struct WinogradCut {
  WinogradAttr strategy;
  double cycles = 0;
};
} // namespace

/// The elements of the vectors that an extent takes, as if all were full.
static int64_t filledVectors(int64_t extent, int64_t width) {
  return (extent / width + llvm::popcount(uint64_t(extent % width))) * width;
}

/// Multiply-adds in a cycle: a tile of one vector's width loads a broadcast for
/// each.
static double multiplyAddsPerCycle(const WinogradForm &form,
                                   const Target &target) {
  const int64_t width = target.lanes();
  return double(target.fmaPorts) * width *
         (form.lanes < 2 * width ? 0.65 : 1.0);
}

/// Pairs of a channel and a lane, lanes in full vectors.
static double pairsOf(const WinogradForm &form, const Target &target) {
  return double(form.channels) * llvm::alignTo(form.lanes, target.lanes());
}

/// Measured, for each point of a vector's patch: a load, a store, three
/// additions, its part of the epilogue.
static constexpr double kTransformCycles = 6.5;

/// The cycles of the products with so many squares.
static double productCycles(const Filtering &filtering,
                            const WinogradForm &form, int64_t squares,
                            const Target &target) {
  // With parts, a tile begins anew for each run of terms: as if it had two
  // terms more for the channels of one.
  double start =
      filtering.parts() > 1 && !form.forKernel ? 1 + 2.0 / form.channels : 1;
  return double(squares) * filtering.products() * filtering.products() *
         pairsOf(form, target) / multiplyAddsPerCycle(form, target) * start;
}

/// The cycles of the convolution as its loops say, of one image.
static double directCycles(const WinogradForm &form, const Target &target) {
  return double(form.axes[0].outputs) * form.axes[1].outputs * form.taps *
         form.taps * pairsOf(form, target) / multiplyAddsPerCycle(form, target);
}

static WinogradCut cutBy(const Filtering &filtering, MLIRContext *context,
                         const WinogradForm &form, int64_t mr,
                         const Target &target) {
  const int64_t width = target.lanes(), bytes = sizeof(float);
  const double pairs = pairsOf(form, target);
  const int64_t points = filtering.patch() * filtering.patch();
  const int64_t products = filtering.products() * filtering.products();
  int64_t squares = 1, patches = 1;
  for (const WinogradForm::Axis &axis : form.axes) {
    int64_t count = llvm::divideCeil(axis.outputs, filtering.side);
    squares *= count;
    patches *= count + filtering.parts() - 1;
  }
  // The blocks of a kernel's gradient transform the same squares anew.
  int64_t channels = form.channels, lanes = form.lanes;
  const int64_t sumPoints = points * filtering.parts() * filtering.parts();
  if (form.forKernel)
    cutKernel(sumPoints, channels, lanes, target);
  const int64_t blocks = form.channels / channels * (form.lanes / lanes);
  double transformed = patches * filledVectors(channels, width) +
                       squares * filledVectors(lanes, width);
  WinogradCut cut;
  cut.cycles = productCycles(filtering, form, squares, target) +
               kTransformCycles * points * transformed * blocks / width;
  // The transformed patches and products of a task fill half of the second
  // cache, but the transformed kernel is read for not too few of them.
  double perSquare = points * transformed / squares * bytes;
  int64_t perTask =
      std::clamp<int64_t>(target.l2Bytes / 2 / perSquare, 48, 192);
  if (form.forKernel) {
    // A point's patches are read from the first cache, for tile after tile.
    perTask = std::min<int64_t>(perTask, 64);
    int64_t sumBytes = sumPoints * int64_t(pairs) * bytes;
    int64_t sums = std::clamp<int64_t>(
        std::min(8 / blocks, kPartialSumBytes / sumBytes), 1, 8);
    cut.strategy =
        WinogradAttr::get(context, filtering.side, filtering.partTaps, perTask,
                          /*from=*/32, sums, channels, lanes,
                          /*transformed=*/false);
    return cut;
  }
  int64_t kernelBytes = products * int64_t(pairs) * bytes;
  // With fewer tasks, or less lanes for one, the patches that each transforms
  // for itself would count.
  const int64_t taskLanes =
      kernelBytes > target.l2Bytes / 2 && form.lanes >= 4 * kTaskLanes
          ? kTaskLanes
          : 0;
  cut.strategy = WinogradAttr::get(context, filtering.side, filtering.partTaps,
                                   llvm::alignTo(perTask, mr),
                                   kernelBytes <= target.l2Bytes / 2 ? 8 : 32,
                                   /*sums=*/1, /*channels=*/0, taskLanes,
                                   /*transformed=*/false);
  return cut;
}

/// The ways that keep enough bits.
static SmallVector<WinogradCut> cutsOf(MLIRContext *context,
                                       const WinogradForm &form, int64_t mr,
                                       const Target &target) {
  SmallVector<WinogradCut> cuts;
  if (form.channels < 8 || form.lanes < 8)
    return cuts;
  for (const Filtering &filtering : filteringsFor(form.taps)) {
    // The larger transforms lose some bits, and more with each doubling of the
    // channels: beyond 64, a deep net would feel it. There the smaller ones are
    // as fast, whose kernels need less memory. A kernel's gradient goes into no
    // further layer.
    if (filtering.patch() > 4 && !form.forKernel && form.channels > 64)
      continue;
    cuts.push_back(cutBy(filtering, context, form, mr, target));
  }
  return cuts;
}

WinogradAttr chooseWinograd(MLIRContext *context, const WinogradForm &form,
                            int64_t mr, const Target &target) {
  WinogradAttr best;
  // The gain must be worth the code.
  double least = directCycles(form, target) / 1.25;
  for (const WinogradCut &cut : cutsOf(context, form, mr, target))
    if (cut.cycles < least) {
      least = cut.cycles;
      best = cut.strategy;
    }
  return best;
}

/// Of a constant that each call reads from memory, or from the last cache.
static constexpr double kBytesPerCycle = 8;

bool paysForImages(const WinogradForm &form, ContractionAttr strategy,
                   int64_t images, const Target &target) {
  WinogradAttr winograd = strategy.getWinograd();
  const Filtering filtering{form.taps, winograd.getSide(), winograd.getTaps()};
  const double pairs = pairsOf(form, target);
  const int64_t points = filtering.patch() * filtering.patch();
  const int64_t products = filtering.products() * filtering.products();
  int64_t squares = images, patches = images;
  for (const WinogradForm::Axis &axis : form.axes) {
    int64_t count = llvm::divideCeil(axis.outputs, filtering.side);
    squares *= count;
    patches *= count + filtering.parts() - 1;
  }
  double transforms =
      kTransformCycles * points *
      (double(patches) * form.channels + double(squares) * form.lanes) /
      target.lanes();
  auto reading = [&](int64_t perPair) {
    return perPair * pairs * sizeof(float) / kBytesPerCycle;
  };
  // A tile computes all of its rows.
  return productCycles(filtering, form,
                       llvm::alignTo(squares, strategy.getMr()), target) +
             transforms + reading(products) <
         images * directCycles(form, target) + reading(form.taps * form.taps);
}

SmallVector<WinogradAttr> winogradCandidates(MLIRContext *context,
                                             const WinogradForm &form,
                                             int64_t mr, const Target &target) {
  SmallVector<WinogradAttr> candidates;
  for (const WinogradCut &cut : cutsOf(context, form, mr, target))
    candidates.push_back(cut.strategy);
  return candidates;
}

} // namespace cornu::codegen
