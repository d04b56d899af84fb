//===- TransformWeights.cpp - Convolutions' kernels, transformed ahead ----===//
//
// A model that only predicts has its weights as constants. Where all that reads
// a convolution's kernel does so by minimal filtering, U takes its place:
//
//   {name = "conv/kernel", type = tensor<3x3x64x64xf32>, value = dense<...>}
//   %w = memref.view %state[%c0][] : memref<?xi8> to memref<3x3x64x64xf32>
//   call @conv(%x, %w, %y)
//   ->
//   {name = "conv/kernel", type = tensor<3x3x64x64xf32>, value = U,
//    panels = 64, columns = 64, filtering = {points = 16, ...}}
//   %u = memref.view %state[%c0][] : memref<?xi8> to memref<65536xf32>
//   call @conv(%x, %u, %y)
//
// The kernel itself is gone, and with it the version for few squares: so this
// is for convolutions that have enough of them in a single image. U is larger,
// and what lies behind it in the state block moves.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/ContractionForm.h"
#include "codegen/strategy/Decisions.h"
#include "codegen/strategy/PanelValues.h"
#include "codegen/strategy/Strategy.h"
#include "codegen/strategy/TransformedKernel.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Pass/Pass.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// What a kernel reads
//===----------------------------------------------------------------------===//

/// True if nothing but a fill with zero touches the output of `op` before it.
static bool startsAtZero(linalg::GenericOp op) {
  bool filled = false;
  for (Operation *user : op.getDpsInits()[0].getUsers()) {
    if (user->getBlock() == op->getBlock() && !user->isBeforeInBlock(op))
      continue;
    auto fill = dyn_cast<linalg::FillOp>(user);
    if (filled || !fill || user->getBlock() != op->getBlock() ||
        !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
      return false;
    filled = true;
  }
  return filled;
}

/// True if the right operand is a row-major [tap][tap][channel][lane].
static bool isRowMajor(linalg::GenericOp op, const ContractionForm &form,
                       const WinogradForm &window) {
  auto type = cast<MemRefType>(op->getOperand(form.right).getType());
  SmallVector<AffineExpr> loops;
  for (unsigned loop :
       {window.axes[0].tap, window.axes[1].tap, window.channel, form.lane})
    loops.push_back(getAffineDimExpr(loop, op.getContext()));
  return op.getIndexingMapsArray()[form.right].getResults() ==
             ArrayRef(loops) &&
         !window.axes[0].backwards && !window.axes[1].backwards &&
         type.getLayout().isIdentity() &&
         type.getNumElements() ==
             window.taps * window.taps * window.channels * window.lanes;
}

/// The one op that reads an argument of a kernel, if it is a convolution by
/// minimal filtering with the argument as its kernel.
static linalg::GenericOp readerOf(BlockArgument argument) {
  if (!argument.hasOneUse())
    return {};
  auto op = dyn_cast<linalg::GenericOp>(*argument.user_begin());
  auto strategy =
      op ? op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr)
         : ContractionAttr();
  return strategy && strategy.getWinograd() ? op : linalg::GenericOp();
}

/// How a kernel would have a transformed argument; nothing where it cannot read
/// one, or would be slower for it.
static std::optional<TransformedKernel> transformOf(BlockArgument argument,
                                                    const Target &target) {
  linalg::GenericOp op = readerOf(argument);
  std::optional<ContractionForm> form;
  if (op)
    form = ContractionForm::of(op);
  if (!form || op->getOperand(form->right) != argument || !startsAtZero(op))
    return std::nullopt;
  auto strategy =
      op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  std::optional<WinogradForm> window = WinogradForm::of(op, *form);
  if (!window || strategy.getCopyRight() ||
      strategy.getWinograd().getTransformed())
    return std::nullopt;
  // The fewest images that ever come.
  int64_t images = 1;
  for (unsigned loop : window->outer)
    if (!ShapedType::isDynamic(form->extents[loop]))
      images *= form->extents[loop];
  if (!paysForImages(*window, strategy, images, target) ||
      !isRowMajor(op, *form, *window))
    return std::nullopt;
  return TransformedKernel::of(*window, strategy, target.lanes());
}

/// Lets a kernel read U, of so many elements, in an argument.
static void readTransformed(func::FuncOp kernel, unsigned number,
                            int64_t elements) {
  BlockArgument argument = kernel.getArgument(number);
  linalg::GenericOp op = readerOf(argument);
  auto type = cast<MemRefType>(argument.getType());
  OpBuilder b = OpBuilder::atBlockBegin(&kernel.getBody().front());
  // The op's maps are about the kernel as it was; nothing is read through them.
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)type.getStridesAndOffset(strides, offset);
  argument.setType(MemRefType::get({elements}, type.getElementType()));
  Value asTyped = memref::ReinterpretCastOp::create(
      b, op.getLoc(), type, argument, /*offset=*/0, type.getShape(), strides);
  argument.replaceAllUsesExcept(asTyped, asTyped.getDefiningOp());
  kernel.setFunctionType(b.getFunctionType(
      kernel.getBody().front().getArgumentTypes(), kernel.getResultTypes()));

  auto old = op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  Blocking blocking(old);
  WinogradAttr w = old.getWinograd();
  blocking.winograd = WinogradAttr::get(
      op.getContext(), w.getSide(), w.getTaps(), w.getSquares(), /*from=*/0,
      w.getSums(), w.getChannels(), w.getLanes(), /*transformed=*/true);
  ContractionAttr strategy = blocking.get(op.getContext());
  op->setAttr(CodegenDialect::kStrategyAttr, strategy);
  replaceStrategy(kernel, old, strategy);
}

//===----------------------------------------------------------------------===//
// The state block
//===----------------------------------------------------------------------===//

namespace {

class Transforms {
public:
  explicit Transforms(ModuleOp module);
  void decide();
  void apply();

private:
  using Argument = std::pair<func::FuncOp, unsigned>; ///< of a kernel
  struct Weight {
    DictionaryAttr row;
    SmallVector<memref::ViewOp> views;
    llvm::SetVector<Argument> readers;
    bool stays = false; ///< as it is
  };

  void readEntry(func::FuncOp entry);
  const std::optional<TransformedKernel> &wish(Argument argument);
  /// How a weight is transformed; only where it does not stay.
  const TransformedKernel &transform(const Weight &weight) {
    return *wish(weight.readers.front());
  }
  int64_t growth(const Weight &weight);
  int64_t moved(int64_t offset);
  void moveViews();

  ModuleOp module;
  Target target;
  llvm::MapVector<int64_t, Weight> weights; ///< by their offsets
  llvm::MapVector<Argument, std::optional<TransformedKernel>> wishes;
  SmallVector<memref::ViewOp> views; ///< of the state block, all
};

} // namespace

Transforms::Transforms(ModuleOp module)
    : module(module), target(Target::of(module)) {
  auto table = module->getAttrOfType<ArrayAttr>(buffer::kStateAttr);
  // What trains saves its weights, and changes them.
  if (!table || module.lookupSymbol("train_step") ||
      module.lookupSymbol("apply_gradients"))
    return;
  for (Attribute attr : table) {
    auto row = cast<DictionaryAttr>(attr);
    auto value = row.getAs<ElementsAttr>("value");
    if (value && canMove(value) && !row.get("panels") &&
        value.getElementType().isF32())
      weights[row.getAs<IntegerAttr>("offset").getInt()].row = row;
  }
  for (auto function : module.getOps<func::FuncOp>())
    if (!function.isExternal() && !function->hasAttr(lower::kKernelAttr))
      readEntry(function);
}

void Transforms::readEntry(func::FuncOp entry) {
  entry.walk([&](memref::ViewOp view) {
    std::optional<int64_t> offset = buffer::stateOffset(view);
    if (!offset)
      return;
    views.push_back(view);
    auto found = weights.find(*offset);
    if (found == weights.end())
      return;
    Weight &weight = found->second;
    weight.views.push_back(view);
    for (OpOperand &use : view->getUses()) {
      auto call = dyn_cast<func::CallOp>(use.getOwner());
      auto kernel = call ? module.lookupSymbol<func::FuncOp>(call.getCallee())
                         : func::FuncOp();
      if (kernel && !kernel.isExternal() && kernel->hasAttr(lower::kKernelAttr))
        weight.readers.insert({kernel, use.getOperandNumber()});
      else
        weight.stays = true;
    }
  });
  // What a kernel is called with besides must be such a weight, too.
  entry.walk([&](func::CallOp call) {
    auto kernel = module.lookupSymbol<func::FuncOp>(call.getCallee());
    for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
      std::optional<int64_t> offset = buffer::stateOffset(operand);
      if (kernel && !(offset && weights.count(*offset)))
        wishes[{kernel, unsigned(i)}] = std::nullopt;
    }
  });
}

const std::optional<TransformedKernel> &Transforms::wish(Argument argument) {
  auto [known, isNew] = wishes.try_emplace(argument);
  if (isNew)
    known->second =
        transformOf(argument.first.getArgument(argument.second), target);
  return known->second;
}

void Transforms::decide() {
  // A weight stays if one of its readers cannot do with another; then none of
  // them may, whatever else they are called with.
  for (bool changed = true; changed;) {
    changed = false;
    for (auto &[offset, weight] : weights) {
      if (!weight.stays && !weight.readers.empty()) {
        std::optional<TransformedKernel> first = wish(weight.readers.front());
        weight.stays =
            !first || llvm::any_of(weight.readers, [&](Argument argument) {
              return wish(argument) != first;
            });
      }
      if (!weight.stays)
        continue;
      for (Argument argument : weight.readers)
        if (wish(argument)) {
          wishes[argument] = std::nullopt;
          changed = true;
        }
    }
  }
  weights.remove_if([](auto &weight) {
    return weight.second.stays || weight.second.readers.empty();
  });
}

/// Bytes by which a weight is larger than before.
int64_t Transforms::growth(const Weight &weight) {
  auto bytes = [](int64_t elements) -> int64_t {
    return llvm::alignTo(elements * sizeof(float), buffer::kAlignment);
  };
  auto type = cast<ShapedType>(weight.row.getAs<TypeAttr>("type").getValue());
  return bytes(transform(weight).elements()) - bytes(type.getNumElements());
}

/// Where what was at `offset` of the state block is now.
int64_t Transforms::moved(int64_t offset) {
  int64_t result = offset;
  for (auto &[start, weight] : weights)
    if (start < offset)
      result += growth(weight);
  return result;
}

void Transforms::moveViews() {
  for (memref::ViewOp view : views) {
    OpBuilder b(view);
    int64_t offset = *buffer::stateOffset(view);
    view.getByteShiftMutable().assign(
        arith::ConstantIndexOp::create(b, view.getLoc(), moved(offset)));
  }
  for (auto &[offset, weight] : weights)
    for (memref::ViewOp view : weight.views)
      view.getResult().setType(MemRefType::get(
          {transform(weight).elements()}, view.getType().getElementType()));
}

void Transforms::apply() {
  if (weights.empty())
    return;
  Builder b(module.getContext());
  moveViews();
  SmallVector<Attribute> table;
  for (Attribute attr : module->getAttrOfType<ArrayAttr>(buffer::kStateAttr)) {
    NamedAttrList row(cast<DictionaryAttr>(attr));
    int64_t offset = cast<IntegerAttr>(row.get("offset")).getInt();
    row.set("offset", b.getI64IntegerAttr(moved(offset)));
    if (auto found = weights.find(offset); found != weights.end()) {
      const TransformedKernel &kernel = transform(found->second);
      row.set("value", kernel.transform(cast<StringAttr>(row.get("name")),
                                        cast<ElementsAttr>(row.get("value"))));
      row.set("panels", b.getI64IntegerAttr(kernel.panels));
      row.set("columns", b.getI64IntegerAttr(kernel.lanes));
      row.set("filtering", kernel.attribute(b.getContext()));
    }
    table.push_back(row.getDictionary(b.getContext()));
  }
  module->setAttr(buffer::kStateAttr, b.getArrayAttr(table));
  for (StringRef name : {buffer::kStateBytesAttr, buffer::kGradientBytesAttr,
                         buffer::kMetricsOffsetAttr})
    if (auto bytes = module->getAttrOfType<IntegerAttr>(name))
      module->setAttr(name, b.getI64IntegerAttr(moved(bytes.getInt())));
  llvm::SetVector<Argument> readers;
  for (auto &[offset, weight] : weights)
    readers.insert_range(weight.readers);
  for (Argument argument : readers)
    readTransformed(argument.first, argument.second,
                    wish(argument)->elements());
}

namespace {
struct TransformWeights
    : public PassWrapper<TransformWeights, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(TransformWeights)
  StringRef getArgument() const final { return "codegen-transform-weights"; }
  StringRef getDescription() const final {
    return "Transform constant kernels of convolutions by minimal filtering";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<arith::ArithDialect, memref::MemRefDialect>();
  }
  void runOnOperation() final {
    Transforms transforms(getOperation());
    transforms.decide();
    transforms.apply();
  }
};
} // namespace

std::unique_ptr<Pass> createTransformWeightsPass() {
  return std::make_unique<TransformWeights>();
}

} // namespace cornu::codegen
