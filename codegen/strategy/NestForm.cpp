//===- NestForm.cpp - Which nests share their rows ------------------------===//
//
// The dependences between two stages are the buffers that one writes and the
// other touches. A loop of one is the same row loop in the other if it indexes
// the same dimension of all these buffers, in both.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/NestForm.h"

#include "codegen/schedule/NestLoops.h"
#include "codegen/strategy/NestFusion.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace cornu::codegen {

static bool isParallel(linalg::GenericOp op, unsigned loop) {
  return op.getIteratorTypesArray()[loop] == utils::IteratorType::parallel;
}

static bool isAllParallel(linalg::GenericOp op) {
  return op.getNumParallelLoops() == op.getNumLoops();
}

static std::optional<unsigned> plainLoop(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dim.getPosition();
  return std::nullopt;
}

bool hasOwnOutputs(linalg::GenericOp op) {
  for (unsigned o = 0; o < op.getNumDpsInits(); ++o) {
    AffineMap map = op.getIndexingMapsArray()[op.getNumDpsInputs() + o];
    if (!map.isProjectedPermutation())
      return false;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (map.isFunctionOfDim(loop) != isParallel(op, loop))
        return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Fills
//===----------------------------------------------------------------------===//

linalg::FillOp fillOf(linalg::GenericOp op, unsigned output) {
  Value buffer = op.getDpsInits()[output];
  Value base = baseBuffer(buffer);
  for (Operation *before = op->getPrevNode(); before;
       before = before->getPrevNode()) {
    if (auto fill = dyn_cast<linalg::FillOp>(before))
      if (fill.getOutputs()[0] == buffer)
        return matchPattern(fill.getInputs()[0], m_Constant()) ? fill : nullptr;
    if (readsBuffer(before, base) || writesBuffer(before, base))
      return {};
  }
  return {};
}

void resolveFills(RewriterBase &rewriter, Block &block) {
  SmallVector<linalg::FillOp> fills(block.getOps<linalg::FillOp>());
  for (linalg::FillOp fill : fills) {
    Value buffer = fill.getOutputs()[0];
    Value base = baseBuffer(buffer);
    // Who touches it next?
    bool absorbed = false, overwritten = false;
    for (Operation *op = fill->getNextNode(); op; op = op->getNextNode()) {
      if (!readsBuffer(op, base) && !writesBuffer(op, base))
        continue;
      auto generic = dyn_cast<linalg::GenericOp>(op);
      if (!generic)
        break;
      for (unsigned o = 0; o < generic.getNumDpsInits(); ++o) {
        if (generic.getDpsInits()[o] != buffer)
          continue;
        bool once = llvm::count(generic->getOperands(), buffer) == 1;
        if (isAllParallel(generic))
          overwritten =
              once && generic.getRegionOutputArgs()[o].use_empty() &&
              generic.getIndexingMapsArray()[generic.getNumDpsInputs() + o]
                  .isPermutation();
        else
          absorbed = once && fillOf(generic, o);
      }
      break;
    }
    if (absorbed)
      continue;
    if (!overwritten) {
      auto type = cast<MemRefType>(buffer.getType());
      rewriter.setInsertionPoint(fill);
      SmallVector<utils::IteratorType> parallel(type.getRank(),
                                                utils::IteratorType::parallel);
      linalg::GenericOp::create(
          rewriter, fill.getLoc(), ValueRange(), buffer,
          rewriter.getMultiDimIdentityMap(type.getRank()), parallel,
          [&](OpBuilder &builder, Location loc, ValueRange) {
            linalg::YieldOp::create(builder, loc, fill.getInputs()[0]);
          });
    }
    rewriter.eraseOp(fill);
  }
}

//===----------------------------------------------------------------------===//
// Grouping
//===----------------------------------------------------------------------===//

/// The loop that most operands of the highest rank run along in memory.
static std::optional<unsigned> contiguousLoop(linalg::GenericOp op) {
  SmallVector<unsigned> votes(op.getNumLoops(), 0);
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  unsigned rank = 0;
  for (AffineMap map : maps)
    rank = std::max(rank, map.getNumResults());
  for (AffineMap map : maps)
    if (rank && map.getNumResults() == rank)
      if (auto loop = plainLoop(map.getResults().back()))
        ++votes[*loop];
  if (votes.empty())
    return std::nullopt;
  unsigned best = llvm::max_element(votes) - votes.begin();
  return votes[best] ? std::optional<unsigned>(best) : std::nullopt;
}

/// True if `next` can be computed on the results of `root` (and of epilogues
/// already accepted) while they are in registers.
static bool isEpilogueOf(linalg::GenericOp root,
                         ArrayRef<linalg::GenericOp> accepted,
                         linalg::GenericOp next) {
  if (isAllParallel(root) || !isAllParallel(next) || !hasOwnOutputs(root) ||
      !hasOwnOutputs(next) || next.getNumLoops() != root.getNumParallelLoops())
    return false;
  // next's loop -> root's loop, from every value that comes in registers.
  SmallVector<std::optional<unsigned>> toRoot(next.getNumLoops());
  SmallVector<AffineMap> maps = next.getIndexingMapsArray();
  bool connected = false;
  AffineMap rootMap = root.getIndexingMapsArray()[root.getNumDpsInputs()];
  SmallVector<std::pair<linalg::GenericOp, SmallVector<unsigned>>> producers;
  // Loops of the root and of each accepted epilogue, as loops of the root.
  SmallVector<unsigned> identity;
  for (unsigned i = 0; i < root.getNumLoops(); ++i)
    identity.push_back(i);
  producers.push_back({root, identity});
  for (linalg::GenericOp epilogue : accepted) {
    // Accepted ones read the root, directly or not, through plain maps.
    SmallVector<unsigned> loops(epilogue.getNumLoops(), 0);
    for (auto &[producer, producerLoops] : producers)
      for (unsigned o = 0; o < producer.getNumDpsInits(); ++o)
        for (unsigned i = 0; i < epilogue.getNumDpsInputs(); ++i)
          if (epilogue->getOperand(i) == producer.getDpsInits()[o]) {
            AffineMap read = epilogue.getIndexingMapsArray()[i];
            AffineMap written =
                producer.getIndexingMapsArray()[producer.getNumDpsInputs() + o];
            for (auto [r, w] :
                 llvm::zip(read.getResults(), written.getResults()))
              loops[*plainLoop(r)] = producerLoops[*plainLoop(w)];
          }
    producers.push_back({epilogue, loops});
  }
  for (auto &[producer, producerLoops] : producers)
    for (unsigned o = 0; o < producer.getNumDpsInits(); ++o) {
      Value buffer = producer.getDpsInits()[o];
      for (unsigned i = 0; i < next->getNumOperands(); ++i) {
        if (baseBuffer(next->getOperand(i)) != baseBuffer(buffer))
          continue;
        AffineMap written =
            producer.getIndexingMapsArray()[producer.getNumDpsInputs() + o];
        if (next->getOperand(i) != buffer || !maps[i].isPermutation())
          return false;
        // An old output that is read would have to come from memory.
        if (i >= next.getNumDpsInputs() &&
            !next.getBody()->getArgument(i).use_empty())
          return false;
        for (auto [r, w] :
             llvm::zip(maps[i].getResults(), written.getResults())) {
          unsigned loop = *plainLoop(r), source = producerLoops[*plainLoop(w)];
          if (toRoot[loop] && *toRoot[loop] != source)
            return false;
          toRoot[loop] = source;
        }
        connected |= i < next.getNumDpsInputs();
      }
    }
  (void)rootMap;
  if (!connected || llvm::is_contained(toRoot, std::nullopt))
    return false;
  // While it writes, other points of the root still read.
  for (Value output : next.getDpsInits()) {
    Value base = baseBuffer(output);
    for (unsigned i = 0; i < root.getNumDpsInputs(); ++i)
      if (baseBuffer(root->getOperand(i)) == base)
        return false;
    bool loaded = false;
    root.getBody()->walk([&](memref::LoadOp load) {
      loaded |= baseBuffer(load.getMemRef()) == base;
    });
    if (loaded)
      return false;
  }
  // A gather from the root's results is not pointwise.
  bool gathers = false;
  next.getBody()->walk([&](memref::LoadOp load) {
    for (auto &[producer, _] : producers)
      for (Value output : producer.getDpsInits())
        gathers |= baseBuffer(load.getMemRef()) == baseBuffer(output);
  });
  return !gathers;
}

/// The loop of `next` that is row loop `loop` of `stage`: none if they are not
/// related, failure if a dependence does not keep to the row.
static FailureOr<std::optional<unsigned>>
sameRow(linalg::GenericOp stage, unsigned loop, linalg::GenericOp next) {
  std::optional<unsigned> related, hint;
  SmallVector<AffineMap> maps = stage.getIndexingMapsArray();
  SmallVector<AffineMap> nextMaps = next.getIndexingMapsArray();
  for (unsigned i = 0; i < maps.size(); ++i)
    for (unsigned j = 0; j < nextMaps.size(); ++j) {
      Value x = stage->getOperand(i), y = next->getOperand(j);
      if (baseBuffer(x) != baseBuffer(y))
        continue;
      bool dependent =
          i >= stage.getNumDpsInputs() || j >= next.getNumDpsInputs();
      std::optional<unsigned> found;
      if (x == y)
        for (auto [from, to] :
             llvm::zip(maps[i].getResults(), nextMaps[j].getResults()))
          if (plainLoop(from) == loop && plainLoop(to) &&
              isParallel(next, *plainLoop(to)))
            found = plainLoop(to);
      if (!dependent) {
        if (found && !hint)
          hint = found;
        continue;
      }
      if (!found || (related && related != found))
        return failure();
      related = found;
    }
  // Gathers from what the other writes do not keep to rows.
  bool gathers = false;
  auto look = [&](linalg::GenericOp reader, linalg::GenericOp writer) {
    reader.getBody()->walk([&](memref::LoadOp load) {
      for (Value output : writer.getDpsInits())
        gathers |= baseBuffer(load.getMemRef()) == baseBuffer(output);
    });
  };
  look(next, stage);
  look(stage, next);
  if (gathers)
    return failure();
  return related ? related : hint;
}

/// True if `op` may stand between two stages of `group`: it then runs before
/// all of them.
static bool isTransparent(Operation *op, const NestGroup &group) {
  if (auto load = dyn_cast<memref::LoadOp>(op)) {
    Value base = baseBuffer(load.getMemRef());
    return llvm::none_of(group.stages, [&](linalg::GenericOp stage) {
      return writesBuffer(stage, base);
    });
  }
  return isa<linalg::FillOp, memref::AllocOp, memref::AllocaOp,
             memref::DeallocOp, memref::DimOp, ViewLikeOpInterface>(op) ||
         isMemoryEffectFree(op);
}

/// Extends `group` by `next` if that leaves a row loop to share.
static bool addStage(NestGroup &group, linalg::GenericOp next) {
  // An epilogue of the last root?
  unsigned lastRoot = group.stages.size();
  while (group.isEpilogue[--lastRoot])
    ;
  auto since = ArrayRef(group.stages).drop_front(lastRoot + 1);
  bool epilogue = isEpilogueOf(group.stages[lastRoot], since, next);

  SmallVector<SmallVector<unsigned>> rows;
  for (ArrayRef<unsigned> row : group.rows) {
    std::optional<unsigned> loop;
    bool valid = true;
    for (unsigned s = 0; s < group.stages.size() && valid; ++s) {
      auto same = sameRow(group.stages[s], row[s], next);
      if (failed(same) || (*same && loop && *loop != **same))
        valid = false;
      else if (*same)
        loop = **same;
    }
    if (!valid || !loop)
      continue;
    bool taken = llvm::any_of(
        rows, [&](ArrayRef<unsigned> other) { return other.back() == *loop; });
    if (taken)
      continue;
    rows.push_back(SmallVector<unsigned>(row));
    rows.back().push_back(*loop);
  }
  SmallVector<linalg::GenericOp> stages = group.stages;
  stages.push_back(next);
  // The loop along memory stays inside a row.
  for (unsigned s = 0; s < stages.size(); ++s) {
    auto along = contiguousLoop(stages[s]);
    if (stages[s].getNumLoops() > 1)
      llvm::erase_if(rows, [&](ArrayRef<unsigned> row) {
        return along && row[s] == *along;
      });
  }
  bool anyInner = llvm::any_of(stages, [&](linalg::GenericOp stage) {
    return stage.getNumLoops() > rows.size();
  });
  if (!epilogue && (rows.empty() || !anyInner))
    return false;
  // A group of several roots needs rows; an epilogue must not take them away.
  if (epilogue && rows.empty() && group.numRoots() > 1)
    return false;
  group.stages = stages;
  group.isEpilogue.push_back(epilogue);
  group.rows = rows;
  return true;
}

SmallVector<NestGroup> groupNests(Block &block) {
  SmallVector<NestGroup> groups;
  bool open = false;
  for (Operation &op : block) {
    auto generic = dyn_cast<linalg::GenericOp>(op);
    if (!generic) {
      open = open && isTransparent(&op, groups.back());
      continue;
    }
    if (open && addStage(groups.back(), generic))
      continue;
    NestGroup group;
    group.stages.push_back(generic);
    group.isEpilogue.push_back(false);
    for (unsigned loop = 0; loop < generic.getNumLoops(); ++loop)
      if (isParallel(generic, loop))
        group.rows.push_back({loop});
    groups.push_back(group);
    open = true;
  }
  // One root alone chooses its own rows.
  for (NestGroup &group : groups)
    if (group.numRoots() == 1)
      group.rows.clear();
  return groups;
}

//===----------------------------------------------------------------------===//
// Order of loops
//===----------------------------------------------------------------------===//

/// New loop i is what loop `order[i]` was. (linalg's own interchange leaves
/// affine.apply in the body, which does not run on vectors.)
static void interchangeLoops(RewriterBase &rewriter, linalg::GenericOp op,
                             ArrayRef<unsigned> order) {
  SmallVector<AffineExpr> replacement(order.size());
  SmallVector<unsigned> newLoop(order.size());
  SmallVector<Attribute> iterators(order.size());
  for (auto [i, loop] : llvm::enumerate(order)) {
    replacement[loop] = rewriter.getAffineDimExpr(i);
    newLoop[loop] = i;
    iterators[i] = op.getIteratorTypes()[loop];
  }
  rewriter.modifyOpInPlace(op, [&] {
    SmallVector<AffineMap> maps;
    for (AffineMap map : op.getIndexingMapsArray())
      maps.push_back(
          map.replaceDimsAndSymbols(replacement, {}, order.size(), 0));
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    op.setIteratorTypesAttr(rewriter.getArrayAttr(iterators));
    op.getBody()->walk(
        [&](linalg::IndexOp index) { index.setDim(newLoop[index.getDim()]); });
  });
}

void orderLoops(RewriterBase &rewriter, NestGroup &group) {
  for (auto [s, stage] : llvm::enumerate(group.stages)) {
    SmallVector<unsigned> order;
    auto add = [&](unsigned loop) {
      if (!llvm::is_contained(order, loop))
        order.push_back(loop);
    };
    for (ArrayRef<unsigned> row : group.rows)
      add(row[s]);
    for (unsigned o = 0; o < stage.getNumDpsInits(); ++o)
      for (AffineExpr expr :
           stage.getIndexingMapsArray()[stage.getNumDpsInputs() + o]
               .getResults())
        if (auto loop = plainLoop(expr))
          if (isParallel(stage, *loop))
            add(*loop);
    for (bool parallel : {true, false})
      for (unsigned loop = 0; loop < stage.getNumLoops(); ++loop)
        if (isParallel(stage, loop) == parallel)
          add(loop);
    if (!llvm::is_sorted(order))
      interchangeLoops(rewriter, stage, order);
    for (auto [i, row] : llvm::enumerate(group.rows))
      row[s] = i;
  }
}

//===----------------------------------------------------------------------===//
// Collapsing
//===----------------------------------------------------------------------===//

/// True if loops `first` to `i + 1` can be one in operand `operand`, given that
/// `first` to `i` can.
static bool canCollapse(linalg::GenericOp op, unsigned operand, unsigned first,
                        unsigned i) {
  AffineMap map = op.getIndexingMapsArray()[operand];
  if (!map.isFunctionOfDim(i) && !map.isFunctionOfDim(i + 1))
    return true;
  unsigned at = map.getNumResults();
  for (auto [d, expr] : llvm::enumerate(map.getResults())) {
    if (plainLoop(expr) == i)
      at = at == map.getNumResults() ? d : ~0u;
    else if (expr.isFunctionOfDim(i))
      return false;
  }
  if (at + 1 >= map.getNumResults() ||
      plainLoop(map.getResult(at + 1)) != i + 1)
    return false;
  for (auto [d, expr] : llvm::enumerate(map.getResults()))
    if (d != at + 1 && expr.isFunctionOfDim(i + 1))
      return false;
  // The whole run, not the pair alone: a dimension of size 1 lies well with
  // either neighbour even where the neighbours do not with each other.
  auto type = cast<MemRefType>(op->getOperand(operand).getType());
  SmallVector<ReassociationIndices> pieces;
  for (unsigned d = 0; d < type.getRank(); ++d)
    if (d > at + first - i && d <= at + 1)
      pieces.back().push_back(d);
    else
      pieces.push_back({int64_t(d)});
  return memref::CollapseShapeOp::isGuaranteedCollapsible(type, pieces);
}

void collapseLoops(RewriterBase &rewriter, NestGroup &group) {
  if (group.numRoots() != 1 || group.isEpilogue[0] || !group.rows.empty())
    return;
  // An epilogue runs at the root's parallel points: those loops stay.
  const bool hasEpilogue = group.stages.size() > 1;
  linalg::GenericOp op = group.stages[0];
  if (op->hasAttr(kGuardsAttr) || op.getNumLoops() < 2)
    return;
  llvm::SmallDenseSet<unsigned> indexed;
  op.getBody()->walk(
      [&](linalg::IndexOp index) { indexed.insert(index.getDim()); });
  // Runs of loops that become one.
  SmallVector<SmallVector<unsigned>> runs;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    bool joins = loop > 0 && isParallel(op, loop) == isParallel(op, loop - 1) &&
                 !indexed.count(loop) && !indexed.count(loop - 1) &&
                 !(hasEpilogue && isParallel(op, loop));
    for (unsigned i = 0; joins && i < op->getNumOperands(); ++i)
      joins = isa<MemRefType>(op->getOperand(i).getType()) &&
              canCollapse(op, i, runs.back().front(), loop - 1);
    if (joins)
      runs.back().push_back(loop);
    else
      runs.push_back({loop});
  }
  if (runs.size() == op.getNumLoops())
    return;

  SmallVector<unsigned> newLoop(op.getNumLoops());
  for (auto [n, run] : llvm::enumerate(runs))
    for (unsigned loop : run)
      newLoop[loop] = n;
  rewriter.setInsertionPoint(op);
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    AffineMap map = op.getIndexingMapsArray()[i];
    SmallVector<ReassociationIndices> pieces;
    SmallVector<AffineExpr> results;
    SmallVector<AffineExpr> replacement;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      replacement.push_back(rewriter.getAffineDimExpr(newLoop[loop]));
    std::optional<unsigned> previous;
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      auto loop = plainLoop(expr);
      bool continues = previous && loop && *loop == *previous + 1 &&
                       newLoop[*loop] == newLoop[*previous];
      if (continues) {
        pieces.back().push_back(d);
      } else {
        pieces.push_back({int64_t(d)});
        results.push_back(expr.replaceDims(replacement));
      }
      previous = loop;
    }
    Value operand = op->getOperand(i);
    if (pieces.size() < map.getNumResults())
      operand = memref::CollapseShapeOp::create(rewriter, op.getLoc(), operand,
                                                pieces);
    operands.push_back(operand);
    maps.push_back(
        AffineMap::get(runs.size(), 0, results, rewriter.getContext()));
  }
  SmallVector<utils::IteratorType> iterators;
  for (ArrayRef<unsigned> run : runs)
    iterators.push_back(op.getIteratorTypesArray()[run.front()]);
  op.getBody()->walk([&](linalg::IndexOp index) {
    rewriter.modifyOpInPlace(index,
                             [&] { index.setDim(newLoop[index.getDim()]); });
  });
  // A fill that the nest takes over fills the same view.
  for (unsigned o = 0; o < op.getNumDpsInits(); ++o) {
    Value output = operands[op.getNumDpsInputs() + o];
    linalg::FillOp fill = fillOf(op, o);
    if (!fill || output == op.getDpsInits()[o])
      continue;
    linalg::FillOp::create(rewriter, fill.getLoc(), fill.getInputs(), output);
    rewriter.eraseOp(fill);
  }
  auto inputs = ArrayRef(operands).take_front(op.getNumDpsInputs());
  auto outputs = ArrayRef(operands).drop_front(op.getNumDpsInputs());
  auto collapsed = linalg::GenericOp::create(rewriter, op.getLoc(), inputs,
                                             outputs, maps, iterators);
  rewriter.inlineRegionBefore(op.getRegion(), collapsed.getRegion(),
                              collapsed.getRegion().end());
  rewriter.eraseOp(op);
  group.stages[0] = collapsed;
}

} // namespace cornu::codegen
