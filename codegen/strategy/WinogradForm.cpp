//===- WinogradForm.cpp - Convolutions with minimal filtering -------------===//

#include "codegen/strategy/WinogradForm.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

/// The axis of a dimension of the left operand that is row +- tap + constant.
static std::optional<WinogradForm::Axis> axisOf(const LinearExpr &expr,
                                                const ContractionForm &form) {
  std::optional<unsigned> row, tap;
  for (auto [loop, coefficient] : llvm::enumerate(expr.coefficients)) {
    if (coefficient == 0)
      continue;
    if (coefficient == 1 && !row && llvm::is_contained(form.rows, loop))
      row = loop;
    else if (std::abs(coefficient) == 1 && !tap &&
             llvm::is_contained(form.reduction, loop))
      tap = loop;
    else
      return std::nullopt;
  }
  if (!row || !tap || ShapedType::isDynamic(form.extents[*row]) ||
      ShapedType::isDynamic(form.extents[*tap]))
    return std::nullopt;
  WinogradForm::Axis axis;
  axis.row = *row;
  axis.tap = *tap;
  axis.backwards = expr.coefficients[*tap] < 0;
  axis.first = expr.constant - (axis.backwards ? form.extents[*tap] - 1 : 0);
  axis.outputs = form.extents[*row];
  return axis;
}

std::optional<WinogradForm> WinogradForm::of(linalg::GenericOp op,
                                             const ContractionForm &form) {
  if (!form.batch.empty() || !form.columns.empty() || form.sharedLane ||
      form.reduction.size() != 3 ||
      !getElementTypeOrSelf(op.getDpsInits()[0].getType()).isF32())
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<LinearExpr> left = *linearResults(maps[form.left]);
  WinogradForm result;
  unsigned found = 0;
  for (auto [dim, expr] : llvm::enumerate(ArrayRef(left).drop_back())) {
    if (std::optional<Axis> axis = axisOf(expr, form)) {
      if (found == 2)
        return std::nullopt;
      axis->dim = dim;
      result.axes[found++] = *axis;
      continue;
    }
    // All other dimensions are rows of their own.
    auto own = dyn_cast<AffineDimExpr>(maps[form.left].getResult(dim));
    if (!own || !llvm::is_contained(form.rows, own.getPosition()))
      return std::nullopt;
  }
  auto last = dyn_cast<AffineDimExpr>(maps[form.left].getResults().back());
  if (found != 2 || !last ||
      !llvm::is_contained(form.reduction, last.getPosition()))
    return std::nullopt;
  result.channel = last.getPosition();
  result.taps = form.extents[result.axes[0].tap];
  result.channels = form.extents[result.channel];
  result.lanes = form.extents[form.lane];
  if (result.axes[0].tap == result.axes[1].tap ||
      form.extents[result.axes[1].tap] != result.taps ||
      ShapedType::isDynamic(result.channels) ||
      ShapedType::isDynamic(result.lanes))
    return std::nullopt;
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

WinogradBlocking WinogradBlocking::choose(const WinogradForm &form, bool exact,
                                          int64_t mr, const Target &target) {
  WinogradBlocking best;
  const int64_t width = target.lanes(), bytes = sizeof(float);
  if (form.channels % width || form.lanes % width || form.channels < 16 ||
      form.lanes < 16)
    return best;
  const double pairs = double(form.channels) * form.lanes;
  // A tile of one vector's width loads a broadcast for each multiply-add.
  const double perCycle =
      double(target.fmaPorts) * width * (form.lanes < 2 * width ? 0.65 : 1.0);
  const double direct = double(form.axes[0].outputs) * form.axes[1].outputs *
                        form.taps * form.taps * pairs / perCycle;
  // The gain must be worth the code.
  double least = direct / 1.25;
  for (const Filtering &filtering : filteringsFor(form.taps)) {
    const int64_t points = filtering.patch() * filtering.patch();
    const int64_t products = filtering.products() * filtering.products();
    // The larger transforms lose some four bits, and more with each doubling
    // of the channels: beyond 64, a deep net would feel it. There the smaller
    // ones are as fast, whose kernels need less memory.
    if (filtering.patch() > 4 && (exact || form.channels > 64))
      continue;
    int64_t squares = 1, patches = 1;
    for (const WinogradForm::Axis &axis : form.axes) {
      int64_t count = llvm::divideCeil(axis.outputs, filtering.side);
      squares *= count;
      patches *= count + filtering.parts() - 1;
    }
    // A vector's transform takes some nine cycles for each point of the patch:
    // a load, a store, three additions, and its part of the epilogue.
    double transformed = patches * form.channels + squares * form.lanes;
    // With parts, a tile begins anew for each run of terms: as if it had two
    // terms more for the channels of one.
    double start = filtering.parts() > 1 ? 1 + 2.0 / form.channels : 1;
    double cycles = squares * products * pairs / perCycle * start +
                    9.0 * points * transformed / width;
    if (cycles >= least)
      continue;
    least = cycles;
    best.side = filtering.side;
    best.taps = filtering.partTaps;
    // The transformed patches and products of a task fill half of the second
    // cache, but the transformed kernel is read for not too few of them.
    double perSquare = points * transformed / squares * bytes;
    best.squares = std::clamp<int64_t>(target.l2Bytes / 2 / perSquare, 48, 192);
    best.squares = llvm::alignTo(best.squares, mr);
    int64_t kernelBytes = products * int64_t(pairs) * bytes;
    best.from = kernelBytes <= target.l2Bytes / 2 ? 8 : 32;
  }
  return best;
}

} // namespace cornu::codegen
