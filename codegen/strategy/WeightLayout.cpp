//===- WeightLayout.cpp - Constant weights in the engine's layout ---------===//
//
// A weight is laid out if all that is done with it, in all entries, is to be
// the right operand of contractions that want panels of the same width: not
// where it is trained.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/WeightLayout.h"

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/ContractionForm.h"
#include "codegen/strategy/Decisions.h"
#include "codegen/strategy/Strategy.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/Pass/Pass.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/Views.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

Panels panelsWanted(linalg::GenericOp op, Value weight) {
  auto strategy =
      op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  auto type = dyn_cast<MemRefType>(weight.getType());
  if (!strategy || strategy.getPanels() || strategy.getWinograd() ||
      strategy.getCopyRight() || strategy.getAlongReduction() || !type ||
      !type.hasStaticShape() || !type.getLayout().isIdentity())
    return {};
  std::optional<ContractionForm> form = ContractionForm::of(op);
  if (!form || form->sharedLane || op->getOperand(form->right) != weight ||
      llvm::count(op->getOperands(), weight) != 1)
    return {};
  auto exprs = linearResults(op.getIndexingMapsArray()[form->right]);
  if (!exprs || exprs->empty())
    return {};
  // The lane is the first or last dimension, and alone there.
  bool laneFirst = !exprs->back().moves(form->lane);
  const LinearExpr &lane = laneFirst ? exprs->front() : exprs->back();
  for (const LinearExpr &expr : *exprs)
    for (auto [loop, coefficient] : llvm::enumerate(expr.coefficients)) {
      bool isLane = loop == form->lane;
      if (coefficient < 0 || expr.constant != 0 ||
          (&expr == &lane ? coefficient != isLane : isLane && coefficient))
        return {};
    }
  int64_t columns =
      laneFirst ? type.getShape().front() : type.getShape().back();
  // A single panel is the matrix itself, or its transpose.
  if (form->extents[form->lane] != columns ||
      (strategy.getNr() >= columns && !laneFirst) ||
      (strategy.getNc() < columns && strategy.getNc() % strategy.getNr()))
    return {};
  return {strategy.getNr(), laneFirst};
}

Panels panelsWanted(BlockArgument argument,
                    SmallVectorImpl<linalg::GenericOp> &ops) {
  Panels panels;
  for (Operation *user : argument.getUsers()) {
    auto op = dyn_cast<linalg::GenericOp>(user);
    Panels wanted = op ? panelsWanted(op, argument) : Panels();
    if (!wanted || (panels && panels != wanted))
      return {};
    panels = wanted;
    ops.push_back(op);
  }
  return panels;
}

/// Tasks by lanes of a product with panels cost little: no task packs anew what
/// another has packed. With a usual batch each should be worth starting.
static constexpr int64_t kLaneTasks = 8, kUsualRows = 32, kTaskWork = 1 << 19;

void readPanels(linalg::GenericOp op, int64_t width) {
  auto old = op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  int64_t singleRowNr = old.getSingleRowNr();
  if (singleRowNr)
    singleRowNr = std::max(singleRowNr / width * width, width);
  // But what pads or computes the left operand runs in each task.
  ContractionForm form = *ContractionForm::of(op);
  int64_t nc = old.getNc();
  if (!old.getCopyLeft() &&
      !op->getOperand(form.left).getDefiningOp<memref::AllocOp>()) {
    int64_t steps = form.product(form.reduction);
    int64_t least = steps > 0 ? kTaskWork / kUsualRows / steps : width;
    int64_t part = llvm::divideCeil(form.extents[form.lane], kLaneTasks);
    nc = std::min<int64_t>(nc, llvm::alignTo(std::max(part, least), width));
  }
  auto strategy = ContractionAttr::get(
      op.getContext(), old.getMr(), old.getNr(), old.getMc(), nc, old.getKc(),
      old.getCopyLeft(), old.getCopyRight(), /*pack_right=*/false,
      old.getFlattenRows(), old.getAlongReduction(), singleRowNr,
      old.getSerial(), width, old.getWinograd());
  op->setAttr(CodegenDialect::kStrategyAttr, strategy);
  replaceStrategy(op->getParentOfType<func::FuncOp>(), old, strategy);
}

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

/// True for a value that inPanels() can rearrange.
static bool canMove(ElementsAttr value) {
  if (!value || !value.getElementType().isIntOrFloat())
    return false;
  return value.isSplat() || int64_t(bytesOf(value).size()) ==
                                value.getNumElements() * elementBytes(value);
}

/// The elements of `value`, a matrix whose rows are its last dimension, in
/// panels.
static ElementsAttr inPanels(StringRef name, ElementsAttr value,
                             int64_t panels) {
  if (value.isSplat())
    return value;
  auto type = cast<RankedTensorType>(value.getType());
  ArrayRef<char> from = bytesOf(value);
  std::vector<char> moved(from.size());
  char *to = moved.data();
  int64_t bytes = elementBytes(value), columns = type.getShape().back();
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

namespace {

/// Who reads the variables, in all entries.
class WeightReaders {
public:
  explicit WeightReaders(ModuleOp module);
  /// Drops what wants different panels of the same weight, until what is left
  /// agrees.
  void agree();
  void apply();

private:
  /// An argument of a kernel.
  using Argument = std::pair<func::FuncOp, unsigned>;
  struct Reader {
    SmallVector<linalg::GenericOp> ops;
    int64_t panels = 0;
    /// All calls pass weights that may be laid out.
    bool passesWeights = true;
  };
  struct Weight {
    SmallVector<Argument> readers;
    /// Something is done with it that is not to pass it to a kernel.
    bool other = false;
  };

  void readKernel(func::FuncOp kernel);
  void readCalls(func::FuncOp function);
  int64_t panelsOf(const Weight &weight);

  ModuleOp module;
  llvm::MapVector<Argument, Reader> readers;
  /// By the offset in the state block.
  llvm::MapVector<int64_t, Weight> weights;
  llvm::DenseMap<int64_t, DictionaryAttr> rows;
};

} // namespace

WeightReaders::WeightReaders(ModuleOp module) : module(module) {
  auto table = module->getAttrOfType<ArrayAttr>(buffer::kStateAttr);
  if (!table)
    return;
  for (Attribute attr : table) {
    auto row = cast<DictionaryAttr>(attr);
    if (canMove(row.getAs<ElementsAttr>("value")))
      rows[row.getAs<IntegerAttr>("offset").getInt()] = row;
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal())
      readKernel(function);
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal())
      readCalls(function);
}

/// Finds the arguments of which only contractions read.
void WeightReaders::readKernel(func::FuncOp kernel) {
  for (BlockArgument argument : kernel.getArguments()) {
    Reader reader;
    Panels panels = panelsWanted(argument, reader.ops);
    // Descriptors and files know panels of the last dimension.
    if (!panels || panels.laneFirst)
      continue;
    reader.panels = panels.width;
    readers[{kernel, argument.getArgNumber()}] = std::move(reader);
  }
}

/// Notes what is done with the variables, and which arguments get anything
/// else.
void WeightReaders::readCalls(func::FuncOp function) {
  llvm::DenseMap<Value, int64_t> offsets;
  function.walk([&](memref::ViewOp view) {
    std::optional<int64_t> offset = buffer::stateOffset(view);
    if (!offset)
      return;
    Weight &weight = weights[*offset];
    offsets[view] = *offset;
    for (OpOperand &use : view->getUses()) {
      auto call = dyn_cast<func::CallOp>(use.getOwner());
      auto kernel =
          call ? module.lookupSymbol<func::FuncOp>(call.getCallee()) : nullptr;
      if (kernel)
        weight.readers.push_back({kernel, use.getOperandNumber()});
      else
        weight.other = true;
    }
  });
  function.walk([&](func::CallOp call) {
    auto kernel = module.lookupSymbol<func::FuncOp>(call.getCallee());
    for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
      auto reader = readers.find({kernel, unsigned(i)});
      if (reader == readers.end())
        continue;
      auto offset = offsets.find(operand);
      if (offset == offsets.end() || !rows.count(offset->second))
        reader->second.passesWeights = false;
    }
  });
}

/// The panels that all readers of a weight want; 0 if they don't agree.
int64_t WeightReaders::panelsOf(const Weight &weight) {
  int64_t panels = 0;
  for (const Argument &argument : weight.readers) {
    auto reader = readers.find(argument);
    if (reader == readers.end() || !reader->second.passesWeights ||
        (panels && reader->second.panels != panels))
      return 0;
    panels = reader->second.panels;
  }
  return weight.other ? 0 : panels;
}

void WeightReaders::agree() {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto &[offset, weight] : weights) {
      if (panelsOf(weight) && rows.count(offset))
        continue;
      for (const Argument &argument : weight.readers)
        if (auto reader = readers.find(argument);
            reader != readers.end() && reader->second.passesWeights) {
          reader->second.passesWeights = false;
          changed = true;
        }
    }
  }
}

void WeightReaders::apply() {
  llvm::DenseMap<Attribute, Attribute> changed;
  Builder b(module.getContext());
  for (auto &[offset, weight] : weights) {
    int64_t panels = panelsOf(weight);
    if (panels == 0)
      continue;
    DictionaryAttr row = rows.lookup(offset);
    auto name = row.getAs<StringAttr>("name");
    NamedAttrList members(row);
    members.set("value",
                inPanels(name, row.getAs<ElementsAttr>("value"), panels));
    members.set("panels", b.getI64IntegerAttr(panels));
    changed[row] = members.getDictionary(b.getContext());
  }
  if (changed.empty())
    return;
  SmallVector<Attribute> table;
  for (Attribute row : module->getAttrOfType<ArrayAttr>(buffer::kStateAttr))
    table.push_back(changed.count(row) ? changed.lookup(row) : row);
  module->setAttr(buffer::kStateAttr, b.getArrayAttr(table));
  for (auto &[argument, reader] : readers)
    if (reader.passesWeights)
      for (linalg::GenericOp op : reader.ops)
        readPanels(op, reader.panels);
}

namespace {
struct LayOutWeights
    : public PassWrapper<LayOutWeights, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LayOutWeights)
  StringRef getArgument() const final { return "codegen-lay-out-weights"; }
  StringRef getDescription() const final {
    return "Lay constant weights out as the contractions read them";
  }
  void runOnOperation() final {
    WeightReaders readers(getOperation());
    readers.agree();
    readers.apply();
  }
};
} // namespace

std::unique_ptr<Pass> createLayOutWeightsPass() {
  return std::make_unique<LayOutWeights>();
}

} // namespace cornu::codegen
