//===- Nest.cpp - How nests are blocked -----------------------------------===//
//
//   #codegen.nest<kind = fold, lane = 1, width = 8, vectors = 4, ...>
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/Nest.h"

#include "codegen/schedule/Lanes.h"
#include "codegen/strategy/NestFills.h"
#include "codegen/strategy/NestForm.h"
#include "codegen/strategy/NestFusion.h"
#include "codegen/strategy/NestLanes.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Register tile
//===----------------------------------------------------------------------===//

/// A parallel loop along which an input runs in memory that does not along the
/// lane: squares of it are transposed in registers.
static int transposedLoop(const NestFacts &facts, const LaneChoice &choice) {
  linalg::GenericOp op = facts.op;
  const int lane = choice.loop;
  const unsigned width = choice.width;
  if (lane < 0 || choice.run > 0 || facts.reduces ||
      !facts.atLeast(lane, width) || width < 2 || width > 16)
    return -1;
  for (unsigned i = 0; i < op.getNumDpsInputs(); ++i) {
    if (laneAccess(op, i, lane, width) != LaneAccess::Strided)
      continue;
    for (unsigned loop = facts.rows; loop < facts.sizes.size(); ++loop)
      if (static_cast<int>(loop) != lane && facts.parallel[loop] &&
          facts.atLeast(loop, width) &&
          laneAccess(op, i, loop, width) == LaneAccess::Contiguous)
        return loop;
  }
  return -1;
}

/// The parallel loop whose neighbouring points share most input: a window
/// slides along it, or an input does not depend on it.
static int sharingLoop(const NestFacts &facts, const Lanes &lanes) {
  linalg::GenericOp op = facts.op;
  int best = -1;
  unsigned bestShared = 0;
  for (unsigned loop = facts.rows; loop < facts.sizes.size(); ++loop) {
    if (lanes.runAlong(loop) || !facts.parallel[loop] ||
        !facts.atLeast(loop, 2))
      continue;
    unsigned shared = 0;
    for (unsigned i = 0; i < op.getNumDpsInputs(); ++i) {
      if (op.getBody()->getArgument(i).use_empty())
        continue;
      AffineMap map = op.getIndexingMapsArray()[i];
      if (!map.isFunctionOfDim(loop)) {
        shared += 2;
        continue;
      }
      for (AffineExpr expr : map.getResults())
        if (!isa<AffineDimExpr>(expr) && expr.isFunctionOfDim(loop))
          shared += 2;
    }
    if (shared > 0 && shared >= bestShared) {
      best = loop;
      bestShared = shared;
    }
  }
  return best;
}

SmallVector<int> possibleLanes(linalg::GenericOp op, unsigned rows,
                               const Target &target) {
  NestFacts facts(op, rows);
  SmallVector<int> lanes;
  for (unsigned loop = 0; loop < facts.sizes.size(); ++loop)
    if (canBeLane(facts, loop))
      lanes.push_back(loop);
  return lanes;
}

NestAttr chooseNest(linalg::GenericOp op, unsigned rows, unsigned group,
                    const Target &target, std::optional<int> givenLane) {
  NestFacts facts(op, rows);
  const unsigned full = facts.fullWidth(target);
  LaneChoice choice =
      givenLane ? bestLanes(facts, *givenLane, full) : bestLanes(facts, full);
  NestKind kind = NestKind::Map;
  if (facts.reduces) {
    if (!facts.ownOutputs)
      kind = NestKind::Update;
    else if (choice.loop >= 0 && !facts.parallel[choice.loop])
      kind = NestKind::Fold;
    else
      kind = NestKind::Reduce;
  }
  if (kind == NestKind::Update && choice.loop >= 0 &&
      (!facts.parallel[choice.loop] || !indexesAllOutputs(op, choice.loop)))
    choice = {};
  const int lane = choice.loop;
  const int64_t width = choice.width;
  const Lanes lanes = lanesOf(op, facts.sizes, lane, choice.run);

  // Vectors in flight: enough accumulators for the latency of two units, in
  // half of the registers; of maps as many as keep the loop short.
  int64_t accumulators = target.vectorRegisters / 2;
  int64_t laneVectors =
      lane < 0 ? 1
      : ShapedType::isDynamic(facts.sizes[lane])
          ? accumulators
          : std::max<int64_t>(1, facts.sizes[lane] * lanes.runLength() / width);
  int64_t vectors = 1, tile = 1;
  int tileLoop = -1;
  switch (kind) {
  case NestKind::Map:
    vectors = std::min<int64_t>(laneVectors, facts.cost <= 8    ? 4
                                             : facts.cost <= 24 ? 2
                                                                : 1);
    if ((tileLoop = transposedLoop(facts, choice)) >= 0) {
      vectors = 1;
      tile = width;
    }
    break;
  case NestKind::Fold:
    vectors = std::min<int64_t>(
        laneVectors, std::max<int64_t>(1, (facts.cost <= 2    ? accumulators
                                           : facts.cost <= 12 ? accumulators / 2
                                                              : 2) /
                                              op.getNumDpsInits()));
    break;
  case NestKind::Reduce: {
    accumulators = std::max<int64_t>(1, accumulators / op.getNumDpsInits());
    if (facts.cost > 12)
      accumulators = std::min<int64_t>(accumulators, 2);
    tileLoop = sharingLoop(facts, lanes);
    if (tileLoop >= 0) {
      vectors = std::min<int64_t>(laneVectors, accumulators >= 4 ? 2 : 1);
      tile = std::max<int64_t>(1, accumulators / vectors);
      if (!ShapedType::isDynamic(facts.sizes[tileLoop]))
        tile = std::min(tile, facts.sizes[tileLoop]);
    } else {
      vectors = std::min(laneVectors, accumulators);
      // A whole row where its sums fit the registers: strips of a row leave
      // gaps in what they read, and prefetchers stop there (256 or 512 columns
      // of 512-bit vectors take 2.2 to 2.9 times as long in two strips).
      if (lane >= 0 && !ShapedType::isDynamic(facts.sizes[lane]) &&
          facts.cost <= 12 &&
          laneVectors * op.getNumDpsInits() <= int64_t(target.vectorRegisters))
        vectors = laneVectors;
      // Rows of few columns: several rows at once.
      int64_t split = accumulators / vectors;
      unsigned last = facts.sizes.size() - 1;
      if (split > 1 && facts.combines && !facts.parallel[last] &&
          !facts.guarded[last] && facts.atLeast(last, 2 * split)) {
        tileLoop = last;
        tile = split;
      }
    }
    break;
  }
  case NestKind::Update:
    vectors = std::min<int64_t>(laneVectors, 2);
    break;
  case NestKind::Epilogue:
    break;
  }
  if (tile == 1)
    tileLoop = -1;

  // Alone, the leading parallel loops are the rows.
  if (rows == 0)
    while (rows < facts.sizes.size() && facts.parallel[rows] &&
           (kind != NestKind::Update || indexesAllOutputs(op, rows)) &&
           !lanes.runAlong(rows) && static_cast<int>(rows) != tileLoop)
      ++rows;
  // A task of about ten microseconds: memory-bound points take a third of a
  // nanosecond, others as many cycles as their cost, by vectors.
  int64_t grain =
      std::clamp<int64_t>(int64_t(160000) / (facts.cost + 3), 4096, 40000);
  return NestAttr::get(op.getContext(), kind, lane, choice.run, width, vectors,
                       tileLoop, tile, rows, group, grain, 2 * grain);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

void chooseNests(RewriterBase &rewriter, func::FuncOp kernel,
                 const Target &target) {
  generalizeOps(rewriter, kernel);
  removePadding(rewriter, kernel);
  inlineProducers(rewriter, kernel);
  mergeNests(rewriter, kernel);
  inlineProducers(rewriter, kernel);

  SmallVector<Block *> blocks;
  kernel.walk([&](Block *block) {
    if (!isa<linalg::LinalgOp>(block->getParentOp()))
      blocks.push_back(block);
  });
  unsigned number = 0;
  for (Block *block : blocks) {
    resolveFills(rewriter, *block);
    for (NestGroup &group : groupNests(*block, target.lanes(32))) {
      orderLoops(rewriter, group);
      collapseLoops(rewriter, group);
      for (auto [s, stage] : llvm::enumerate(group.stages)) {
        NestAttr attr =
            group.isEpilogue[s]
                ? NestAttr::get(rewriter.getContext(), NestKind::Epilogue, -1,
                                0, 1, 1, -1, 1, group.rows.size(), number, 0, 0)
                : chooseNest(stage, group.rows.size(), number, target);
        stage->setAttr(CodegenDialect::kStrategyAttr, attr);
      }
      ++number;
    }
  }
}

} // namespace cornu::codegen
