//===- Rematerialize.cpp - Tensors computed again instead of kept ---------===//
//
//   %a = call @k0(%x)                 %a = call @k0(%x)
//   %b = call @k1(%a)                 %b = call @k1(%a)
//   ...                    ->         ...                    // %a is not there
//                                     %a2 = call @k0(%x)
//   %d = call @k9(%a, %e)             %d = call @k9(%a2, %e)
//
// Where most bytes are alive, the tensor that is freed at the least cost is
// computed again before its next reader; until no more than `live-bytes` are
// alive anywhere, or nothing is left that frees any. It is the greedy
// rematerialization of XLA and others, on kernels. Which tensors these are: the
// activations that a backward pass reads long after the forward pass has.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Passes.h"
#include "passes/graph/fuse/Grouping.h"
#include "passes/graph/rematerialize/EntryMemory.h"
#include "passes/graph/rematerialize/KernelCost.h"
#include "passes/graph/rematerialize/MergeKernels.h"
#include "passes/graph/rematerialize/TrimKernels.h"

using namespace mlir;

namespace cornu::graph {

#define GEN_PASS_DEF_REMATERIALIZE
#include "passes/graph/Passes.h.inc"

namespace {

/// A tensor that is computed again: before its next reader, or in it.
struct Choice {
  OpResult tensor;
  Operation *reader = nullptr;
  bool isInside = false;
  double score = 0; ///< bytes freed per cost

  func::CallOp call() const { return cast<func::CallOp>(tensor.getOwner()); }
};

class Rematerializer {
public:
  Rematerializer(func::FuncOp entry, SymbolTable &symbols)
      : block(entry.getBody().front()), symbols(symbols) {}

  /// Computes tensors again until at most `most` bytes are alive, or nothing
  /// frees any more; returns the fewest that were alive on the way.
  int64_t run(int64_t most);

private:
  std::optional<Choice> choose(const EntryMemory &memory, unsigned peak) const;
  std::optional<Choice> consider(const EntryMemory &memory, unsigned peak,
                                 const EntryTensor &tensor) const;
  bool computesItself(const EntryTensor &tensor, Operation *reader) const;
  int64_t keptBy(const EntryMemory &memory, unsigned peak,
                 func::CallOp call) const;
  bool readsUpdated(func::CallOp call, Operation *before) const;
  void apply(const Choice &choice);
  void eraseUnread(func::CallOp call);
  double cost(func::CallOp call) const;

  Block &block;
  SymbolTable &symbols;
  /// How often what a call computes has been computed again.
  DenseMap<Operation *, unsigned> generation;
  mutable llvm::StringMap<double> costs;
};

} // namespace

double Rematerializer::cost(func::CallOp call) const {
  auto [found, isNew] = costs.try_emplace(call.getCallee(), 0);
  if (isNew)
    found->second = costOf(symbols.lookup<func::FuncOp>(call.getCallee()));
  return found->second;
}

/// Bytes of operands that would have to stay alive at the peak only for the
/// sake of computing again.
int64_t Rematerializer::keptBy(const EntryMemory &memory, unsigned peak,
                               func::CallOp call) const {
  int64_t bytes = 0;
  llvm::SmallPtrSet<Value, 4> seen;
  for (Value operand : call.getOperands()) {
    const EntryTensor *tensor = memory.find(operand);
    if (tensor && tensor->lastRead() < peak &&
        seen.insert(tensor->value).second)
      bytes += tensor->bytes;
  }
  return bytes;
}

/// True if a variable that the call reads has got a new value before.
bool Rematerializer::readsUpdated(func::CallOp call, Operation *before) const {
  for (Value operand : call.getOperands()) {
    auto read = wholeTensor(operand).getDefiningOp<nn::ReadOp>();
    if (!read)
      continue;
    for (auto assign : block.getOps<nn::AssignOp>())
      if (assign.getVariable() == read.getVariable())
        if (Operation *update = wholeTensor(assign.getValue()).getDefiningOp();
            update && update->isBeforeInBlock(before))
          return true;
  }
  return false;
}

std::optional<Choice>
Rematerializer::consider(const EntryMemory &memory, unsigned peak,
                         const EntryTensor &tensor) const {
  // Twice: what a second pass over a segment makes may be too much to keep.
  constexpr unsigned kMostGenerations = 2;
  auto call = dyn_cast<func::CallOp>(memory.op(tensor.made));
  if (!call || tensor.bytes == 0 || tensor.made > peak ||
      generation.lookup(call) >= kMostGenerations)
    return std::nullopt;
  auto next = llvm::lower_bound(tensor.readAt, peak);
  if (next == tensor.readAt.end())
    return std::nullopt;
  Operation *reader = memory.op(*next);
  // Where it is made or read at the peak, only its reader can spare it.
  bool isInside = *next == peak || tensor.made == peak;
  int64_t freed = tensor.bytes - keptBy(memory, peak, call);
  if (freed <= 0 || reader->hasTrait<OpTrait::IsTerminator>() ||
      readsUpdated(call, reader) ||
      (isInside && !computesItself(tensor, reader)))
    return std::nullopt;
  return Choice{cast<OpResult>(tensor.value), reader, isInside,
                double(freed) / (cost(call) + 1)};
}

/// True if the last reader of a tensor can compute it as part of its tasks.
bool Rematerializer::computesItself(const EntryTensor &tensor,
                                    Operation *reader) const {
  auto call = dyn_cast<func::CallOp>(reader);
  if (!call || llvm::count(call.getOperands(), tensor.value) != 1 ||
      llvm::any_of(tensor.value.getUsers(), [&](Operation *user) {
        return isView(user) || reader->isBeforeInBlock(user);
      }))
    return false;
  auto result = cast<OpResult>(tensor.value);
  auto producer = cast<func::CallOp>(result.getOwner());
  return canComputeItself(symbols.lookup<func::FuncOp>(call.getCallee()),
                          llvm::find(call.getOperands(), tensor.value) -
                              call.getOperands().begin(),
                          symbols.lookup<func::FuncOp>(producer.getCallee()),
                          result.getResultNumber());
}

std::optional<Choice> Rematerializer::choose(const EntryMemory &memory,
                                             unsigned peak) const {
  std::optional<Choice> best;
  for (const EntryTensor &tensor : memory.tensors())
    if (tensor.isAliveAt(peak))
      if (auto choice = consider(memory, peak, tensor);
          choice && (!best || choice->score > best->score))
        best = choice;
  return best;
}

/// Erases a call whose results nobody reads any more.
void Rematerializer::eraseUnread(func::CallOp call) {
  if (!call.use_empty())
    return;
  generation.erase(call); // another op may come to lie where it was
  call.erase();
}

/// Clones the call, and views of its results, before the reader; all readers
/// from there on take the clone's.
void Rematerializer::apply(const Choice &choice) {
  func::CallOp call = choice.call();
  if (choice.isInside) {
    mergeKernels(call, choice.tensor.getResultNumber(),
                 cast<func::CallOp>(choice.reader), symbols);
    eraseUnread(call);
    return;
  }
  OpBuilder builder(choice.reader);
  Operation *again = builder.clone(*call);
  generation[again] = generation.lookup(call) + 1;
  std::function<void(Value, Value)> replace = [&](Value old, Value value) {
    for (OpOperand &use : llvm::make_early_inc_range(old.getUses())) {
      Operation *user = use.getOwner();
      if (isView(user)) {
        if (user->use_empty())
          continue;
        OpBuilder after(builder);
        after.setInsertionPointAfterValue(value);
        Operation *view = after.clone(*user);
        view->setOperand(0, value);
        replace(user->getResult(0), view->getResult(0));
        if (view->use_empty())
          view->erase();
        if (user->use_empty())
          user->erase();
      } else if (user == choice.reader ||
                 choice.reader->isBeforeInBlock(user)) {
        use.set(value);
      }
    }
  };
  for (auto [old, value] : llvm::zip(call.getResults(), again->getResults()))
    replace(old, value);
  eraseUnread(call);
}

int64_t Rematerializer::run(int64_t most) {
  int64_t fewest = std::numeric_limits<int64_t>::max();
  for (;;) {
    EntryMemory memory(block);
    unsigned peak = memory.peak();
    fewest = std::min(fewest, memory.bytesAt(peak));
    if (fewest <= most)
      return fewest;
    std::optional<Choice> choice = choose(memory, peak);
    if (!choice)
      return fewest;
    apply(*choice);
  }
}

/// What frees bytes at one place may keep some at another: where the goal can't
/// be reached, the fewest bytes on the way are better than those at its end.
static int64_t rematerialize(func::FuncOp entry, SymbolTable &symbols,
                             int64_t most) {
  OwningOpRef<func::FuncOp> trial = entry.clone();
  int64_t fewest = Rematerializer(*trial, symbols).run(most);
  return Rematerializer(entry, symbols).run(std::max(most, fewest));
}

namespace {
struct Rematerialize : impl::RematerializeBase<Rematerialize> {
  using RematerializeBase::RematerializeBase;

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    Builder builder(&getContext());
    for (StringRef name : {"train_step", "gradients"}) {
      auto entry = symbols.lookup<func::FuncOp>(name);
      if (!entry)
        continue;
      int64_t bytes = rematerialize(entry, symbols, liveBytes);
      entry->setAttr(kLiveBytesAttr, builder.getI64IntegerAttr(bytes));
    }
    trimKernels(getOperation());
  }
};
} // namespace

} // namespace cornu::graph
