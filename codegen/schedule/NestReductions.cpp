//===- NestReductions.cpp - Reductions of one nest ------------------------===//
//
// Accumulators are values that the reduction loops carry:
//
//   %acc:8 = scf.for %kh ... iter_args(8 vectors)      a tile, lanes parallel
//   %acc:4 = scf.for %c step 32 ... iter_args(4)       lanes along the sum,
//   vector.reduction                                   across them at its end
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/NestEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;

namespace cornu::codegen {

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
  // 8 iterations of the innermost loop, none of the others; all where lanes
  // reach over the border.
  bool isAtBorder = llvm::any_of(border, [&](const Guard &guard) {
    return guard.coefficients[loop] != 0;
  });
  unsigned unroll = isAtBorder ? UINT_MAX : loops.size() == 1 ? 8 : 1;
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

} // namespace cornu::codegen
