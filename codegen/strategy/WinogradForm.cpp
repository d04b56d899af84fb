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
  for (int64_t side : {4, 2}) {
    int64_t patch = side + form.taps - 1;
    // The larger transforms lose some four bits, and more with each doubling
    // of the channels: beyond 64, a deep net would feel it. There the smaller
    // ones are as fast, whose kernels need less memory.
    if (patch > 4 && (exact || form.channels > 64))
      continue;
    if ((form.taps != 3 && form.taps != 5) || (patch != 4 && patch != 6))
      continue;
    int64_t squares = llvm::divideCeil(form.axes[0].outputs, side) *
                      llvm::divideCeil(form.axes[1].outputs, side);
    // A vector's transform takes some nine cycles for each point of the patch:
    // a load, a store, three additions, and its part of the epilogue.
    double transforms =
        9.0 * patch * patch * (form.channels + form.lanes) / width;
    double cycles = squares * (patch * patch * pairs / perCycle + transforms);
    if (cycles >= least)
      continue;
    least = cycles;
    best.side = side;
    // The transformed patches and products of a task fill half of the second
    // cache, but the transformed kernel is read for not too few of them.
    int64_t perSquare = patch * patch * (form.channels + form.lanes) * bytes;
    best.squares = std::clamp<int64_t>(target.l2Bytes / 2 / perSquare, 48, 192);
    best.squares = llvm::alignTo(best.squares, mr);
    int64_t kernelBytes = patch * patch * int64_t(pairs) * bytes;
    best.from = kernelBytes <= target.l2Bytes / 2 ? 8 : 32;
  }
  return best;
}

} // namespace cornu::codegen
