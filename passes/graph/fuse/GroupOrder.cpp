//===- GroupOrder.cpp - The dependences and the order of groups -----------===//

#include "passes/graph/fuse/Grouping.h"

#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace cornu::graph {

//===----------------------------------------------------------------------===//
// Dependences
//===----------------------------------------------------------------------===//

bool Grouping::canAdd(unsigned group, Operation *op) const {
  for (unsigned source : sourcesOf(op))
    if (source != group && all[source].dependences.test(group))
      return false;
  return true;
}

void Grouping::add(unsigned group, Operation *op) {
  all[group].ops.push_back(op);
  index[op] = group;
  llvm::BitVector added(capacity);
  for (unsigned source : sourcesOf(op))
    if (source != group) {
      added.set(source);
      added |= all[source].dependences;
    }
  addDependences(group, added);
}

void Grouping::addDependences(unsigned group, const llvm::BitVector &added) {
  all[group].dependences |= added;
  for (Group &other : all)
    if (!other.isMerged && other.dependences.test(group))
      other.dependences |= added;
}

/// True if no third group stands between the two.
bool Grouping::canMerge(unsigned a, unsigned b) const {
  for (auto [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    if (!all[to].dependences.test(from))
      continue;
    for (unsigned between : all[to].dependences.set_bits())
      if (between != from && !all[between].isMerged &&
          all[between].dependences.test(from))
        return false;
  }
  return true;
}

void Grouping::merge(unsigned into, unsigned from) {
  for (Operation *op : all[from].ops) {
    index[op] = into;
    all[into].ops.push_back(op);
  }
  llvm::sort(all[into].ops,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  all[from].isMerged = true;
  all[from].ops.clear();
  llvm::BitVector added = all[from].dependences;
  added |= all[into].dependences;
  added.reset(into);
  added.reset(from);
  all[into].dependences.reset(from);
  for (Group &other : all)
    if (other.dependences.test(from)) {
      other.dependences.reset(from);
      if (&other != &all[into])
        other.dependences.set(into);
    }
  addDependences(into, added);
}

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

/// A variable's old value is read before the kernel that updates it in place,
/// unless a reader needs the update's results.
void Grouping::orderUpdates(llvm::DenseSet<unsigned> &updates) {
  llvm::StringMap<Operation *> reads;
  for (auto read : block.getOps<nn::ReadOp>())
    reads[read.getVariable()] = read;
  DenseMap<unsigned, SmallVector<unsigned>> readers;
  for (auto [i, group] : llvm::enumerate(all))
    for (Operation *op : group.ops)
      for (unsigned source : sourcesOf(op))
        if (isa<nn::ReadOp>(all[source].ops.front()))
          readers[source].push_back(i);
  for (auto assign : block.getOps<nn::AssignOp>()) {
    Operation *producer = assign.getValue().getDefiningOp();
    auto update = producer ? groupOf(producer) : std::nullopt;
    if (!update || all[*update].kind == GroupKind::outside)
      continue;
    updates.insert(*update);
    Operation *read = reads.lookup(assign.getVariable());
    if (!read)
      continue;
    for (unsigned reader : readers[*groupOf(read)]) {
      if (reader == *update || all[reader].dependences.test(*update) ||
          all[*update].dependences.test(reader))
        continue;
      llvm::BitVector added = all[reader].dependences;
      added.set(reader);
      addDependences(*update, added);
    }
  }
}

SmallVector<unsigned> Grouping::schedule() {
  llvm::DenseSet<unsigned> updates;
  orderUpdates(updates);
  SmallVector<unsigned> waiting;
  for (auto [i, group] : llvm::enumerate(all))
    if (!group.isMerged)
      waiting.push_back(i);
  // Updates as soon as they can run: they end the life of a gradient.
  llvm::sort(waiting, [&](unsigned a, unsigned b) {
    if (updates.contains(a) != updates.contains(b))
      return updates.contains(a);
    return all[a].ops.front()->isBeforeInBlock(all[b].ops.front());
  });
  SmallVector<unsigned> order;
  llvm::BitVector done(capacity);
  while (!waiting.empty()) {
    auto ready = llvm::find_if(
        waiting, [&](unsigned i) { return !all[i].dependences.test(done); });
    assert(ready != waiting.end() && "the groups have a cycle");
    done.set(*ready);
    order.push_back(*ready);
    waiting.erase(ready);
  }
  return order;
}

} // namespace cornu::graph
