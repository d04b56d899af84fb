//===- Nest.cpp - How nests are blocked -----------------------------------===//
//
//   #codegen.nest<kind = fold, lane = 1, width = 8, vectors = 4, ...>
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/Nest.h"

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/NestGuards.h"
#include "codegen/strategy/GenericLoops.h"
#include "codegen/strategy/NestFills.h"
#include "codegen/strategy/NestForm.h"
#include "codegen/strategy/NestFusion.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace cornu::codegen {

namespace {
/// The facts about a nest that decisions are made from.
struct NestFacts {
  explicit NestFacts(linalg::GenericOp op, unsigned rows);

  linalg::GenericOp op;
  unsigned rows;
  SmallVector<int64_t> sizes; ///< kDynamic where not static
  SmallVector<bool> parallel, guarded;
  bool reduces = false;     ///< some loop is a reduction
  bool ownOutputs = false;  ///< reductions can stay in registers
  bool combines = false;    ///< all combiners are known
  unsigned elementBits = 8; ///< the widest element that is computed on
  int64_t cost = 0;         ///< of the body, in additions

  bool atLeast(unsigned loop, int64_t size) const {
    return ShapedType::isDynamic(sizes[loop]) || sizes[loop] >= size;
  }
};
} // namespace

static unsigned bitsOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 0;
}

NestFacts::NestFacts(linalg::GenericOp op, unsigned rows)
    : op(op), rows(rows), sizes(op.getStaticLoopRanges()) {
  for (utils::IteratorType type : op.getIteratorTypesArray())
    parallel.push_back(type == utils::IteratorType::parallel);
  reduces = llvm::is_contained(parallel, false);
  ownOutputs = hasOwnOutputs(op);
  combines = !llvm::is_contained(findCombiners(op), nullptr);
  guarded.assign(sizes.size(), false);
  for (const Guard &guard : guardsOf(op))
    for (auto [loop, coefficient] : llvm::enumerate(guard.coefficients))
      guarded[loop] = guarded[loop] || coefficient != 0;
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    if (!op.getBody()->getArgument(i).use_empty() || i >= op.getNumDpsInputs())
      elementBits = std::max(elementBits, bitsOf(op->getOperand(i).getType()));
  op.getBody()->walk([&](Operation *inner) {
    if (isa<arith::ConstantOp, linalg::YieldOp, linalg::IndexOp>(inner))
      return;
    for (Type type : inner->getResultTypes())
      elementBits = std::max(elementBits, bitsOf(type));
    // A division or a gather occupies its unit for about five cycles, a
    // polynomial takes about twelve operations.
    if (isa<arith::DivFOp, memref::LoadOp>(inner))
      cost += 5;
    else if (isa<math::MathDialect>(inner->getDialect()) &&
             !isa<math::AbsFOp, math::CopySignOp, math::FmaOp>(inner))
      cost += isa<math::SqrtOp, math::RsqrtOp>(inner) ? 5 : 12;
    else
      cost += 1;
  });
}

//===----------------------------------------------------------------------===//
// Lane
//===----------------------------------------------------------------------===//

/// How well loop `loop` suits the lanes of vectors; negative: not at all.
static int64_t laneScore(NestFacts &facts, unsigned loop, unsigned width) {
  linalg::GenericOp op = facts.op;
  if (loop < facts.rows || facts.guarded[loop])
    return -1;
  if (!facts.parallel[loop] && !(facts.ownOutputs && facts.combines))
    return -1;
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
    switch (laneAccess(op, i, loop)) {
    case LaneAccess::Contiguous:
      score += weight;
      break;
    case LaneAccess::Uniform:
      break;
    case LaneAccess::Strided:
      // A load or store per lane.
      score -= weight;
      break;
    }
  }
  // Lanes that stay empty.
  int64_t size = facts.sizes[loop];
  if (!ShapedType::isDynamic(size) && size < width)
    score -= 8 * (int64_t(width) - size) / width;
  // A horizontal reduction costs something.
  if (!facts.parallel[loop])
    score -= 1;
  return std::max<int64_t>(score, 0);
}

static int chooseLane(NestFacts &facts, unsigned width) {
  int best = -1;
  int64_t bestScore = 0;
  for (unsigned loop = 0; loop < facts.sizes.size(); ++loop) {
    int64_t score = laneScore(facts, loop, width);
    // Of equals, the innermost.
    if (score >= 0 && score >= bestScore) {
      best = loop;
      bestScore = score;
    }
  }
  return best;
}

//===----------------------------------------------------------------------===//
// Register tile
//===----------------------------------------------------------------------===//

/// A parallel loop along which an input runs in memory that does not along the
/// lane: squares of it are transposed in registers.
static int transposedLoop(NestFacts &facts, int lane, unsigned width) {
  linalg::GenericOp op = facts.op;
  if (facts.reduces || !facts.atLeast(lane, width) || width < 2 || width > 16)
    return -1;
  for (unsigned i = 0; i < op.getNumDpsInputs(); ++i) {
    if (laneAccess(op, i, lane) != LaneAccess::Strided)
      continue;
    for (unsigned loop = facts.rows; loop < facts.sizes.size(); ++loop)
      if (static_cast<int>(loop) != lane && facts.parallel[loop] &&
          facts.atLeast(loop, width) &&
          laneAccess(op, i, loop) == LaneAccess::Contiguous)
        return loop;
  }
  return -1;
}

/// The parallel loop whose neighbouring points share most input: a window
/// slides along it, or an input does not depend on it.
static int sharingLoop(NestFacts &facts, int lane) {
  linalg::GenericOp op = facts.op;
  int best = -1;
  unsigned bestShared = 0;
  for (unsigned loop = facts.rows; loop < facts.sizes.size(); ++loop) {
    if (static_cast<int>(loop) == lane || !facts.parallel[loop] ||
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

/// True if every output has a dimension that is loop `loop`, so that its
/// iterations write apart.
static bool indexesAllOutputs(linalg::GenericOp op, unsigned loop) {
  for (unsigned o = 0; o < op.getNumDpsInits(); ++o) {
    AffineMap map = op.getIndexingMapsArray()[op.getNumDpsInputs() + o];
    bool found = llvm::any_of(map.getResults(), [&](AffineExpr expr) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      return dim && dim.getPosition() == loop;
    });
    if (!found)
      return false;
  }
  return true;
}

/// Elements of a vector of what the nest computes on; 1 where it cannot.
static unsigned widthFor(NestFacts &facts, const Target &target) {
  return isVectorizable(facts.op)
             ? std::max(1u, target.lanes(facts.elementBits))
             : 1;
}

SmallVector<int> possibleLanes(linalg::GenericOp op, unsigned rows,
                               const Target &target) {
  NestFacts facts(op, rows);
  unsigned width = widthFor(facts, target);
  SmallVector<int> lanes;
  for (unsigned loop = 0; loop < facts.sizes.size(); ++loop)
    if (laneScore(facts, loop, width) >= 0)
      lanes.push_back(loop);
  return lanes;
}

NestAttr chooseNest(linalg::GenericOp op, unsigned rows, unsigned group,
                    const Target &target, std::optional<int> givenLane) {
  NestFacts facts(op, rows);
  unsigned width = widthFor(facts, target);
  int lane = givenLane ? *givenLane : chooseLane(facts, width);
  NestKind kind = NestKind::Map;
  if (facts.reduces) {
    if (!facts.ownOutputs)
      kind = NestKind::Update;
    else if (lane >= 0 && !facts.parallel[lane])
      kind = NestKind::Fold;
    else
      kind = NestKind::Reduce;
  }
  if (kind == NestKind::Update && lane >= 0 &&
      (!facts.parallel[lane] || !indexesAllOutputs(op, lane)))
    lane = -1;
  if (lane < 0)
    width = 1;

  // Vectors in flight: enough accumulators for the latency of two units, in
  // half of the registers; of maps as many as keep the loop short.
  int64_t accumulators = target.vectorRegisters / 2;
  int64_t laneVectors = lane < 0 ? 1
                        : ShapedType::isDynamic(facts.sizes[lane])
                            ? accumulators
                            : std::max<int64_t>(1, facts.sizes[lane] / width);
  int64_t vectors = 1, tile = 1;
  int tileLoop = -1;
  switch (kind) {
  case NestKind::Map:
    vectors = std::min<int64_t>(laneVectors, facts.cost <= 8    ? 4
                                             : facts.cost <= 24 ? 2
                                                                : 1);
    if (lane >= 0 && (tileLoop = transposedLoop(facts, lane, width)) >= 0) {
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
    tileLoop = sharingLoop(facts, lane);
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
           static_cast<int>(rows) != lane && static_cast<int>(rows) != tileLoop)
      ++rows;
  // A task of about ten microseconds: memory-bound points take a third of a
  // nanosecond, others as many cycles as their cost, by vectors.
  int64_t grain =
      std::clamp<int64_t>(int64_t(160000) / (facts.cost + 3), 4096, 40000);
  return NestAttr::get(op.getContext(), kind, lane, width, vectors, tileLoop,
                       tile, rows, group, grain, 2 * grain);
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
    for (NestGroup &group : groupNests(*block)) {
      orderLoops(rewriter, group);
      collapseLoops(rewriter, group);
      for (auto [s, stage] : llvm::enumerate(group.stages)) {
        NestAttr attr =
            group.isEpilogue[s]
                ? NestAttr::get(rewriter.getContext(), NestKind::Epilogue, -1,
                                1, 1, -1, 1, group.rows.size(), number, 0, 0)
                : chooseNest(stage, group.rows.size(), number, target);
        stage->setAttr(CodegenDialect::kStrategyAttr, attr);
      }
      ++number;
    }
  }
}

} // namespace cornu::codegen
