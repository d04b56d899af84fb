//===- Panels.cpp - The right operand in the order of a tile --------------===//
//
//   panel of w[k, f] for f in [16, 32):   [k][16]
//   along the reduction, for f in [0, 3): [3][k]
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

/// From one lane to the next in a panel.
int64_t ContractionNest::panelLaneStride() const {
  return strategy.getAlongReduction() ? panelSteps : 1;
}

/// From one step of reduction loop `level` to the next.
int64_t ContractionNest::panelStride(unsigned level,
                                     const LaneTile &lanes) const {
  int64_t steps = 1;
  for (unsigned i = level + 1; i < reductionLoops.size(); ++i)
    steps *= reductionRanges[i].largest;
  return strategy.getAlongReduction() ? steps : steps * lanes.columns();
}

LinearView ContractionNest::panelView(const LaneTile &lanes) {
  LinearView view;
  view.buffer = panel;
  view.strides.assign(root.getNumLoops(), builder.getIndexAttr(0));
  view.strides[form.lane] = builder.getIndexAttr(panelLaneStride());
  Value base = math.constant(0);
  for (auto [i, loop] : llvm::enumerate(reductionLoops)) {
    OpFoldResult stride = builder.getIndexAttr(panelStride(i, lanes));
    view.strides[loop.inner()] = stride;
    base = math.sub(base, math.mul(reductionRanges[i].low, stride));
  }
  view.base = math.sub(base, math.mul(lanes.start, view.strides[form.lane]));
  return view;
}

/// Makes `view` that of a matrix [R][N] in panels of `width` columns, where it
/// is the view of a row-major one: column n of the panel that starts at s
/// stands s * R + n - s elements from the start, and rows are `width` apart.
void ContractionNest::layInPanels(LinearView &view, unsigned number,
                                  int64_t width) {
  auto type = cast<MemRefType>(root->getOperand(number).getType());
  SmallVector<int64_t> strides(root.getNumLoops(), 0);
  int64_t stride = width;
  SmallVector<LinearExpr> exprs = *linearResults(maps[number]);
  for (unsigned dim = exprs.size(); dim-- > 0;) {
    if (exprs[dim].moves(form.lane))
      continue;
    for (auto [loop, coefficient] : llvm::enumerate(exprs[dim].coefficients))
      strides[loop] += coefficient * stride;
    stride *= type.getDimSize(dim);
  }
  strides[form.lane] = 1;
  for (auto [loop, stride] : llvm::enumerate(strides))
    view.strides[loop] = builder.getIndexAttr(stride);
  view.panelLanes = width;
  view.panelDistance = stride;
}

/// The right operand of a tile where it lies in panels.
LinearView ContractionNest::givenPanels(const LaneTile &lanes) {
  LinearView view = blockRight;
  int64_t columns = form.extents[form.lane];
  int64_t width = strategy.getPanels();
  Value start = lanes.start;
  if (lanes.inLastPanel) {
    start = math.constant(columns / width * width);
    width = columns % width;
  }
  layInPanels(view, form.right, width);
  int64_t rows = view.panelDistance / width;
  view.base = math.add(
      view.base, math.mul(start, OpFoldResult(builder.getIndexAttr(rows - 1))));
  return view;
}

/// The elements of one step of the reduction, neighbours in the panel.
void ContractionNest::packStep(Value source, Value target,
                               const LaneTile &lanes) {
  OpFoldResult stride = blockRight.strides[form.lane];
  int64_t column = 0;
  for (unsigned lane : lanes.widths) {
    Value from = math.add(source, math.mul(math.constant(column), stride));
    vector::StoreOp::create(
        builder, loc, loadLanes(blockRight.buffer, from, stride, lane), panel,
        ValueRange{addConstant(builder, loc, target, column)});
    column += lane;
  }
}

/// Each round interleaves vectors half of all apart; after log2(count) rounds
/// every element is in its place.
SmallVector<Value> transpose(OpBuilder &builder, Location loc,
                             SmallVector<Value> rows) {
  int64_t count = rows.size();
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < count / 2; ++i) {
    low.append({i, count + i});
    high.append({count / 2 + i, count + count / 2 + i});
  }
  for (int64_t round = 1; round < count; round *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < count / 2; ++i) {
      Value a = rows[i], b = rows[i + count / 2];
      next.push_back(vector::ShuffleOp::create(builder, loc, a, b, low));
      next.push_back(vector::ShuffleOp::create(builder, loc, a, b, high));
    }
    rows = next;
  }
  return rows;
}

/// The innermost reduction loop of a tile whose right operand is contiguous
/// along it instead of along the lane: square blocks are transposed.
void ContractionNest::packTransposed(Value source, Value target,
                                     const LaneTile &lanes) {
  int64_t columns = lanes.columns();
  OpFoldResult stride = blockRight.strides[form.lane];
  const LoopRange &range = reductionRanges.back();
  int64_t column = 0;
  for (unsigned lane : lanePieces(columns, width)) {
    Value from = math.add(source, math.mul(math.constant(column), stride));
    Value to = addConstant(builder, loc, target, column);
    Value whole = math.mul(math.div(range.size, math.constant(lane)),
                           OpFoldResult(builder.getIndexAttr(lane)));
    auto type = VectorType::get({lane}, element);
    auto place = [&](Value step) {
      return math.add(
          to, math.mul(step, OpFoldResult(builder.getIndexAttr(columns))));
    };
    if (lane > 1)
      forRange(math.constant(0), whole, lane, [&](Value step) {
        SmallVector<Value> rows;
        for (unsigned i = 0; i < lane; ++i)
          rows.push_back(vector::LoadOp::create(
              builder, loc, type, blockRight.buffer,
              ValueRange{math.add(math.add(from, step),
                                  math.mul(math.constant(i), stride))}));
        rows = transpose(builder, loc, rows);
        for (unsigned i = 0; i < lane; ++i)
          vector::StoreOp::create(
              builder, loc, rows[i], panel,
              ValueRange{addConstant(builder, loc, place(step), i * columns)});
      });
    forRange(
        lane > 1 ? whole : math.constant(0), range.size, 1, [&](Value step) {
          vector::StoreOp::create(
              builder, loc,
              loadLanes(blockRight.buffer, math.add(from, step), stride, lane),
              panel, ValueRange{place(step)});
        });
    column += lane;
  }
}

/// The innermost reduction loop of a tile that runs along it: each lane's
/// elements become neighbours.
void ContractionNest::packAlong(Value source, Value target,
                                const LaneTile &lanes) {
  const LoopRange &range = reductionRanges.back();
  OpFoldResult stride = blockRight.strides[reductionLoops.back().inner()];
  for (int64_t column = 0; column < lanes.columns(); ++column) {
    Value from = math.add(
        source, math.mul(math.constant(column), blockRight.strides[form.lane]));
    Value to = addConstant(builder, loc, target, column * panelLaneStride());
    forSpan(math.constant(0), range.size, [&](Value at, unsigned steps) {
      Value elements =
          loadLanes(blockRight.buffer, math.add(from, math.mul(at, stride)),
                    stride, steps);
      vector::StoreOp::create(builder, loc, elements, panel,
                              ValueRange{math.add(to, at)});
    });
  }
}

/// The steps of the reduction from `level` on.
void ContractionNest::packSteps(unsigned level, Value source, Value target,
                                const LaneTile &lanes) {
  if (level == reductionLoops.size())
    return packStep(source, target, lanes);
  unsigned loop = reductionLoops[level].inner();
  const LoopRange &range = reductionRanges[level];
  OpFoldResult stride = blockRight.strides[loop];
  if (level + 1 == reductionLoops.size()) {
    Value first = math.add(source, math.mul(range.low, stride));
    if (strategy.getAlongReduction())
      return packAlong(first, target, lanes);
    if (blockRight.stride(loop) == 1)
      return packTransposed(first, target, lanes);
  }
  OpFoldResult distance = builder.getIndexAttr(panelStride(level, lanes));
  forRange(math.constant(0), range.size, 1, [&](Value i) {
    packSteps(level + 1,
              math.add(source, math.mul(math.add(range.low, i), stride)),
              math.add(target, math.mul(i, distance)), lanes);
  });
}

void ContractionNest::allocatePanel() {
  panelSteps = 1;
  for (const LoopRange &range : reductionRanges)
    panelSteps *= range.largest;
  panel = allocate(panelSteps * std::min(laneBlock, strategy.getNr()));
}

void ContractionNest::packPanel(const LaneTile &lanes) {
  packSteps(0,
            math.add(fixedOffset(blockRight),
                     math.mul(lanes.start, blockRight.strides[form.lane])),
            math.constant(0), lanes);
}

} // namespace cornu::codegen
