//===- NestLanes.cpp - Which loops run along the lanes --------------------===//

#include "codegen/strategy/NestLanes.h"

#include "codegen/schedule/Lanes.h"
#include <cmath>

using namespace mlir;

namespace cornu::codegen {

/// What empty lanes take from a score: as much for each halving of the lanes
/// that work. An extent that is not a power of two takes several loads.
static int64_t emptyScore(const NestFacts &facts, const LaneChoice &choice,
                          int64_t runLength, unsigned full) {
  const int64_t size = facts.sizes[choice.loop];
  double lanes = choice.width;
  if (!ShapedType::isDynamic(size) && size * runLength < choice.width) {
    uint64_t iterations = size;
    lanes = double(size * runLength) / std::max(1, llvm::popcount(iterations));
  }
  return 4 * std::log2(full / std::max(1.0, lanes));
}

/// How well `choice` suits, of vectors of `full` lanes.
static int64_t laneScore(const NestFacts &facts, const LaneChoice &choice,
                         unsigned full) {
  linalg::GenericOp op = facts.op;
  const unsigned loop = choice.loop;
  Lanes lanes = lanesOf(op, facts.sizes, choice.loop, choice.run);
  int64_t score = 100;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    bool output = i >= op.getNumDpsInputs();
    if (!output && op.getBody()->getArgument(i).use_empty())
      continue;
    // An operand that many points share counts little.
    AffineMap map = op.getIndexingMapsArray()[i];
    int64_t moved = 0;
    for (unsigned other = 0; other < facts.sizes.size(); ++other)
      moved += map.isFunctionOfDim(other) ? 1 : 0;
    int64_t all = facts.sizes.size();
    int64_t weight = (output ? 12 : 10) * moved * moved / (all * all);
    if (output && !facts.parallel[loop])
      continue; // once for all lanes
    switch (laneAccess(op, i, lanes, choice.width)) {
    case LaneAccess::Contiguous:
      score += weight;
      break;
    case LaneAccess::Uniform:
      break;
    case LaneAccess::Shuffled: {
      // A load and a shuffle for each vector; a store is not shuffled.
      int64_t vectors =
          shuffledLoads(*laneOffsets(op, i, lanes, choice.width)).firsts.size();
      score += output
                   ? -weight
                   : weight * (int64_t(full) - 2 * vectors + 1) / int64_t(full);
      break;
    }
    case LaneAccess::Strided:
      // A load or store per lane.
      score -= weight;
      break;
    }
  }
  score -= emptyScore(facts, choice, lanes.runLength(), full);
  // A horizontal reduction costs something.
  if (!facts.parallel[loop])
    score -= 1;
  return std::max<int64_t>(score, 0);
}

bool canBeLane(const NestFacts &facts, unsigned loop) {
  if (loop < facts.rows || facts.sizes[loop] == 1)
    return false;
  if (facts.parallel[loop])
    return !facts.guarded[loop] || !ShapedType::isDynamic(facts.sizes[loop]);
  return !facts.guarded[loop] && facts.ownOutputs && facts.combines;
}

LaneChoice bestLanes(const NestFacts &facts, unsigned loop, unsigned full) {
  LaneChoice best;
  if (!canBeLane(facts, loop))
    return best;
  LaneChoice choice;
  choice.loop = loop;
  int64_t length = 1;
  for (unsigned inner = facts.sizes.size(); true;) {
    choice.width = llvm::bit_floor(full / unsigned(length)) * length;
    choice.score = laneScore(facts, choice, full);
    if (choice.score > best.score)
      best = choice;
    // The next loop that goes with it.
    while (inner > 0 && !facts.parallel[inner - 1])
      --inner;
    if (inner == 0)
      break;
    --inner;
    if (inner < facts.rows || (facts.parallel[loop] && inner <= loop) ||
        facts.guarded[inner] || ShapedType::isDynamic(facts.sizes[inner]) ||
        facts.gathers ||
        // An update reads what it writes.
        (facts.reduces && !indexesAllOutputs(facts.op, inner)))
      break;
    length *= facts.sizes[inner];
    if (length > int64_t(full) || length == 0)
      break;
    ++choice.run;
  }
  return best;
}

LaneChoice bestLanes(const NestFacts &facts, unsigned full) {
  LaneChoice best;
  for (unsigned loop = 0; loop < facts.sizes.size(); ++loop) {
    LaneChoice choice = bestLanes(facts, loop, full);
    // Of equals, the innermost.
    if (choice.score >= 0 && choice.score >= best.score)
      best = choice;
  }
  return best;
}

} // namespace cornu::codegen
