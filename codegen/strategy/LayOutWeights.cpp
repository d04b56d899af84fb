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

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/Strategy.h"
#include "codegen/strategy/WeightLayout.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Pass/Pass.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"
#include "llvm/ADT/IntEqClasses.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// First values
//===----------------------------------------------------------------------===//

/// The bytes of a value in memory; none where it has none.
static ArrayRef<char> bytesOf(ElementsAttr value) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    return blob ? blob->getData() : ArrayRef<char>();
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense ? dense.getRawData() : ArrayRef<char>();
}

static int64_t elementBytes(ElementsAttr value) {
  return value.getElementType().getIntOrFloatBitWidth() / 8;
}

/// True for a value that inPanels() can rearrange, and for none.
static bool canMove(ElementsAttr value) {
  if (!value)
    return true;
  if (!value.getElementType().isIntOrFloat())
    return false;
  return value.isSplat() || int64_t(bytesOf(value).size()) ==
                                value.getNumElements() * elementBytes(value);
}

/// The elements of `value`, the rows of a matrix of so many columns, in panels.
static ElementsAttr inPanels(StringRef name, ElementsAttr value,
                             int64_t columns, int64_t panels) {
  if (value.isSplat())
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  ArrayRef<char> from = bytesOf(value);
  std::vector<char> moved(from.size());
  char *to = moved.data();
  int64_t bytes = elementBytes(value);
  int64_t rows = type.getNumElements() / columns;
  for (int64_t start = 0; start < columns; start += panels) {
    int64_t width = std::min(panels, columns - start) * bytes;
    for (int64_t row = 0; row < rows; ++row, to += width)
      std::memcpy(to, from.data() + (row * columns + start) * bytes, width);
  }
  if (isa<DenseElementsAttr>(value))
    return DenseElementsAttr::getFromRawBuffer(type, moved);
  return DenseResourceElementsAttr::get(
      type, name,
      HeapAsmResourceBlob::allocateAndCopyWithAlign(moved, /*align=*/64));
}

/// An access to an element of a variable by its row-major number, moved to
/// where the element lies in panels.
template <typename Access>
static void moveAccess(Access access, int64_t elements, int64_t columns,
                       int64_t panels) {
  OpBuilder b(access);
  Location loc = access.getLoc();
  auto number = [&](int64_t value) {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  auto divide = [&](Value value, int64_t by) -> std::pair<Value, Value> {
    return {arith::DivUIOp::create(b, loc, value, number(by)),
            arith::RemUIOp::create(b, loc, value, number(by))};
  };
  auto add = [&](Value sum, Value value, int64_t factor) -> Value {
    Value term = arith::MulIOp::create(b, loc, value, number(factor));
    return arith::AddIOp::create(b, loc, sum, term);
  };
  auto [row, column] = divide(access.getIndices().front(), columns);
  auto [panel, inside] = divide(column, panels);
  Value place =
      add(add(inside, panel, elements / columns * panels), row, panels);
  access.getIndicesMutable().assign(place);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

namespace {

/// What a kernel does with its arguments, or one of them.
struct Use {
  enum Kind {
    Wants, ///< a right operand that would best lie in panels
    Along, ///< a right operand that is read along its columns
    Writes ///< an output
  };
  Kind kind;
  linalg::GenericOp op;
  BlockArgument argument;
};

/// The arguments of a kernel, those that it walks together in one group.
class KernelUses {
public:
  explicit KernelUses(func::FuncOp kernel);

  unsigned groupOf(unsigned argument) const { return groups[argument]; }
  bool isRowMajor(unsigned group) const { return rowMajor.count(group); }
  /// True if all of the argument is written before any is read.
  bool overwrites(unsigned argument) const { return filled.count(argument); }
  ArrayRef<Use> uses() const { return all; }

private:
  void look(Operation *op, bool contracts);

  llvm::DenseMap<Value, unsigned> numbers; ///< arguments, then allocations
  llvm::IntEqClasses classes;
  SmallVector<unsigned> groups;
  llvm::DenseSet<unsigned> rowMajor, filled;
  SmallVector<unsigned> asTyped; ///< numbers of what must stay row-major
  SmallVector<Use> all;
};

} // namespace

/// The operand whose elements, all and in their order, `op` shows in another
/// shape; null if it does not.
static Value reshaped(Operation *op) {
  if (!op || op->getNumResults() != 1)
    return {};
  auto to = dyn_cast<MemRefType>(op->getResult(0).getType());
  auto from = op->getNumOperands()
                  ? dyn_cast<MemRefType>(op->getOperand(0).getType())
                  : nullptr;
  bool reshapes = isa<memref::CollapseShapeOp, memref::ExpandShapeOp>(op);
  // A cast says how many elements it shows.
  if (isa<memref::ReinterpretCastOp>(op))
    reshapes = to.hasStaticShape() && from.hasStaticShape() &&
               to.getNumElements() == from.getNumElements();
  return reshapes && to.getLayout().isIdentity() &&
                 from.getLayout().isIdentity()
             ? op->getOperand(0)
             : Value();
}

/// The value of which `memref` is the whole, in its order.
static Value wholeOf(Value memref) {
  while (Value source = reshaped(memref.getDefiningOp()))
    memref = source;
  return memref;
}

/// True for what could lie in panels.
static bool isMatrix(Value memref) {
  auto type = dyn_cast<MemRefType>(wholeOf(memref).getType());
  return type && type.getRank() > 1;
}

KernelUses::KernelUses(func::FuncOp kernel) {
  for (BlockArgument argument : kernel.getArguments())
    numbers[argument] = argument.getArgNumber();
  bool contracts = false;
  kernel.walk([&](Operation *op) {
    if (isa<memref::AllocOp, memref::AllocaOp>(op))
      numbers.try_emplace(op->getResult(0), numbers.size());
    contracts |= isa_and_nonnull<ContractionAttr>(
        op->getAttr(CodegenDialect::kStrategyAttr));
  });
  classes.grow(numbers.size());
  kernel.walk([&](Operation *op) { look(op, contracts); });
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    groups.push_back(classes.findLeader(i));
  for (unsigned number : asTyped)
    rowMajor.insert(classes.findLeader(number));
}

void KernelUses::look(Operation *op, bool contracts) {
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    if (auto argument = dyn_cast<BlockArgument>(fill.getOutputs()[0]);
        argument && llvm::none_of(argument.getUsers(), [&](Operation *user) {
          return user->isBeforeInBlock(fill);
        }))
      filled.insert(argument.getArgNumber());
  if (isa<linalg::FillOp, memref::AllocOp, memref::AllocaOp, memref::DeallocOp,
          memref::DimOp>(op) ||
      reshaped(op))
    return;
  SmallVector<unsigned> touched;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  bool orderFree = generic && !contracts && isOrderFree(generic);
  auto strategy =
      op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  for (OpOperand &operand : op->getOpOperands()) {
    auto found = numbers.find(wholeOf(operand.get()));
    if (found == numbers.end())
      continue;
    auto argument = dyn_cast<BlockArgument>(operand.get());
    if (orderFree) {
      if (isMatrix(operand.get()))
        touched.push_back(found->second);
    } else if (!strategy || !argument) {
      asTyped.push_back(found->second);
    } else if (Panels panels = panelsWanted(generic, argument);
               panels && !panels.laneFirst) {
      all.push_back({Use::Wants, generic, argument});
    } else if (canReadAlongReduction(generic, argument)) {
      all.push_back({Use::Along, generic, argument});
    } else if (generic.isDpsInit(&operand)) {
      all.push_back({Use::Writes, generic, argument});
    } else {
      asTyped.push_back(found->second);
    }
  }
  for (unsigned number : touched)
    classes.join(touched.front(), number);
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

namespace {

/// The buffers of all entries, those that lie alike in one group.
class Layouts {
public:
  explicit Layouts(ModuleOp module);
  void decide();
  void apply();

private:
  using Argument = std::pair<func::FuncOp, unsigned>;
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
    DictionaryAttr row = rows.lookup(offset);
    if (!row)
      group.rowMajor = true;
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
    if (auto load = dyn_cast<memref::LoadOp>(access))
      moveAccess(load, elements, group.columns, group.panels);
    else
      moveAccess(cast<memref::StoreOp>(access), elements, group.columns,
                 group.panels);
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
