//===- Outline.cpp - Groups of ops to kernel functions --------------------===//

#include "passes/graph/fuse/Outline.h"

#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cornu::graph {

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// The names of the layers from which ops stem, as their locations tell.
static void collectLayers(Location loc, llvm::SetVector<Attribute> &layers) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    layers.insert(name.getName());
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location part : fused.getLocations())
      collectLayers(part, layers);
  }
}

static void addLayers(func::FuncOp kernel, ArrayRef<Attribute> added) {
  llvm::SetVector<Attribute> layers;
  if (auto present = kernel->getAttrOfType<ArrayAttr>("nn.layers"))
    layers.insert(present.begin(), present.end());
  layers.insert(added.begin(), added.end());
  Builder builder(kernel.getContext());
  if (!layers.empty())
    kernel->setAttr("nn.layers", builder.getArrayAttr(layers.getArrayRef()));
}

/// What a kernel computes, whatever its name and its layers are.
static std::string textOf(func::FuncOp kernel) {
  std::string name = kernel.getName().str(), text;
  Attribute layers = kernel->removeAttr("nn.layers");
  kernel.setName("kernel");
  llvm::raw_string_ostream os(text);
  kernel->print(os, OpPrintingFlags().useLocalScope());
  kernel.setName(name);
  if (layers)
    kernel->setAttr("nn.layers", layers);
  return text;
}

func::FuncOp KernelTable::unique(func::FuncOp kernel) {
  auto [entry, isNew] = kernels.try_emplace(textOf(kernel), kernel);
  if (isNew)
    kernel.setName("kernel_" + std::to_string(next++));
  else
    kernel.erase();
  return entry->second;
}

func::FuncOp KernelTable::add(func::FuncOp kernel) {
  unsigned number = 0;
  if (StringRef name = kernel.getName();
      name.consume_front("kernel_") && !name.getAsInteger(10, number))
    next = std::max(next, number + 1);
  return kernels.try_emplace(textOf(kernel), kernel).first->second;
}

namespace {

class Outliner {
public:
  Outliner(Block &block, KernelTable &table)
      : block(block), grouping(block), table(table) {}

  void run();

private:
  bool isInlined(Operation *user, Operation *producer) const;
  void placeViews(Operation *op);
  void outline(const Group &group);

  Block &block;
  Grouping grouping;
  KernelTable &table;
  llvm::DenseSet<Operation *> placed;
};

} // namespace

/// True if the kernel of `user` computes the free op `producer` itself.
bool Outliner::isInlined(Operation *user, Operation *producer) const {
  if (!producer || grouping.groupOf(producer) || !grouping.isFree(producer))
    return false;
  return !(isContraction(user) && isView(producer));
}

/// Moves the views that an op of the entry reads in front of the terminator.
void Outliner::placeViews(Operation *op) {
  for (Value operand : op->getOperands()) {
    Operation *view = operand.getDefiningOp();
    if (!view || view->getBlock() != &block || grouping.groupOf(view) ||
        !grouping.isFree(view) || !placed.insert(view).second)
      continue;
    placeViews(view);
    view->moveBefore(block.getTerminator());
  }
}

void Outliner::outline(const Group &group) {
  llvm::SetVector<Operation *> inside(group.ops.begin(), group.ops.end());
  SmallVector<Value> outputs;
  for (Operation *op : group.ops)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(),
                       [&](Operation *user) { return !inside.contains(user); }))
        outputs.push_back(result);

  // The ops of the kernel with the free ops they read, and its arguments.
  llvm::SetVector<Operation *> copied;
  llvm::SetVector<Value> inputs;
  std::function<void(Operation *)> visit = [&](Operation *op) {
    if (copied.contains(op))
      return;
    for (Value operand : op->getOperands()) {
      Operation *producer = operand.getDefiningOp();
      if (producer && inside.contains(producer))
        continue;
      if (isInlined(op, producer))
        visit(producer);
      else
        inputs.insert(operand);
    }
    copied.insert(op);
  };
  for (Operation *op : group.ops)
    visit(op);

  // A result that only free ops of this kernel read is no output.
  std::function<bool(Operation *)> staysInside = [&](Operation *user) {
    return inside.contains(user) ||
           (copied.contains(user) &&
            llvm::all_of(user->getUsers(), staysInside));
  };
  llvm::erase_if(outputs, [&](Value output) {
    return llvm::all_of(output.getUsers(), staysInside);
  });
  if (outputs.empty())
    return;

  Location loc = group.ops.front()->getLoc();
  llvm::SetVector<Attribute> layers;
  for (Operation *op : group.ops)
    collectLayers(op->getLoc(), layers);
  OpBuilder builder(table.module.getContext());
  builder.setInsertionPointToEnd(table.module.getBody());
  auto kernel = func::FuncOp::create(
      builder, loc, "kernel",
      builder.getFunctionType(TypeRange(inputs.getArrayRef()),
                              TypeRange(outputs)));
  kernel.setPrivate();
  kernel->setAttr("nn.kernel", builder.getUnitAttr());
  builder.setInsertionPointToStart(kernel.addEntryBlock());
  IRMapping mapping;
  mapping.map(inputs.getArrayRef(), kernel.getArguments());
  for (Operation *op : copied)
    builder.clone(*op, mapping);
  SmallVector<Value> results;
  for (Value output : outputs)
    results.push_back(mapping.lookup(output));
  func::ReturnOp::create(builder, loc, results);
  kernel = table.unique(kernel);
  addLayers(kernel, layers.getArrayRef());

  // Views that are arguments come first.
  builder.setInsertionPoint(block.getTerminator());
  auto call = func::CallOp::create(builder, loc, kernel, inputs.getArrayRef());
  placeViews(call);
  call->moveBefore(block.getTerminator());
  for (auto [output, result] : llvm::zip_equal(outputs, call.getResults()))
    output.replaceAllUsesWith(result);
}

void Outliner::run() {
  SmallVector<Operation *> replaced;
  for (unsigned number : grouping.schedule()) {
    const Group &group = grouping.groups()[number];
    if (group.kind == GroupKind::outside) {
      Operation *op = group.ops.front();
      placeViews(op);
      op->moveBefore(block.getTerminator());
      continue;
    }
    outline(group);
    llvm::append_range(replaced, group.ops);
  }
  placeViews(block.getTerminator());
  // Now dead, and so are the free ops that only they and kernels read.
  llvm::DenseSet<Operation *> dead(replaced.begin(), replaced.end());
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (dead.contains(op) ||
        (op->use_empty() && !grouping.groupOf(op) && grouping.isFree(op)))
      op->erase();
}

void outlineKernels(Block &block, KernelTable &table) {
  for (auto scan : block.getOps<nn::ScanOp>())
    outlineKernels(*scan.getBodyBlock(), table);
  Outliner(block, table).run();
}

} // namespace cornu::graph
