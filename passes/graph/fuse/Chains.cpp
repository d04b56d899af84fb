//===- Chains.cpp - Contractions that feed each other, sample by sample ---===//
//
// An attention multiplies twice, and what lies between is larger than all that
// comes in or goes out:
//
//   s = contract "bqhd,bkhd->bhqk" q, k
//   p = softmax s
//   y = contract "bhqk,bkhd->bqhd" p, v
//
// For each b and h it is a small task of its own. As one kernel, the scores of
// a task stay in its cache and never come into being as a tensor. The gradients
// are alike; so is a depthwise convolution before a pointwise one, for some
// rows of the image.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/fuse/Chains.h"

#include "passes/graph/fuse/Grouping.h"

using namespace mlir;
using cornu::nn::Shape;

namespace cornu::graph {

/// The number of leading dimensions of the result for each of whose points
/// the contraction is one of its own.
static int64_t leadingBatch(nn::ContractOp op) {
  int64_t count = 0;
  for (char label : op.getResultLabels()) {
    if (!op.getLhsLabels().contains(label) ||
        !op.getRhsLabels().contains(label))
      break;
    ++count;
  }
  return count;
}

bool isBatchOf(nn::ContractOp op, Value value, int64_t count) {
  for (auto [operand, labels] : {std::pair(op.getLhs(), op.getLhsLabels()),
                                 std::pair(op.getRhs(), op.getRhsLabels())}) {
    if (operand != value)
      continue;
    if (!llvm::all_of(labels.take_front(count), [&](char label) {
          return op.getLhsLabels().contains(label) &&
                 op.getRhsLabels().contains(label) &&
                 op.getResultLabels().contains(label);
        }))
      return false;
  }
  return true;
}

bool keepsLeading(Operation *op, ArrayRef<int64_t> tasks) {
  ArrayRef<int64_t> shape = nn::tensorType(op->getResult(0)).getShape();
  auto axes = reducedAxes(op);
  bool reducesThem = axes && llvm::any_of(*axes, [&](int64_t axis) {
                       return axis < static_cast<int64_t>(tasks.size());
                     });
  return (axes || nn::isElementwise(op) || isa<nn::RandomUniformOp>(op)) &&
         !reducesThem && shape.size() >= tasks.size() &&
         shape.take_front(tasks.size()) == tasks;
}

/// True if a group consists of such ops.
static bool keepsLeading(const Group &group, ArrayRef<int64_t> tasks) {
  return llvm::all_of(group.ops,
                      [&](Operation *op) { return keepsLeading(op, tasks); });
}

/// The contraction at the root of a group, or null.
static nn::ContractOp contractionOf(const Group &group) {
  return group.kind == GroupKind::contraction
             ? dyn_cast<nn::ContractOp>(group.ops.front())
             : nullptr;
}

Shape tasksOf(nn::ContractOp op) {
  // One task per sample is too few for a small batch.
  ArrayRef<int64_t> shape = op.getType().getShape();
  Shape leading(shape.take_front(leadingBatch(op)));
  int64_t known = 1;
  for (int64_t size : leading)
    known *= ShapedType::isDynamic(size) ? 1 : size;
  return known > 1 ? leading : Shape();
}

/// The groups between `root` and contractions that read what they make of its
/// result, or none.
std::optional<unsigned> Grouping::linkAfter(unsigned root,
                                            ArrayRef<int64_t> leading) const {
  std::optional<unsigned> link;
  for (Operation *op : all[root].ops)
    for (Operation *user : op->getUsers()) {
      auto group = groupOf(user);
      if (!group || *group == root)
        continue;
      // Whatever else reads the result is better off with a tensor.
      bool isLink = (all[*group].kind == GroupKind::rows ||
                     all[*group].kind == GroupKind::map) &&
                    !all[*group].isLate && keepsLeading(all[*group], leading);
      if (!isLink || (link && *link != *group))
        return std::nullopt;
      link = group;
    }
  return link;
}

/// Contractions that read results of the group, task by task.
SmallVector<unsigned>
Grouping::contractionsAfter(unsigned from, ArrayRef<int64_t> leading) const {
  llvm::SetVector<unsigned> readers;
  for (Operation *op : all[from].ops)
    for (Value result : op->getResults())
      for (Operation *user : result.getUsers()) {
        auto contract = dyn_cast<nn::ContractOp>(user);
        auto group = contract ? groupOf(user) : std::nullopt;
        if (group && *group != from && contractionOf(all[*group]) == contract &&
            isBatchOf(contract, result, leading.size()))
          readers.insert(*group);
      }
  return readers.takeVector();
}

/// Contractions beside the chain that read a tensor which it reads too, task by
/// task, and nothing of it.
SmallVector<unsigned>
Grouping::contractionsBeside(unsigned chain, ArrayRef<int64_t> leading) const {
  llvm::SetVector<unsigned> siblings;
  for (Operation *op : all[chain].ops)
    for (Value operand : op->getOperands()) {
      // What only contractions of the chain read is packed by each of them.
      auto type = nn::tensorType(operand);
      Operation *producer = operand.getDefiningOp();
      if (isContraction(op) || (producer && groupOf(producer) == chain) ||
          type.getRank() <= static_cast<int64_t>(leading.size()) ||
          type.getShape().take_front(leading.size()) != leading)
        continue;
      for (Operation *user : operand.getUsers()) {
        auto contract = dyn_cast<nn::ContractOp>(user);
        auto group = contract ? groupOf(user) : std::nullopt;
        if (group && *group != chain &&
            contractionOf(all[*group]) == contract &&
            isBatchOf(contract, operand, leading.size()))
          siblings.insert(*group);
      }
    }
  return siblings.takeVector();
}

/// True for a convolution of each channel for itself.
static bool isDepthwise(nn::ConvolutionOp op) {
  return op.getGroups() > 1 &&
         static_cast<int64_t>(op.getGroups()) ==
             nn::tensorType(op.getInput()).getShape().back();
}

/// True for a convolution of each pixel for itself.
static bool isPointwise(nn::ConvolutionOp op) {
  auto isOne = [](int64_t value) { return value == 1; };
  auto isNone = [](int64_t value) { return value == 0; };
  return op.getGroups() == 1 &&
         llvm::all_of(nn::tensorType(op.getKernel()).getShape().drop_back(2),
                      isOne) &&
         llvm::all_of(op.getStrides(), isOne) &&
         llvm::all_of(op.getPadding(), isNone);
}

/// The group of a pointwise convolution that alone reads the result of a
/// depthwise one, or none.
std::optional<unsigned> Grouping::pointwiseAfter(unsigned root) const {
  auto depthwise =
      all[root].isMerged || all[root].kind != GroupKind::contraction
          ? nullptr
          : dyn_cast<nn::ConvolutionOp>(all[root].ops.front());
  if (!depthwise || !isDepthwise(depthwise))
    return std::nullopt;
  std::optional<unsigned> reader;
  for (Operation *op : all[root].ops)
    for (Operation *user : op->getUsers()) {
      auto group = groupOf(user);
      if (group == root)
        continue;
      auto pointwise = dyn_cast<nn::ConvolutionOp>(user);
      if (!group || reader || !pointwise || !isPointwise(pointwise) ||
          pointwise.getInput() != op->getResult(0) ||
          all[*group].kind != GroupKind::contraction ||
          all[*group].ops.front() != user)
        return std::nullopt;
      // Each task reads all weights: fewer than the pixels between.
      ArrayRef<int64_t> shape = nn::tensorType(user->getResult(0)).getShape();
      int64_t pixels = 1;
      for (int64_t size : shape.drop_front().drop_back())
        pixels *= size;
      if (pixels <= shape.back())
        return std::nullopt;
      reader = group;
    }
  return reader;
}

/// True if two groups can be one chain: also none of their contractions reads a
/// view of what the other makes, which is a tensor of the entry.
bool Grouping::canChain(unsigned a, unsigned b) const {
  for (auto [from, to] : {std::pair(a, b), std::pair(b, a)})
    for (Operation *op : all[to].ops) {
      if (!isContraction(op))
        continue;
      for (Value operand : op->getOperands()) {
        Value whole = wholeTensor(operand);
        Operation *producer = whole.getDefiningOp();
        if (whole != operand && producer &&
            (groupOf(producer) == from || groupOf(producer) == to))
          return false;
      }
    }
  return canMerge(a, b);
}

void Grouping::mergeChains() {
  for (unsigned root = 0; root < all.size(); ++root) {
    if (auto reader = pointwiseAfter(root); reader && canChain(root, *reader)) {
      merge(root, *reader);
      all[root].kind = GroupKind::chain;
      continue;
    }
    nn::ContractOp contract =
        all[root].isMerged ? nullptr : contractionOf(all[root]);
    if (!contract)
      continue;
    Shape leading = tasksOf(contract);
    if (leading.empty())
      continue;
    std::optional<unsigned> link = linkAfter(root, leading);
    if (!link || !canChain(root, *link))
      continue;
    SmallVector<unsigned> readers = contractionsAfter(*link, leading);
    llvm::erase_if(readers,
                   [&](unsigned reader) { return !canChain(*link, reader); });
    if (readers.empty())
      continue;
    merge(root, *link);
    for (unsigned reader : readers)
      if (canChain(root, reader))
        merge(root, reader);
    for (unsigned sibling : contractionsBeside(root, leading))
      if (canChain(root, sibling))
        merge(root, sibling);
    all[root].kind = GroupKind::chain;
  }
}

} // namespace cornu::graph
