//===- NestLoops.cpp - Loops over vectors for one nest --------------------===//
//
// From the outside in: parallel loops, the loop of the register tile, the
// lane, then (with accumulators in registers) the reduction loops:
//
//   scf.for %oh ... scf.for %ow step 4 ... scf.for %c step 16
//     %acc:8 = scf.for %kh ... iter_args(8 vectors)
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestLoops.h"

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/IndexMath.h"
#include "codegen/schedule/NestEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cornu::codegen {

/// kDynamic where a range is fixed or not static.
static SmallVector<int64_t> sizesOf(ArrayRef<NestRange> ranges) {
  SmallVector<int64_t> sizes;
  for (const NestRange &range : ranges)
    sizes.push_back(range.isFixed()
                        ? ShapedType::kDynamic
                        : staticExtent(range).value_or(ShapedType::kDynamic));
  return sizes;
}

Lanes lanesOf(const Nest &nest, ArrayRef<NestRange> ranges) {
  return lanesOf(nest.root, sizesOf(ranges), nest.strategy.getLane(),
                 nest.strategy.getRun());
}

int64_t iterationsPerStep(const Nest &nest, ArrayRef<NestRange> ranges) {
  return nest.strategy.getWidth() * nest.strategy.getVectors() /
         lanesOf(nest, ranges).runLength();
}

void NestEmitter::emitOuter(OpBuilder &builder, ArrayRef<unsigned> outer) {
  if (outer.empty()) {
    if (nest.strategy.getKind() == NestKind::Fold)
      return emitFold(builder);
    if (isReduction(tileLoop))
      return emitLane(builder, tile);
    return emitTileLoop(builder);
  }
  unsigned loop = outer.front();
  stepThrough(builder, loc, ranges[loop], {1}, 1, {},
              [&](OpBuilder &inner, Value index, unsigned, ValueRange) {
                indices[loop] = index;
                emitOuter(inner, outer.drop_front());
                indices[loop] = Value();
                return Carried();
              });
}

/// Runs over loop `loop`: at a border, where single points bound the loops
/// inside by the guards, inside it, where those on `loop` hold for all, and at
/// the other border.
void NestEmitter::throughBorder(OpBuilder &builder, unsigned loop,
                                llvm::function_ref<void(NestRange, bool)> run) {
  NestRange range = ranges[loop];
  std::optional<int64_t> extent = staticExtent(range);
  SmallVector<Guard> atBorder, inside;
  for (const Guard &guard : guards)
    (guard.coefficients[loop] == 0 ? inside : atBorder).push_back(guard);
  if (atBorder.empty())
    return run(range, true);
  auto [low, high] = interior(guards, loop, sizesOf(ranges));
  if (!extent || constantOf(range.lower) != 0 || high - low < 2)
    return run(range, false);
  auto constant = [&](int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value).getResult();
  };
  if (low > 0)
    run({constant(0), constant(low)}, false);
  SmallVector<Guard> all = guards;
  guards = inside;
  run({constant(low), constant(high)}, true);
  guards = all;
  if (high < *extent)
    run({constant(high), constant(*extent)}, false);
}

void NestEmitter::emitTileLoop(OpBuilder &builder) {
  if (tileLoop < 0)
    return emitLane(builder, 1);
  throughBorder(builder, tileLoop, [&](NestRange range, bool isInside) {
    SmallVector<unsigned> steps;
    std::optional<int64_t> extent = staticExtent(range);
    for (unsigned piece = isInside ? tile : 1; piece >= 1;
         piece = extent
                     ? (piece == tile ? llvm::bit_floor(piece - 1) : piece / 2)
                     : (piece == 1 ? 0 : 1))
      steps.push_back(piece);
    stepThrough(builder, loc, range, steps, 1, {},
                [&](OpBuilder &inner, Value index, unsigned step, ValueRange) {
                  indices[tileLoop] = index;
                  emitLane(inner, step);
                  indices[tileLoop] = Value();
                  return Carried();
                });
  });
}

/// What is unrolled at a border stays less than this, in vectors for each row
/// of a tile: two borders of windows of a hundred taps.
static constexpr int64_t kMostBorderVectors = 512;

/// True if vectors along the lanes may reach over the border: where each lane
/// stands, and what it reads, is known when the loops of the guards are
/// unrolled.
bool NestEmitter::canMask(ArrayRef<Guard> atBorder, ArrayRef<Guard> others) {
  const NestRange &range = ranges[lanes.loop];
  std::optional<int64_t> extent = staticExtent(range);
  if (nest.strategy.getKind() != NestKind::Reduce || width == 1 || !extent ||
      constantOf(range.lower) != 0)
    return false;
  auto [low, high] = interior(atBorder, lanes.loop, sizesOf(ranges));
  int64_t step = width / lanes.runLength();
  int64_t unrolled = llvm::divideCeil(*extent - (high - low), step) + 1;
  // A lane that does not take part still reads: clamped where it is guarded,
  // and nothing else may leave its operand with it.
  llvm::SmallDenseSet<unsigned> guarded, taps;
  for (const Guard &guard : atBorder) {
    guarded.insert(guard.operand);
    for (auto [loop, coefficient] : llvm::enumerate(guard.coefficients))
      if (coefficient && static_cast<int>(loop) != lanes.loop)
        taps.insert(loop);
  }
  for (unsigned tap : taps) {
    std::optional<int64_t> count = staticExtent(ranges[tap]);
    if (!isReduction(tap) || static_cast<int>(tap) == tileLoop || !count ||
        !constantOf(ranges[tap].lower) ||
        llvm::any_of(others, [&](const Guard &guard) {
          return guard.coefficients[tap] != 0;
        }))
      return false;
    unrolled *= *count;
  }
  if (unrolled > kMostBorderVectors)
    return false;
  for (unsigned i = 0; i < op.getNumDpsInputs(); ++i)
    for (AffineExpr index : op.getIndexingMapsArray()[i].getResults())
      if (!guarded.contains(i) && index.isFunctionOfDim(lanes.loop) &&
          !isa<AffineDimExpr>(index))
        return false;
  if (!op.getBody()->getOps<memref::LoadOp>().empty())
    return false;
  return llvm::all_of(atBorder, [&](const Guard &guard) {
    auto type = cast<MemRefType>(op->getOperand(guard.operand).getType());
    return !type.getElementType().isInteger(1) && isInnermostContiguous(type) &&
           ShapedType::isStatic(type.getStridesAndOffset().first[guard.dim]) &&
           laneOffsets(op, guard.operand, lanes, width).has_value();
  });
}

void NestEmitter::emitLane(OpBuilder &builder, unsigned tileSize) {
  if (lanes.loop < 0)
    return emitTile(builder, 1, 1, tileSize);
  SmallVector<Guard> atBorder, others;
  for (const Guard &guard : guards)
    (guard.coefficients[lanes.loop] ? atBorder : others).push_back(guard);
  if (!atBorder.empty() && canMask(atBorder, others)) {
    std::swap(guards, others);
    for (auto [first, count, isInside] :
         cutAtBorders(*staticExtent(ranges[lanes.loop]),
                      interior(atBorder, lanes.loop, sizesOf(ranges)),
                      width / lanes.runLength())) {
      border = isInside ? ArrayRef<Guard>() : atBorder;
      Value lower = arith::ConstantIndexOp::create(builder, loc, first);
      Value upper = arith::ConstantIndexOp::create(builder, loc, first + count);
      emitLane(builder, tileSize, {lower, upper}, /*isInside=*/true);
    }
    border = {};
    std::swap(guards, others);
    return;
  }
  throughBorder(builder, lanes.loop, [&](NestRange range, bool isInside) {
    emitLane(builder, tileSize, range, isInside);
  });
}

void NestEmitter::emitLane(OpBuilder &builder, unsigned tileSize,
                           NestRange range, bool isInside) {
  const unsigned run = lanes.runLength(), perVector = width / run;
  SmallVector<unsigned> steps{1};
  if (isInside)
    steps = laneSteps(perVector, vectors, range);
  // A short lane is straight-line code: at most 4 steps of maps.
  unsigned unroll =
      nest.strategy.getKind() == NestKind::Map && tileSize == 1 ? 4 : 1;
  stepThrough(builder, loc, range, steps, unroll, {},
              [&](OpBuilder &inner, Value index, unsigned step, ValueRange) {
                indices[lanes.loop] = index;
                unsigned iterations = std::min(step, perVector);
                emitTile(inner, iterations * run, step / iterations, tileSize);
                indices[lanes.loop] = Value();
                return Carried();
              });
}

void NestEmitter::emitTile(OpBuilder &builder, unsigned laneWidth,
                           unsigned laneVectors, unsigned tileSize) {
  if (nest.strategy.getKind() == NestKind::Reduce)
    return emitReduceTile(builder, laneWidth, laneVectors, tileSize);
  NestTile nestTile(nest, indices, lanes, laneWidth, laneVectors, tileLoop,
                    tileSize);
  nestTile.place(builder);
  if (nest.strategy.getKind() == NestKind::Map)
    emitMapTile(builder, nestTile);
  else
    emitUpdateTile(builder, nestTile);
}

void NestEmitter::emitMapTile(OpBuilder &builder, NestTile &nestTile) {
  for (unsigned point = 0; point < nestTile.size(); ++point) {
    Carried outputs;
    for (unsigned o = 0; o < op.getNumDpsInits(); ++o) {
      bool used = !op.getRegionOutputArgs()[o].use_empty();
      outputs.push_back(used ? initialValue(builder, nestTile, o, point)
                             : Value());
    }
    nestTile.finish(builder, point, nestTile.compute(builder, point, outputs));
  }
}

Value NestEmitter::initialValue(OpBuilder &builder, NestTile &nestTile,
                                unsigned output, unsigned point) {
  if (TypedAttr constant = nest.initial[output])
    return splat(builder, loc,
                 arith::ConstantOp::create(builder, loc, constant),
                 nestTile.getWidth());
  return nestTile.loadOutput(builder, output, point);
}

void NestEmitter::emitUpdateTile(OpBuilder &builder, NestTile &nestTile) {
  nestTile.loadInvariant(builder);
  reductionLoops(builder, innerReductions(lanes.loop, -1), {},
                 [&](OpBuilder &inner, ValueRange) {
                   NestTile here = nestTile;
                   for (unsigned loop = 0; loop < indices.size(); ++loop)
                     if (isReduction(loop))
                       here.setIndex(loop, indices[loop]);
                   for (unsigned point = 0; point < here.size(); ++point) {
                     Carried outputs;
                     for (unsigned o = 0; o < op.getNumDpsInits(); ++o)
                       outputs.push_back(here.loadOutput(inner, o, point));
                     here.finish(inner, point,
                                 here.compute(inner, point, outputs));
                   }
                   return Carried();
                 });
}

void emitNestLoops(OpBuilder &builder, const Nest &nest,
                   ArrayRef<NestRange> ranges) {
  NestEmitter(nest, ranges).emit(builder);
}

} // namespace cornu::codegen
