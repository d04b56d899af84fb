//===- NestGroups.cpp - Which nests share their rows ----------------------===//
//
// m[b] = max_j x[b, j]; e[b, j] = exp(x[b, j] - m[b])   ->   one group, row b
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/NestGroups.h"

#include "codegen/strategy/BufferAccess.h"
#include "codegen/strategy/GenericLoops.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace cornu::codegen {

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

namespace {
/// A stage and, for each of its loops, the loop of the root it is.
struct RegisterStage {
  linalg::GenericOp op;
  SmallVector<unsigned> rootLoops;
};
} // namespace

/// The root and its epilogues, which read each other through plain maps.
static SmallVector<RegisterStage>
stagesInRegisters(linalg::GenericOp root,
                  ArrayRef<linalg::GenericOp> epilogues) {
  SmallVector<RegisterStage> stages{
      {root, llvm::to_vector(llvm::seq<unsigned>(0, root.getNumLoops()))}};
  for (linalg::GenericOp epilogue : epilogues) {
    SmallVector<unsigned> loops(epilogue.getNumLoops(), 0);
    for (auto &[producer, producerLoops] : stages)
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
    stages.push_back({epilogue, loops});
  }
  return stages;
}

/// True if `next` reads results of `stages`, and each at the point at which it
/// has just been computed.
static bool readsAtSamePoint(linalg::GenericOp next,
                             ArrayRef<RegisterStage> stages) {
  // next's loop -> root's loop, from every value that comes in registers.
  SmallVector<std::optional<unsigned>> toRoot(next.getNumLoops());
  SmallVector<AffineMap> maps = next.getIndexingMapsArray();
  bool connected = false;
  for (auto [producer, producerLoops] : stages)
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
  return connected && !llvm::is_contained(toRoot, std::nullopt);
}

/// True if `next` can be computed on the results of `root` (and of epilogues
/// already accepted) while they are in registers.
static bool isEpilogueOf(linalg::GenericOp root,
                         ArrayRef<linalg::GenericOp> accepted,
                         linalg::GenericOp next) {
  if (isAllParallel(root) || !isAllParallel(next) || !hasOwnOutputs(root) ||
      !hasOwnOutputs(next) || next.getNumLoops() != root.getNumParallelLoops())
    return false;
  SmallVector<RegisterStage> stages = stagesInRegisters(root, accepted);
  if (!readsAtSamePoint(next, stages))
    return false;
  // While it writes, other points of the root still read.
  SmallVector<Value> written = buffersWritten(next);
  for (Value input : root.getDpsInputs())
    if (llvm::is_contained(written, baseBuffer(input)))
      return false;
  if (gathersFrom(root, written))
    return false;
  // A gather from the root's results is not pointwise.
  return llvm::none_of(stages, [&](const RegisterStage &stage) {
    return gathersFrom(next, buffersWritten(stage.op));
  });
}

FailureOr<std::optional<unsigned>> relatedLoop(linalg::GenericOp stage,
                                               unsigned loop,
                                               linalg::GenericOp next,
                                               bool onlyParallel) {
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
              (!onlyParallel || isParallel(next, *plainLoop(to))))
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
  if (gathersFrom(next, buffersWritten(stage)) ||
      gathersFrom(stage, buffersWritten(next)))
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
      auto same = relatedLoop(group.stages[s], row[s], next,
                              /*onlyParallel=*/true);
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

/// The size of each loop of stage `s` within a row.
static SmallVector<int64_t> sizesInRow(const NestGroup &group, unsigned s) {
  SmallVector<int64_t> sizes =
      linalg::GenericOp(group.stages[s]).getStaticLoopRanges();
  for (ArrayRef<unsigned> row : group.rows)
    sizes[row[s]] = 1;
  return sizes;
}

/// True if something in a row scales with the batch.
static bool hasDynamicRow(const NestGroup &group) {
  return llvm::any_of(
      llvm::seq<unsigned>(0, group.stages.size()), [&](unsigned s) {
        return llvm::any_of(sizesInRow(group, s), ShapedType::isDynamic);
      });
}

/// True if half of a row's points or more are in stages that cannot fill half
/// of `lanes`, neither by what they compute nor by what they reduce.
static bool leavesLanesEmpty(const NestGroup &group, int64_t lanes) {
  int64_t all = 0, few = 0;
  for (unsigned s = 0; s < group.stages.size(); ++s) {
    SmallVector<int64_t> sizes = sizesInRow(group, s);
    int64_t points = ShapedType::getNumElements(sizes);
    int64_t computed = 1, reduced = 1;
    for (auto [loop, size] : llvm::enumerate(sizes))
      if (isParallel(group.stages[s], loop))
        computed *= size;
      else
        reduced = std::max(reduced, size);
    all += points;
    if (std::max(computed, reduced) <= lanes / 2)
      few += points;
  }
  return 2 * few >= all;
}

/// Rows that leave lanes empty become longer: several are one then, or every
/// root has a loop of its own over them all.
static void lengthenRows(NestGroup &group, int64_t lanes) {
  while (!group.rows.empty() && !hasDynamicRow(group) &&
         leavesLanesEmpty(group, lanes)) {
    group.rows.pop_back();
    // What scales with the batch is no row.
    if (hasDynamicRow(group))
      group.rows.clear();
  }
}

/// A root and its epilogues.
static SmallVector<NestGroup> splitIntoRoots(const NestGroup &group) {
  SmallVector<NestGroup> parts;
  for (auto [stage, isEpilogue] : llvm::zip(group.stages, group.isEpilogue)) {
    if (!isEpilogue)
      parts.emplace_back();
    parts.back().stages.push_back(stage);
    parts.back().isEpilogue.push_back(isEpilogue);
  }
  return parts;
}

SmallVector<NestGroup> groupNests(Block &block, int64_t lanes) {
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
  SmallVector<NestGroup> result;
  for (NestGroup &group : groups) {
    // One root alone chooses its own rows.
    if (group.numRoots() == 1)
      group.rows.clear();
    else
      lengthenRows(group, lanes);
    if (group.rows.empty())
      llvm::append_range(result, splitIntoRoots(group));
    else
      result.push_back(group);
  }
  return result;
}

} // namespace cornu::codegen
