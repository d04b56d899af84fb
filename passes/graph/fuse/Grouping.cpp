//===- Grouping.cpp - Which ops form a kernel -----------------------------===//

#include "passes/graph/fuse/Grouping.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using cornu::nn::Shape;

namespace cornu::graph {

//===----------------------------------------------------------------------===//
// Kinds of ops
//===----------------------------------------------------------------------===//

Shape withoutOnes(ArrayRef<int64_t> shape) {
  Shape result;
  for (int64_t size : shape)
    if (size != 1)
      result.push_back(size);
  return result;
}

Shape spaceOf(Value value) {
  return withoutOnes(nn::tensorType(value).getShape());
}

static bool isUnitReshape(Operation *op) {
  return isa<nn::ReshapeOp>(op) &&
         spaceOf(op->getOperand(0)) == spaceOf(op->getResult(0));
}

static bool isAlwaysFree(Operation *op);

static bool isCheapScalarOp(Operation *op) {
  return op->getNumResults() == 1 &&
         nn::tensorType(op->getResult(0)).getRank() == 0 &&
         isa<nn::AddOp, nn::SubtractOp, nn::MultiplyOp, nn::DivideOp,
             nn::NegateOp, nn::ConvertOp, nn::MaximumOp, nn::MinimumOp>(op) &&
         llvm::all_of(op->getOperands(), [](Value operand) {
           Operation *producer = operand.getDefiningOp();
           return !producer || isa<nn::ReadOp>(producer) ||
                  isAlwaysFree(producer);
         });
}

static bool isAlwaysFree(Operation *op) {
  return isa<nn::ConstantOp, nn::IotaOp, nn::BatchSizeOp, nn::BroadcastOp,
             nn::SliceOp>(op) ||
         isUnitReshape(op) || isCheapScalarOp(op);
}

bool Grouping::isFree(Operation *op) const {
  return isAlwaysFree(op) || recomputed.contains(op);
}

bool isView(Operation *op) {
  if (isa<nn::ReshapeOp>(op))
    return true;
  auto slice = dyn_cast<nn::SliceOp>(op);
  return slice &&
         (slice.getStrides().empty() || slice.getStrides().back() == 1);
}

Value wholeTensor(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isView(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

bool isContraction(Operation *op) {
  return isa<nn::ContractOp, nn::ConvolutionOp, nn::ConvolutionInputGradientOp,
             nn::ConvolutionKernelGradientOp>(op);
}

static bool isMap(Operation *op) {
  return nn::isElementwise(op) ||
         isa<nn::TransposeOp, nn::ReverseOp, nn::GatherOp, nn::RandomUniformOp>(
             op) ||
         isAlwaysFree(op);
}

/// True for a concatenation of parts of one size, which a kernel can write
/// while it computes them.
static bool joinsEqualParts(Operation *op) {
  auto concatenate = dyn_cast<nn::ConcatenateOp>(op);
  return concatenate && llvm::all_of(concatenate.getInputs(), [&](Value part) {
           return part.getType() == concatenate.getInputs().front().getType();
         });
}

std::optional<SmallVector<int64_t>> reducedAxes(Operation *op) {
  if (auto reduce = dyn_cast<nn::ReduceOp>(op))
    return SmallVector<int64_t>(reduce.getAxes());
  if (auto argmax = dyn_cast<nn::ArgmaxOp>(op))
    return SmallVector<int64_t>{argmax.getAxisAttr().getInt()};
  if (auto softmax = dyn_cast<nn::SoftmaxOp>(op))
    return SmallVector<int64_t>{softmax.getAxisAttr().getInt()};
  if (auto softmax = dyn_cast<nn::LogSoftmaxOp>(op))
    return SmallVector<int64_t>{softmax.getAxisAttr().getInt()};
  return std::nullopt;
}

/// The group that an op would be alone.
Group Grouping::describe(Operation *op) const {
  Group group;
  group.ops.push_back(op);
  if (isa<nn::ReadOp, nn::AssignOp, nn::ScanOp, nn::ReshapeOp>(op) ||
      !isa<nn::NNDialect>(op->getDialect())) {
    group.kind = GroupKind::outside;
    return group;
  }
  group.space = spaceOf(op->getResult(0));
  if (auto axes = reducedAxes(op)) {
    ArrayRef<int64_t> shape = nn::tensorType(op->getOperand(0)).getShape();
    // Axes of the space, so that sizes of 1 make no difference.
    int64_t position = 0;
    bool isTrailing = true;
    for (auto [axis, size] : llvm::enumerate(shape)) {
      bool isReduced = llvm::is_contained(*axes, static_cast<int64_t>(axis));
      if (size == 1)
        continue;
      if (isReduced)
        group.axes.push_back(position);
      else {
        group.reduced.push_back(size);
        isTrailing &= group.axes.empty();
      }
      ++position;
    }
    group.space = withoutOnes(shape);
    bool isSoftmax = isa<nn::SoftmaxOp, nn::LogSoftmaxOp>(op);
    isTrailing &= !group.axes.empty() && !group.reduced.empty();
    group.kind = isTrailing  ? GroupKind::rows
                 : isSoftmax ? GroupKind::single
                             : GroupKind::sums;
  } else if (isContraction(op)) {
    group.kind = GroupKind::contraction;
  } else if (isa<nn::SumPoolOp, nn::SumPoolGradientOp, nn::MaxPoolOp,
                 nn::MaxPoolScatterOp, nn::MaxPoolGatherOp>(op)) {
    group.kind = GroupKind::window;
  } else if (joinsEqualParts(op)) {
    group.kind = GroupKind::map;
    group.space = spaceOf(op->getOperand(0));
  } else {
    group.kind = isMap(op) ? GroupKind::map : GroupKind::single;
    group.isLate = late.contains(op);
  }
  return group;
}

//===----------------------------------------------------------------------===//
// Construction
//===----------------------------------------------------------------------===//

/// True if the op takes its operands as tensors in memory.
bool Grouping::readsTensors(Operation *user) const {
  if (!isa<nn::NNDialect>(user->getDialect()) ||
      isa<nn::AssignOp, nn::ScanOp, nn::YieldOp>(user))
    return true;
  if (!isView(user))
    return false;
  return !isFree(user) || llvm::any_of(user->getUsers(), [&](Operation *next) {
    return isContraction(next) || readsTensors(next);
  });
}

/// Gives the users that need a tensor a copy of a free op that is not free, so
/// that it gets a kernel.
void Grouping::separateFreeResults() {
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
    if (!isFree(&op) || isView(&op))
      continue;
    SmallVector<OpOperand *> uses;
    for (OpOperand &use : op.getResult(0).getUses())
      if (readsTensors(use.getOwner()))
        uses.push_back(&use);
    if (uses.empty())
      continue;
    OpBuilder builder(&op);
    builder.setInsertionPointAfter(&op);
    Operation *copy = builder.clone(op);
    for (OpOperand *use : uses)
      use->set(copy->getResult(0));
    index[copy] = ~0u; // until its turn in the order of the block
  }
}

Grouping::Grouping(Block &block) : block(block) {
  findLateOps();
  findRowPrologues();
  findRecomputed();
  recomputeChains();
  separateFreeResults();
  capacity = std::distance(block.begin(), block.end()) + 1;
  for (Operation &op : block.without_terminator())
    if (index.count(&op) || !isFree(&op))
      place(&op);
  mergeChains();
}

std::optional<unsigned> Grouping::groupOf(Operation *op) const {
  auto found = index.find(op);
  if (found == index.end() || found->second == ~0u)
    return std::nullopt;
  return found->second;
}

llvm::SetVector<unsigned> Grouping::sourcesOf(Operation *op) const {
  llvm::SetVector<unsigned> sources;
  SmallVector<Operation *> work{op};
  llvm::DenseSet<Operation *> seen;
  while (!work.empty())
    for (Value operand : work.pop_back_val()->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (!producer || !seen.insert(producer).second)
        continue;
      if (auto group = groupOf(producer))
        sources.insert(*group);
      else
        work.push_back(producer);
    }
  return sources;
}

unsigned Grouping::create(Group group) {
  SmallVector<Operation *> ops = std::move(group.ops);
  group.ops.clear();
  group.dependences.resize(capacity);
  all.push_back(std::move(group));
  for (Operation *op : ops)
    add(all.size() - 1, op);
  return all.size() - 1;
}

void Grouping::place(Operation *op) {
  Group alone = describe(op);
  bool isSum = alone.kind == GroupKind::sums;
  std::optional<unsigned> target;
  if (alone.kind != GroupKind::outside)
    target = findTarget(op, alone);
  if (target)
    add(*target, op);
  else
    target = create(std::move(alone));
  absorbProducers(*target, op);
  if (isSum)
    mergeSums(*groupOf(op));
}

//===----------------------------------------------------------------------===//
// Rules
//===----------------------------------------------------------------------===//

/// True if the op reads a result of the group at the same index, perhaps
/// through recomputed ops.
bool Grouping::readsThroughFree(Operation *op, const Group &group) const {
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    Operation *producer = operand.getDefiningOp();
    return producer && (llvm::is_contained(group.ops, producer) ||
                        (recomputed.contains(producer) &&
                         readsThroughFree(producer, group)));
  });
}

/// True if nothing but `sums` and reductions like it reads the prologue.
bool Grouping::readsOnlyInside(const Group &prologue, const Group &sums) const {
  for (Operation *op : prologue.ops)
    for (Operation *user : op->getUsers()) {
      if (llvm::is_contained(prologue.ops, user) ||
          llvm::is_contained(sums.ops, user))
        continue;
      if (!isa<nn::ReduceOp>(user))
        return false;
      Group other = describe(user);
      if (other.kind != GroupKind::sums || other.space != sums.space ||
          other.axes != sums.axes)
        return false;
    }
  return true;
}

/// Whether `op`, which reads a result of `group`, may become part of it.
bool Grouping::accepts(const Group &group, Operation *op,
                       const Group &alone) const {
  switch (group.kind) {
  case GroupKind::map:
    if (alone.kind == GroupKind::map)
      return alone.space == group.space && alone.isLate == group.isLate;
    if (alone.kind == GroupKind::rows)
      return group.space == alone.space || group.space == alone.reduced;
    return alone.kind == GroupKind::sums && group.space == alone.space &&
           readsOnlyInside(group, alone);
  case GroupKind::contraction:
  case GroupKind::window:
    return nn::isElementwise(op) && alone.kind == GroupKind::map &&
           !alone.isLate &&
           nn::tensorType(op->getResult(0)).getShape() ==
               nn::tensorType(group.ops.front()->getResult(0)).getShape() &&
           readsThroughFree(op, group) && !beforeRows.contains(op);
  case GroupKind::rows:
    if (alone.kind == GroupKind::map)
      return nn::isElementwise(op) && !alone.isLate &&
             (alone.space == group.space || alone.space == group.reduced);
    return alone.kind == GroupKind::rows && alone.space == group.space &&
           alone.axes == group.axes;
  case GroupKind::sums:
    if (alone.kind == GroupKind::map)
      return nn::isElementwise(op) && alone.space == group.reduced;
    return false;
  case GroupKind::chain:
  case GroupKind::single:
  case GroupKind::outside:
    return false;
  }
  llvm_unreachable("unknown kind of group");
}

/// A group that the op may join, or none.
std::optional<unsigned> Grouping::findTarget(Operation *op,
                                             const Group &alone) {
  // Contractions first: as an epilogue the op costs no memory traffic. Then
  // the latest producer: it is most likely the last to be computed.
  llvm::SetVector<unsigned> sources = sourcesOf(op);
  SmallVector<unsigned> candidates(sources.begin(), sources.end());
  auto isContractionGroup = [&](unsigned group) {
    return all[group].kind == GroupKind::contraction;
  };
  llvm::sort(candidates, [&](unsigned a, unsigned b) {
    if (isContractionGroup(a) != isContractionGroup(b))
      return isContractionGroup(a);
    return all[b].ops.back()->isBeforeInBlock(all[a].ops.back());
  });
  for (unsigned candidate : candidates)
    if (accepts(all[candidate], op, alone) && canAdd(candidate, op)) {
      // A reduction turns a map into its prologue.
      if (all[candidate].kind == GroupKind::map &&
          alone.kind != GroupKind::map) {
        all[candidate].kind = alone.kind;
        all[candidate].space = alone.space;
        all[candidate].axes = alone.axes;
        all[candidate].reduced = alone.reduced;
      }
      return candidate;
    }
  return findSibling(op, alone);
}

/// A group that does not feed the op but reads the same tensor: another
/// reduction of its rows, or an update of the same variable.
std::optional<unsigned> Grouping::findSibling(Operation *op,
                                              const Group &alone) const {
  bool isRow = alone.kind == GroupKind::rows;
  bool update = alone.kind == GroupKind::map && isUpdate(op);
  if (!isRow && !update)
    return std::nullopt;
  for (Value operand : op->getOperands()) {
    if (spaceOf(operand) != alone.space ||
        (update && !operand.getDefiningOp<nn::ReadOp>()))
      continue;
    for (Operation *user : operand.getUsers()) {
      auto group = groupOf(user);
      if (group && all[*group].kind == alone.kind &&
          all[*group].space == alone.space && all[*group].axes == alone.axes &&
          all[*group].isLate == alone.isLate && canAdd(*group, op))
        return *group;
    }
  }
  return std::nullopt;
}

/// Merges a group of sums with those over the same axes that read one of its
/// tensors: one pass over the tensor instead of several.
void Grouping::mergeSums(unsigned group) {
  SmallVector<unsigned> siblings;
  for (Operation *op : all[group].ops)
    for (Value operand : op->getOperands()) {
      if (spaceOf(operand) != all[group].space)
        continue;
      for (Operation *user : operand.getUsers()) {
        auto other = groupOf(user);
        if (other && *other != group && all[*other].kind == GroupKind::sums &&
            all[*other].space == all[group].space &&
            all[*other].axes == all[group].axes &&
            !all[group].dependences.test(*other) &&
            !all[*other].dependences.test(group))
          siblings.push_back(*other);
      }
    }
  for (unsigned other : siblings)
    if (!all[other].isMerged && !all[group].dependences.test(other) &&
        !all[other].dependences.test(group))
      merge(group, other);
}

/// True if `from` is an elementwise group of which nothing else than `into`
/// reads, so that its results need not be stored.
bool Grouping::isPrivateMap(unsigned from, unsigned into) const {
  if (all[from].kind != GroupKind::map || all[from].isLate)
    return false;
  return llvm::all_of(all[from].ops, [&](Operation *op) {
    return nn::isElementwise(op) &&
           nn::tensorType(op->getResult(0)).getShape() ==
               nn::tensorType(all[into].ops.front()->getResult(0)).getShape() &&
           llvm::all_of(op->getUsers(), [&](Operation *user) {
             auto group = groupOf(user);
             return group == from || group == into;
           });
  });
}

/// Whether the group `from`, which feeds `into`, may become part of it.
/// `isEpilogue` tells that an op other than the root reads `from`.
bool Grouping::absorbs(unsigned intoIndex, unsigned fromIndex,
                       bool isEpilogue) const {
  const Group &from = all[fromIndex], &into = all[intoIndex];
  bool isSame = from.space == into.space;
  bool isMap = from.kind == GroupKind::map;
  switch (into.kind) {
  case GroupKind::map:
    if (isMap)
      return isSame && from.isLate == into.isLate;
    return from.kind == GroupKind::rows &&
           (isSame || from.reduced == into.space) && !into.isLate &&
           llvm::all_of(into.ops, nn::isElementwise);
  case GroupKind::rows:
    if (isMap)
      return isSame || from.space == into.reduced;
    return from.kind == GroupKind::rows && isSame && from.axes == into.axes;
  case GroupKind::sums:
    return isMap &&
           (isSame ? readsOnlyInside(from, into) : from.space == into.reduced);
  case GroupKind::contraction:
  case GroupKind::window:
    return isEpilogue && isPrivateMap(fromIndex, intoIndex);
  case GroupKind::chain:
  case GroupKind::single:
  case GroupKind::outside:
    return false;
  }
  llvm_unreachable("unknown kind of group");
}

/// Merges into the op's group the groups that feed it and fit, until no more
/// does.
void Grouping::absorbProducers(unsigned group, Operation *op) {
  SmallVector<Operation *> work{op};
  while (!work.empty()) {
    Operation *reader = work.pop_back_val();
    for (unsigned source : sourcesOf(reader)) {
      if (source == group || all[source].isMerged ||
          !absorbs(group, source, reader != all[group].ops.front()) ||
          !canMerge(group, source))
        continue;
      llvm::append_range(work, all[source].ops);
      // A map that follows rows becomes part of the rows.
      if (all[source].kind == GroupKind::rows &&
          all[group].kind == GroupKind::map) {
        llvm::append_range(work, all[group].ops);
        merge(source, group);
        group = source;
      } else {
        merge(group, source);
      }
    }
  }
}

} // namespace cornu::graph
