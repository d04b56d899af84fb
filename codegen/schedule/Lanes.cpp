//===- Lanes.cpp - What runs along the lanes of vectors -------------------===//
//
//   x[2*w + k, c] along (w, c):   stride(w) = 2 * 3, stride(c) = 1
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Lanes.h"

#include "codegen/schedule/LinearExpr.h"
#include "llvm/ADT/bit.h"

using namespace mlir;

namespace cornu::codegen {

int64_t Lanes::runLength() const {
  int64_t length = 1;
  for (const RunLoop &inner : run)
    length *= inner.size;
  return length;
}

Lanes Lanes::ofRun() const {
  if (run.empty())
    return {};
  return {run.front().loop, ArrayRef(run).drop_front()};
}

int64_t Lanes::step(int other, int64_t lane) const {
  for (const RunLoop &inner : llvm::reverse(run)) {
    if (inner.loop == other)
      return lane % inner.size;
    lane /= inner.size;
  }
  return other == loop ? lane : 0;
}

bool Lanes::runAlong(int other) const {
  return other == loop || llvm::any_of(run, [&](const RunLoop &inner) {
           return inner.loop == other;
         });
}

Lanes lanesOf(linalg::GenericOp op, ArrayRef<int64_t> sizes, int loop,
              unsigned run) {
  Lanes lanes(loop);
  for (unsigned inner = sizes.size(); inner-- > 0 && lanes.run.size() < run;)
    if (op.getIteratorTypesArray()[inner] == utils::IteratorType::parallel)
      lanes.run.insert(lanes.run.begin(), {int(inner), sizes[inner]});
  return lanes;
}

bool isInnermostContiguous(MemRefType type) {
  if (type.getRank() == 0)
    return true;
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) &&
         strides.back() == 1;
}

std::optional<SmallVector<int64_t>> laneOffsets(linalg::GenericOp op,
                                                unsigned operand,
                                                const Lanes &lanes,
                                                unsigned width) {
  SmallVector<int64_t> offsets(width, 0);
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    if (!lanes.runAlong(loop))
      continue;
    std::optional<int64_t> stride = strideOf(op, operand, loop);
    if (!stride)
      return std::nullopt;
    for (unsigned lane = 0; lane < width; ++lane)
      offsets[lane] += *stride * lanes.step(loop, lane);
  }
  return offsets;
}

ShuffledLoads shuffledLoads(ArrayRef<int64_t> offsets) {
  int64_t low = *llvm::min_element(offsets);
  int64_t span = *llvm::max_element(offsets) + 1 - low;
  ShuffledLoads loads;
  loads.width = std::min<int64_t>(llvm::bit_ceil(offsets.size()),
                                  llvm::bit_floor(uint64_t(span)));
  for (int64_t at = 0; at < span; at += loads.width)
    loads.firsts.push_back(low + std::min(at, span - loads.width));
  return loads;
}

LaneAccess laneAccess(linalg::GenericOp op, unsigned operand,
                      const Lanes &lanes, unsigned width) {
  AffineMap map = op.getIndexingMapsArray()[operand];
  if (llvm::none_of(llvm::seq<unsigned>(0, map.getNumDims()),
                    [&](unsigned loop) {
                      return lanes.runAlong(loop) && map.isFunctionOfDim(loop);
                    }))
    return LaneAccess::Uniform;
  auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
  // In memory a boolean is a byte, in a vector it is a bit.
  if (!type || !isInnermostContiguous(type) ||
      type.getElementType().isInteger(1))
    return LaneAccess::Strided;
  auto offsets = laneOffsets(op, operand, lanes, width);
  if (!offsets)
    return LaneAccess::Strided;
  if (llvm::equal(*offsets, llvm::seq<int64_t>(0, width)))
    return LaneAccess::Contiguous;
  if (llvm::all_equal(*offsets))
    return LaneAccess::Uniform;
  // A load and a shuffle for each vector, or a load and an insertion for each
  // lane.
  return shuffledLoads(*offsets).firsts.size() <= width / 2 + 1
             ? LaneAccess::Shuffled
             : LaneAccess::Strided;
}

} // namespace cornu::codegen
