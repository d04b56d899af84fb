//===- Recompute.cpp - Where cheap values are computed --------------------===//
//
// Before ops are grouped: which of them are better computed where they are
// read than where their operands are.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/fuse/Grouping.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using cornu::nn::Shape;

namespace cornu::graph {

/// True for a step of an optimizer: it combines a value with a variable of the
/// same shape.
bool isUpdate(Operation *op) {
  if (!nn::isElementwise(op) || nn::tensorType(op->getResult(0)).getRank() == 0)
    return false;
  Shape space = spaceOf(op->getResult(0));
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    return operand.getDefiningOp<nn::ReadOp>() && spaceOf(operand) == space;
  });
}

void Grouping::findLateOps() {
  for (Operation &op : llvm::reverse(block.without_terminator())) {
    if (!nn::isElementwise(&op) || isFree(&op))
      continue;
    bool feedsLate =
        !op.use_empty() && llvm::all_of(op.getUsers(), [&](Operation *user) {
          return late.contains(user) || isa<nn::AssignOp>(user) ||
                 (isa<nn::ReduceOp>(user) &&
                  describe(user).kind == GroupKind::sums);
        });
    if (isUpdate(&op) || feedsLate)
      late.insert(&op);
  }
}

void Grouping::findRowPrologues() {
  for (Operation &op : llvm::reverse(block.without_terminator()))
    if (nn::isElementwise(&op) && !op.use_empty() &&
        llvm::all_of(op.getUsers(), [&](Operation *user) {
          return beforeRows.contains(user) ||
                 (isa<nn::ReduceOp>(user) &&
                  describe(user).kind == GroupKind::rows);
        }))
      beforeRows.insert(&op);
}

/// True if an op takes the value from memory.
bool Grouping::needsTensor(Value value) const {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    GroupKind kind =
        isa<nn::NNDialect>(user->getDialect()) && user->getNumResults() == 1
            ? describe(user).kind
            : GroupKind::outside;
    return readsTensors(user) || kind == GroupKind::contraction ||
           kind == GroupKind::window || kind == GroupKind::single;
  });
}

/// True if a kernel or the caller puts the value into memory, whatever the
/// groups will be.
bool Grouping::isStored(Value value) const {
  Operation *producer = value.getDefiningOp();
  if (!producer || isa<nn::ReadOp, nn::ScanOp>(producer) || needsTensor(value))
    return true;
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    return late.contains(user) ||
           (isa<nn::ReduceOp>(user) && describe(user).kind == GroupKind::sums);
  });
}

void Grouping::findRecomputed() {
  constexpr unsigned kMostOps = 4; // in a row, on one tensor
  DenseMap<Operation *, unsigned> depth;
  for (Operation &op : block.without_terminator()) {
    if (!isa<nn::AddOp, nn::SubtractOp, nn::MultiplyOp, nn::NegateOp,
             nn::CompareOp>(op) ||
        isFree(&op) || nn::tensorType(op.getResult(0)).getRank() == 0)
      continue;
    Shape space = spaceOf(op.getResult(0));
    Value full;
    unsigned numFull = 0;
    for (Value operand : op.getOperands())
      if (spaceOf(operand) == space) {
        full = operand;
        ++numFull;
      }
    if (numFull != 1 || needsTensor(op.getResult(0)) ||
        full.getDefiningOp<nn::ReadOp>())
      continue;
    Operation *before = full.getDefiningOp();
    unsigned number = before ? depth.lookup(before) + 1 : 1;
    if (number > kMostOps || !(recomputed.contains(before) || isStored(full)))
      continue;
    recomputed.insert(&op);
    depth[&op] = number;
  }
}

//===----------------------------------------------------------------------===//
// Chains that a later kernel computes again
//===----------------------------------------------------------------------===//

namespace {

/// How an elementwise value follows from one tensor of its own space.
struct Chain {
  Value root;
  unsigned numOps = 0, numExpensive = 0;
};

bool isExpensive(Operation *op) {
  return isa<nn::ExpOp, nn::Expm1Op, nn::LogOp, nn::Log1pOp, nn::SinOp,
             nn::CosOp, nn::TanhOp, nn::SigmoidOp, nn::ErfOp, nn::SoftplusOp,
             nn::PowerOp>(op);
}

} // namespace

// The derivative of gelu reads several functions of z = x W + b: z / 2,
// erf(z / sqrt 2), exp(-z^2 / 2). A vector of eight such values takes about as
// long to compute as to write to memory and to read again, so that keeping z
// alone is as fast and saves the memory.
void Grouping::recomputeChains() {
  constexpr unsigned kMostOps = 8, kMostExpensive = 3;
  // A value of a higher level depends on a kernel after those of lower ones.
  DenseMap<Operation *, unsigned> levels;
  for (Operation &op : block) {
    unsigned level = 0;
    for (Value operand : op.getOperands())
      if (Operation *producer = operand.getDefiningOp())
        level = std::max(level, levels.lookup(producer));
    GroupKind kind =
        op.getNumResults() == 1 && isa<nn::NNDialect>(op.getDialect())
            ? describe(&op).kind
            : GroupKind::outside;
    levels[&op] = level + (kind != GroupKind::map && kind != GroupKind::rows);
  }
  auto isReadLater = [&](Operation *op) {
    return llvm::any_of(op->getUsers(), [&](Operation *user) {
      return nn::isElementwise(user) && levels[user] > levels[op];
    });
  };

  DenseMap<Operation *, Chain> chains;
  llvm::MapVector<Value, SmallVector<Operation *>> readLater;
  for (Operation &op : block.without_terminator()) {
    if (!nn::isElementwise(&op) || isUpdate(&op) ||
        nn::tensorType(op.getResult(0)).getRank() == 0)
      continue;
    Shape space = spaceOf(op.getResult(0));
    Chain chain;
    bool isChain = true;
    for (Value operand : op.getOperands()) {
      if (spaceOf(operand) != space)
        continue;
      Operation *producer = operand.getDefiningOp();
      bool isRoot = needsTensor(operand) || !chains.count(producer);
      Chain before = isRoot ? Chain{operand} : chains.lookup(producer);
      isChain &= !chain.root || chain.root == before.root;
      chain.root = before.root;
      chain.numOps += before.numOps;
      chain.numExpensive += before.numExpensive;
    }
    chain.numOps += 1;
    chain.numExpensive += isExpensive(&op);
    if (!isChain || !chain.root || chain.numOps > kMostOps ||
        chain.numExpensive > kMostExpensive)
      continue;
    chains[&op] = chain;
    if (isReadLater(&op) && !needsTensor(op.getResult(0)))
      readLater[chain.root].push_back(&op);
  }

  for (auto &[root, ops] : readLater) {
    Operation *producer = root.getDefiningOp();
    if (ops.size() < 2 && !isStored(root) &&
        !(producer && isReadLater(producer)))
      continue;
    SmallVector<Operation *> work(ops);
    while (!work.empty()) {
      Operation *op = work.pop_back_val();
      if (!recomputed.insert(op).second)
        continue;
      for (Value operand : op->getOperands()) {
        Operation *before = operand.getDefiningOp();
        if (operand != root && before && chains.count(before) &&
            chains[before].root == root && !needsTensor(operand))
          work.push_back(before);
      }
    }
  }
}

} // namespace cornu::graph
