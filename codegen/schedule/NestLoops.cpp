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

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/IndexMath.h"
#include "codegen/schedule/NestGuards.h"
#include "codegen/schedule/NestPoint.h"
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

namespace {
class NestEmitter {
public:
  NestEmitter(const Nest &nest, ArrayRef<NestRange> ranges)
      : nest(nest), op(nest.root), loc(op.getLoc()), ranges(ranges),
        indices(op.getNumLoops()), guards(guardsOf(op)),
        types(op.getIteratorTypesArray()), lanes(lanesOf(nest, ranges)),
        width(nest.strategy.getWidth()), vectors(nest.strategy.getVectors()),
        tileLoop(nest.strategy.getTileLoop()), tile(nest.strategy.getTile()) {
    for (unsigned loop = 0; loop < ranges.size(); ++loop)
      if (ranges[loop].isFixed())
        indices[loop] = ranges[loop].lower;
    if (lanes.loop >= 0 && ranges[lanes.loop].isFixed())
      lanes = {};
    if (lanes.loop < 0)
      width = vectors = 1;
    for (const RunLoop &run : lanes.run)
      indices[run.loop] = ranges[run.loop].lower;
    if (tileLoop >= 0 && ranges[tileLoop].isFixed())
      tileLoop = -1;
    if (tileLoop < 0)
      tile = 1;
  }

  void emit(OpBuilder &builder) {
    SmallVector<unsigned> outer;
    for (unsigned loop = 0; loop < ranges.size(); ++loop)
      if (!ranges[loop].isFixed() && !lanes.runAlong(loop) &&
          static_cast<int>(loop) != tileLoop &&
          types[loop] == utils::IteratorType::parallel)
        outer.push_back(loop);
    emitOuter(builder, outer);
  }

private:
  bool isReduction(int loop) const {
    return loop >= 0 && types[loop] == utils::IteratorType::reduction;
  }

  void emitOuter(OpBuilder &builder, ArrayRef<unsigned> outer);
  void emitTileLoop(OpBuilder &builder);
  void throughBorder(OpBuilder &builder, unsigned loop,
                     llvm::function_ref<void(NestRange, bool)> run);
  bool canMask(ArrayRef<Guard> atBorder, ArrayRef<Guard> others);
  void emitLane(OpBuilder &builder, unsigned tileSize);
  void emitLane(OpBuilder &builder, unsigned tileSize, NestRange range,
                bool isInside);
  void emitTile(OpBuilder &builder, unsigned laneWidth, unsigned laneVectors,
                unsigned tileSize);
  void emitMapTile(OpBuilder &builder, NestTile &tile);
  void emitReduceTile(OpBuilder &builder, unsigned laneWidth,
                      unsigned laneVectors, unsigned tileSize);
  void emitUpdateTile(OpBuilder &builder, NestTile &tile);
  void emitFold(OpBuilder &builder);
  Carried
  reductionLoops(OpBuilder &builder, ArrayRef<unsigned> loops,
                 ValueRange carried,
                 llvm::function_ref<Carried(OpBuilder &, ValueRange)> body);
  SmallVector<unsigned> innerReductions(int except, int alsoExcept) const;
  Value initialValue(OpBuilder &builder, NestTile &tile, unsigned output,
                     unsigned point);

  const Nest &nest;
  linalg::GenericOp op;
  Location loc;
  ArrayRef<NestRange> ranges;
  SmallVector<Value> indices;
  SmallVector<Guard> guards;
  /// Guards that fail in some lanes of the present vectors.
  ArrayRef<Guard> border;
  SmallVector<utils::IteratorType> types;
  Lanes lanes;
  unsigned width, vectors;
  int tileLoop;
  unsigned tile;
};
} // namespace

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

/// True if vectors along the lanes may reach over the border: where each lane
/// stands, and what it reads, is known when the loops of the guards are
/// unrolled.
bool NestEmitter::canMask(ArrayRef<Guard> atBorder, ArrayRef<Guard> others) {
  const NestRange &range = ranges[lanes.loop];
  std::optional<int64_t> extent = staticExtent(range);
  if (nest.strategy.getKind() != NestKind::Reduce || width == 1 || !extent ||
      constantOf(range.lower) != 0)
    return false;
  // What is unrolled stays short.
  auto [low, high] = interior(atBorder, lanes.loop, sizesOf(ranges));
  int64_t step = width / lanes.runLength();
  if (llvm::divideCeil(*extent - (high - low), step) > 3)
    return false;
  // A lane that does not take part still reads: clamped where it is guarded,
  // and nothing else may leave its operand with it.
  llvm::SmallDenseSet<unsigned> guarded, taps;
  for (const Guard &guard : atBorder) {
    guarded.insert(guard.operand);
    for (auto [loop, coefficient] : llvm::enumerate(guard.coefficients))
      if (coefficient && static_cast<int>(loop) != lanes.loop)
        taps.insert(loop);
  }
  for (unsigned tap : taps)
    if (!isReduction(tap) || static_cast<int>(tap) == tileLoop ||
        !constantOf(ranges[tap].lower) ||
        staticExtent(ranges[tap]).value_or(INT64_MAX) > 8 ||
        llvm::any_of(others, [&](const Guard &guard) {
          return guard.coefficients[tap] != 0;
        }))
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
    int64_t run = lanes.runLength();
    for (auto [first, count, isInside] : cutAtBorders(
             *staticExtent(ranges[lanes.loop]),
             interior(atBorder, lanes.loop, sizesOf(ranges)), width / run)) {
      Value lower = arith::ConstantIndexOp::create(builder, loc, first);
      if (isInside) {
        Value upper =
            arith::ConstantIndexOp::create(builder, loc, first + count);
        emitLane(builder, tileSize, {lower, upper}, true);
        continue;
      }
      border = atBorder;
      indices[lanes.loop] = lower;
      emitTile(builder, count * run, 1, tileSize);
      indices[lanes.loop] = Value();
      border = {};
    }
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

SmallVector<unsigned> NestEmitter::innerReductions(int except,
                                                   int alsoExcept) const {
  SmallVector<unsigned> loops;
  for (unsigned loop = 0; loop < ranges.size(); ++loop)
    if (!ranges[loop].isFixed() && isReduction(loop) &&
        static_cast<int>(loop) != except &&
        static_cast<int>(loop) != alsoExcept)
      loops.push_back(loop);
  return loops;
}

/// The reduction loops around `body`. Short loops without guards are unrolled,
/// so that a window's row is straight-line code, and so are those whose guards
/// fail in some lanes.
Carried NestEmitter::reductionLoops(
    OpBuilder &builder, ArrayRef<unsigned> loops, ValueRange carried,
    llvm::function_ref<Carried(OpBuilder &, ValueRange)> body) {
  if (loops.empty())
    return body(builder, carried);
  unsigned loop = loops.front();
  NestRange range =
      guardedRange(builder, loc, guards, loop, ranges[loop], indices);
  // 8 iterations of the innermost loop, of the others only where lanes reach
  // over the border.
  bool isAtBorder = llvm::any_of(border, [&](const Guard &guard) {
    return guard.coefficients[loop] != 0;
  });
  unsigned unroll = loops.size() == 1 || isAtBorder ? 8 : 1;
  return stepThrough(
      builder, loc, range, {1}, unroll, carried,
      [&](OpBuilder &inner, Value index, unsigned, ValueRange args) {
        indices[loop] = index;
        Carried results = reductionLoops(inner, loops.drop_front(), args, body);
        indices[loop] = Value();
        return results;
      });
}

void NestEmitter::emitReduceTile(OpBuilder &builder, unsigned laneWidth,
                                 unsigned laneVectors, unsigned tileSize) {
  bool split = isReduction(tileLoop);
  unsigned numOutputs = op.getNumDpsInits();
  SmallVector<Operation *> combiners = findCombiners(op);

  // The accumulators: output-major, then the points of the tile. Where the
  // tile runs along a reduction, only its first row begins with the old value.
  NestTile single(nest, indices, lanes, laneWidth, laneVectors,
                  split ? -1 : tileLoop, split ? 1 : tileSize);
  single.place(builder);
  single.setBorder(border);
  Carried accumulators;
  for (unsigned o = 0; o < numOutputs; ++o)
    for (unsigned v = 0; v < laneVectors; ++v)
      for (unsigned t = 0; t < tileSize; ++t) {
        if (split && t > 0)
          accumulators.push_back(
              splat(builder, loc,
                    arith::ConstantOp::create(builder, loc,
                                              neutralElement(combiners[o])),
                    laneWidth));
        else
          accumulators.push_back(
              initialValue(builder, single, o, split ? v : v * tileSize + t));
      }

  // All points of a tile at the current index of the reduction loops.
  auto computeAll = [&](OpBuilder &inner, NestTile base, unsigned points,
                        unsigned stride, ValueRange values) {
    for (unsigned loop = 0; loop < indices.size(); ++loop)
      if (isReduction(loop) && static_cast<int>(loop) != tileLoop)
        base.setIndex(loop, indices[loop]);
    Carried results(values);
    for (unsigned point = 0; point < points; ++point) {
      Carried outputs;
      unsigned slot = stride == 1 ? point : point * stride;
      unsigned perOutput = values.size() / numOutputs;
      for (unsigned o = 0; o < numOutputs; ++o)
        outputs.push_back(results[o * perOutput + slot]);
      Carried computed = base.compute(inner, point, outputs);
      for (unsigned o = 0; o < numOutputs; ++o)
        results[o * perOutput + slot] = computed[o];
    }
    return results;
  };

  if (!split) {
    single.loadInvariant(builder);
    accumulators = reductionLoops(
        builder, innerReductions(lanes.loop, -1), accumulators,
        [&](OpBuilder &inner, ValueRange values) {
          return computeAll(inner, single, single.size(), 1, values);
        });
  } else {
    accumulators = reductionLoops(
        builder, innerReductions(lanes.loop, tileLoop), accumulators,
        [&](OpBuilder &inner, ValueRange values) {
          NestRange range = guardedRange(inner, loc, guards, tileLoop,
                                         ranges[tileLoop], indices);
          return stepThrough(
              inner, loc, range, {tileSize, 1u}, 1, values,
              [&](OpBuilder &body, Value index, unsigned step,
                  ValueRange args) {
                indices[tileLoop] = index;
                NestTile nestTile(nest, indices, lanes, laneWidth, laneVectors,
                                  tileLoop, step);
                nestTile.place(body);
                nestTile.setBorder(border);
                indices[tileLoop] = Value();
                return computeAll(body, nestTile, nestTile.size(),
                                  step == tileSize ? 1 : tileSize, args);
              });
        });
    // Add up the rows of the tile.
    Carried combined;
    for (unsigned o = 0; o < numOutputs; ++o)
      for (unsigned v = 0; v < laneVectors; ++v) {
        auto rows = ArrayRef(accumulators)
                        .slice((o * laneVectors + v) * tileSize, tileSize);
        combined.push_back(combineAll(builder, combiners[o], rows));
      }
    accumulators = combined;
  }
  unsigned points = single.size();
  for (unsigned point = 0; point < points; ++point) {
    Carried results;
    for (unsigned o = 0; o < numOutputs; ++o)
      results.push_back(accumulators[o * points + point]);
    single.finish(builder, point, results);
  }
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

void NestEmitter::emitFold(OpBuilder &builder) {
  SmallVector<Operation *> combiners = findCombiners(op);
  unsigned numOutputs = op.getNumDpsInits();
  const unsigned run = lanes.runLength(), perVector = width / run;
  SmallVector<unsigned> steps =
      laneSteps(perVector, vectors, ranges[lanes.loop]);

  // Every step along the lane has accumulators of its own: `vectors` vectors
  // for the first, one for the others.
  struct Part {
    unsigned laneWidth, laneVectors, first;
  };
  SmallVector<Part> parts;
  Carried accumulators;
  for (unsigned step : steps) {
    Part part;
    part.laneWidth = std::min(step, perVector) * run;
    part.laneVectors = step * run / part.laneWidth;
    part.first = accumulators.size();
    parts.push_back(part);
    for (unsigned o = 0; o < numOutputs; ++o)
      for (unsigned v = 0; v < part.laneVectors; ++v)
        accumulators.push_back(
            splat(builder, loc,
                  arith::ConstantOp::create(builder, loc,
                                            neutralElement(combiners[o])),
                  part.laneWidth));
  }

  accumulators = reductionLoops(
      builder, innerReductions(lanes.loop, -1), accumulators,
      [&](OpBuilder &inner, ValueRange values) {
        return stepThrough(
            inner, loc, ranges[lanes.loop], steps, 2, values,
            [&](OpBuilder &body, Value index, unsigned step, ValueRange args) {
              const Part &part = parts[llvm::find(steps, step) - steps.begin()];
              indices[lanes.loop] = index;
              NestTile nestTile(nest, indices, lanes, part.laneWidth,
                                part.laneVectors, -1, 1);
              nestTile.place(body);
              indices[lanes.loop] = Value();
              Carried results(args);
              for (unsigned v = 0; v < part.laneVectors; ++v) {
                Carried outputs;
                for (unsigned o = 0; o < numOutputs; ++o)
                  outputs.push_back(
                      results[part.first + o * part.laneVectors + v]);
                Carried computed = nestTile.compute(body, v, outputs);
                for (unsigned o = 0; o < numOutputs; ++o)
                  results[part.first + o * part.laneVectors + v] = computed[o];
              }
              return results;
            });
      });

  // Vectors of equal width first, then across the lanes, widest first.
  NestTile point(nest, indices, lanes.ofRun(), run, 1, -1, 1);
  point.place(builder);
  Carried results;
  for (unsigned o = 0; o < numOutputs; ++o) {
    llvm::SmallMapVector<unsigned, SmallVector<Value>, 4> byWidth;
    for (const Part &part : parts)
      for (unsigned v = 0; v < part.laneVectors; ++v)
        byWidth[part.laneWidth].push_back(
            accumulators[part.first + o * part.laneVectors + v]);
    Value total;
    for (auto &[_, level] : byWidth) {
      Value sum = combineLanes(builder, combiners[o],
                               combineAll(builder, combiners[o], level), run);
      total = total ? combine(builder, combiners[o], total, sum) : sum;
    }
    TypedAttr initial = nest.initial[o];
    if (!total) // an empty lane
      total = splat(
          builder, loc,
          arith::ConstantOp::create(builder, loc, neutralElement(combiners[o])),
          run);
    if (!initial || initial != neutralElement(combiners[o]))
      total = combine(builder, combiners[o], initialValue(builder, point, o, 0),
                      total);
    results.push_back(total);
  }
  point.finish(builder, 0, results);
}

void emitNestLoops(OpBuilder &builder, const Nest &nest,
                   ArrayRef<NestRange> ranges) {
  NestEmitter(nest, ranges).emit(builder);
}

} // namespace cornu::codegen
