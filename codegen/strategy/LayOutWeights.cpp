//===- LayOutWeights.cpp - Which weights lie in panels --------------------===//
//
// What is walked together lies alike: the optimizer's kernel ties a weight to
// its gradient and its moments, whoever passes them.
//
//   call @dense(%x, %w, %y)            wants panels of w
//   call @dense_kernel(%x, %dy, %dw)   can write them
//   call @adam(%dw, %m, %v, %w)        ties dw, m, v and w together
//
// Such a group lies in panels if one of its kernels wants that, all can deal
// with it, and a variable is among it. A kernel is one for all its calls: where
// they differ, it stays with row-major matrices.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/KernelUses.h"
#include "codegen/strategy/PanelValues.h"
#include "codegen/strategy/Strategy.h"
#include "codegen/strategy/WeightLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Pass/Pass.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// The buffers of all entries, those that lie alike in one group.
class Layouts {
public:
  explicit Layouts(ModuleOp module);
  void decide();
  void apply();

private:
  /// A call of a kernel: a buffer for each argument.
  struct Call {
    func::FuncOp kernel;
    SmallVector<unsigned> buffers;
    bool inLoop;
  };
  /// What buffers that lie alike have in common.
  struct Group {
    bool rowMajor = false, isVariable = false;
    /// All columns must be in panels of the full width.
    bool whole = false;
    int64_t panels = 0, columns = 0;
    SmallVector<Use> writes;
  };

  void readEntry(func::FuncOp entry);
  unsigned bufferOf(Value memref);
  unsigned newBuffer();
  /// What a call asks of the group of one of its buffers.
  void demand(Group &group, const Use &use, bool inLoop);
  void collect();
  Group &groupOf(unsigned buffer) { return groups[classes.findLeader(buffer)]; }
  /// The type of the variable at an offset.
  RankedTensorType typeAt(int64_t offset) {
    return cast<RankedTensorType>(
        rows.lookup(offset).getAs<TypeAttr>("type").getValue());
  }
  /// The panels of a group; 0 if it is row-major.
  int64_t panelsOf(const Group &group);

  ModuleOp module;
  llvm::MapVector<func::FuncOp, KernelUses> kernels;
  SmallVector<Call> calls;
  unsigned count = 0; ///< of buffers
  llvm::IntEqClasses classes;
  SmallVector<unsigned> asTyped; ///< buffers that must stay row-major
  llvm::DenseMap<Value, unsigned> buffers;
  /// By the offset in the state block, or in that of gradients.
  llvm::MapVector<int64_t, unsigned> variables;
  llvm::DenseMap<int64_t, DictionaryAttr> rows;
  SmallVector<std::pair<int64_t, Operation *>> accesses; ///< by element
  /// Arguments whose calls do not agree.
  llvm::DenseSet<std::pair<Operation *, unsigned>> refused;
  llvm::DenseMap<unsigned, Group> groups;
};

} // namespace

Layouts::Layouts(ModuleOp module) : module(module) {
  auto table = module->getAttrOfType<ArrayAttr>(buffer::kStateAttr);
  if (!table)
    return;
  for (Attribute attr : table) {
    auto row = cast<DictionaryAttr>(attr);
    if (canMove(row.getAs<ElementsAttr>("value")))
      rows[row.getAs<IntegerAttr>("offset").getInt()] = row;
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() && function->hasAttr(lower::kKernelAttr))
      kernels.insert({function, KernelUses(function)});
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() && !function->hasAttr(lower::kKernelAttr))
      readEntry(function);
}

unsigned Layouts::newBuffer() {
  classes.grow(++count);
  return count - 1;
}

unsigned Layouts::bufferOf(Value memref) {
  memref = wholeOf(memref);
  auto [known, isNew] = buffers.try_emplace(memref);
  if (!isNew)
    return known->second;
  auto view = memref.getDefiningOp<memref::ViewOp>();
  unsigned number;
  if (std::optional<int64_t> offset = buffer::parameterOffset(memref)) {
    auto [variable, first] = variables.try_emplace(*offset);
    if (first)
      variable->second = newBuffer();
    number = variable->second;
  } else {
    number = newBuffer();
    // Other views of the same bytes see the same order.
    if (view) {
      for (Operation *user : view.getSource().getUsers())
        if (auto other = dyn_cast<memref::ViewOp>(user);
            other && other != view && other.getType() == view.getType() &&
            other.getByteShift() == view.getByteShift())
          if (auto found = buffers.find(other); found != buffers.end())
            classes.join(number, found->second);
    } else {
      asTyped.push_back(number);
    }
  }
  return buffers[memref] = number;
}

void Layouts::readEntry(func::FuncOp entry) {
  entry.walk([&](Operation *op) {
    if (auto call = dyn_cast<func::CallOp>(op))
      if (auto kernel = module.lookupSymbol<func::FuncOp>(call.getCallee());
          kernel && kernels.count(kernel)) {
        Call noted{kernel, {}, bool(call->getParentOfType<scf::ForOp>())};
        for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
          // Where nothing is left of what was there, it may lie anew.
          Value whole = wholeOf(operand);
          if (!noted.inLoop && kernels.find(kernel)->second.overwrites(i) &&
              !buffer::parameterOffset(whole))
            buffers.erase(whole);
          noted.buffers.push_back(bufferOf(operand));
        }
        calls.push_back(std::move(noted));
        return;
      }
    if (isa<memref::ViewOp, memref::DimOp>(op) || reshaped(op))
      return;
    for (Value operand : op->getOperands()) {
      operand = wholeOf(operand);
      if (!operand.getDefiningOp<memref::ViewOp>())
        continue;
      unsigned number = bufferOf(operand);
      auto offset = buffer::parameterOffset(operand);
      bool byElement = isa<memref::LoadOp, memref::StoreOp>(op) && offset &&
                       cast<MemRefType>(operand.getType()).getRank() == 1;
      if (byElement)
        accesses.push_back({*offset, op});
      else
        asTyped.push_back(number);
    }
  });
}

void Layouts::demand(Group &group, const Use &use, bool inLoop) {
  auto type = cast<MemRefType>(use.argument.getType());
  int64_t columns = type.getShape().back();
  if (group.columns && group.columns != columns)
    group.rowMajor = true;
  group.columns = columns;
  if (use.kind == Use::Wants) {
    int64_t panels = panelsWanted(use.op, use.argument).width;
    if (group.panels && group.panels != panels)
      group.rowMajor = true;
    group.panels = panels;
    return;
  }
  group.whole = true;
  if (use.kind == Use::Writes)
    group.writes.push_back(use);
  // In a loop it is better packed once before it.
  else if (inLoop)
    group.rowMajor = true;
}

void Layouts::collect() {
  groups.clear();
  for (unsigned number : asTyped)
    groupOf(number).rowMajor = true;
  for (auto [offset, number] : variables) {
    Group &group = groupOf(number);
    group.isVariable = true;
    group.rowMajor |= !rows.count(offset);
  }
  for (const Call &call : calls) {
    const KernelUses &kernel = kernels.find(call.kernel)->second;
    for (auto [i, number] : llvm::enumerate(call.buffers))
      if (kernel.isRowMajor(kernel.groupOf(i)))
        groupOf(number).rowMajor = true;
    for (const Use &use : kernel.uses()) {
      unsigned i = use.argument.getArgNumber();
      Group &group = groupOf(call.buffers[i]);
      demand(group, use, call.inLoop);
      if (refused.count({call.kernel, i}))
        group.rowMajor = true;
    }
  }
  // Trailing dimensions of a variable are what kernels take for its columns.
  for (auto [offset, number] : variables) {
    Group &group = groupOf(number);
    if (group.rowMajor || !group.columns)
      continue;
    int64_t trailing = 1;
    for (int64_t size : llvm::reverse(typeAt(offset).getShape()))
      if (trailing < group.columns)
        trailing *= size;
    if (trailing != group.columns)
      group.rowMajor = true;
  }
}

int64_t Layouts::panelsOf(const Group &group) {
  if (group.rowMajor || !group.isVariable || !group.panels ||
      (group.whole && group.columns % group.panels != 0))
    return 0;
  bool canWrite = llvm::all_of(group.writes, [&](const Use &use) {
    return canWritePanels(use.op, use.argument, group.panels);
  });
  return canWrite ? group.panels : 0;
}

void Layouts::decide() {
  for (const Call &call : calls) {
    const KernelUses &kernel = kernels.find(call.kernel)->second;
    for (unsigned i = 0; i < call.buffers.size(); ++i)
      for (unsigned k = 0; k < i; ++k)
        if (kernel.groupOf(k) == kernel.groupOf(i))
          classes.join(call.buffers[k], call.buffers[i]);
  }
  for (bool changed = true; changed;) {
    changed = false;
    collect();
    llvm::DenseMap<std::pair<Operation *, unsigned>, int64_t> chosen;
    for (const Call &call : calls)
      for (const Use &use : kernels.find(call.kernel)->second.uses()) {
        unsigned i = use.argument.getArgNumber();
        int64_t panels = panelsOf(groupOf(call.buffers[i]));
        auto [first, isNew] = chosen.try_emplace({call.kernel, i}, panels);
        if (!isNew && first->second != panels)
          changed |= refused.insert({call.kernel, i}).second;
      }
  }
  for (auto &[leader, group] : groups)
    group.panels = panelsOf(group);
}

void Layouts::apply() {
  llvm::DenseMap<Attribute, Attribute> changed;
  Builder b(module.getContext());
  for (auto [offset, number] : variables) {
    int64_t panels = groupOf(number).panels;
    if (!panels)
      continue;
    DictionaryAttr row = rows.lookup(offset);
    NamedAttrList members(row);
    int64_t columns = groupOf(number).columns;
    if (auto value = row.getAs<ElementsAttr>("value"))
      members.set("value", inPanels(row.getAs<StringAttr>("name"), value,
                                    columns, panels));
    members.set("panels", b.getI64IntegerAttr(panels));
    members.set("columns", b.getI64IntegerAttr(columns));
    changed[row] = members.getDictionary(b.getContext());
  }
  if (changed.empty())
    return;
  SmallVector<Attribute> table;
  for (Attribute row : module->getAttrOfType<ArrayAttr>(buffer::kStateAttr))
    table.push_back(changed.count(row) ? changed.lookup(row) : row);
  module->setAttr(buffer::kStateAttr, b.getArrayAttr(table));
  for (auto [offset, access] : accesses) {
    const Group &group = groupOf(variables.lookup(offset));
    if (!group.panels)
      continue;
    int64_t elements = typeAt(offset).getNumElements();
    moveAccess(access, elements, group.columns, group.panels);
  }
  llvm::DenseSet<Operation *> done;
  for (const Call &call : calls) {
    if (!done.insert(call.kernel).second)
      continue;
    for (const Use &use : kernels.find(call.kernel)->second.uses()) {
      int64_t panels =
          groupOf(call.buffers[use.argument.getArgNumber()]).panels;
      if (!panels)
        continue;
      switch (use.kind) {
      case Use::Wants:
        readPanels(use.op, panels);
        break;
      case Use::Along:
        readAlongReduction(use.op, panels);
        break;
      case Use::Writes:
        writePanels(use.op, panels);
        break;
      }
    }
  }
}

namespace {
struct LayOutWeights
    : public PassWrapper<LayOutWeights, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LayOutWeights)
  StringRef getArgument() const final { return "codegen-lay-out-weights"; }
  StringRef getDescription() const final {
    return "Lay weights out as the contractions read them";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, memref::MemRefDialect>();
  }
  void runOnOperation() final {
    Layouts layouts(getOperation());
    layouts.decide();
    layouts.apply();
  }
};
} // namespace

std::unique_ptr<Pass> createLayOutWeightsPass() {
  return std::make_unique<LayOutWeights>();
}

} // namespace cornu::codegen
