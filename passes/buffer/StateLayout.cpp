//===- StateLayout.cpp - One block for all variables ----------------------===//
//
// Variables lie in the order of their kinds (trainable, non-trainable,
// optimizer, metric, random) and of the module, each at a multiple of 64
// bytes. Gradients have a block with the layout of the trainable part. Entries
// take the blocks and view them:
//
//   func.func @predict(%state: memref<?xi8>, ...) {
//     %w = memref.view %state[%c0][] : memref<?xi8> to memref<4x8xf32>
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/lower/KernelLowering.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::buffer {

namespace {

struct Layout {
  struct Range {
    int64_t begin = 0, end = 0;
  };
  llvm::StringMap<int64_t> offsets;
  SmallVector<nn::VariableOp> order;
  Range kinds[5];
  int64_t bytes = 0;

  explicit Layout(ModuleOp module) {
    for (unsigned kind = 0; kind < std::size(kinds); ++kind) {
      kinds[kind].begin = bytes;
      for (auto variable : module.getOps<nn::VariableOp>()) {
        if (static_cast<unsigned>(variable.getKind()) != kind)
          continue;
        auto type = cast<RankedTensorType>(variable.getType());
        order.push_back(variable);
        offsets[variable.getSymName()] = bytes;
        int64_t width = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
        bytes =
            llvm::alignTo(bytes + type.getNumElements() * width, kAlignment);
      }
      kinds[kind].end = bytes;
    }
  }
};

struct StateLayout : PassWrapper<StateLayout, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(StateLayout)

  StringRef getArgument() const override { return "buffer-state-layout"; }
  StringRef getDescription() const override {
    return "Turn variables into views of the state block";
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    Layout layout(module);
    describe(module, layout);
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr(kEntryAttr))
        rewrite(function, layout);
  }

  void describe(ModuleOp module, const Layout &layout) {
    Builder b(module.getContext());
    SmallVector<Attribute> table;
    for (nn::VariableOp variable : layout.order) {
      NamedAttrList row;
      row.set("name", variable.getSymNameAttr());
      row.set("type", TypeAttr::get(variable.getType()));
      row.set("offset", b.getI64IntegerAttr(
                            layout.offsets.lookup(variable.getSymName())));
      row.set("kind",
              b.getStringAttr(nn::stringifyVariableKind(variable.getKind())));
      if (variable.getValueAttr())
        row.set("value", variable.getValueAttr());
      else if (variable.getInitializerAttr())
        row.set("initializer", variable.getInitializerAttr());
      table.push_back(row.getDictionary(b.getContext()));
    }
    auto range = [&](nn::VariableKind kind) {
      return layout.kinds[static_cast<unsigned>(kind)];
    };
    Layout::Range metrics = range(nn::VariableKind::metric);
    module->setAttr(kStateAttr, b.getArrayAttr(table));
    module->setAttr(kStateBytesAttr, b.getI64IntegerAttr(layout.bytes));
    module->setAttr(
        kGradientBytesAttr,
        b.getI64IntegerAttr(range(nn::VariableKind::trainable).end));
    module->setAttr(kMetricsOffsetAttr, b.getI64IntegerAttr(metrics.begin));
    module->setAttr(kMetricsBytesAttr,
                    b.getI64IntegerAttr(metrics.end - metrics.begin));
  }

  /// The role of an argument, "" if it has none.
  static StringRef roleOf(func::FuncOp entry, unsigned i) {
    auto role = entry.getArgAttrOfType<StringAttr>(i, kRoleAttr);
    return role ? role.getValue() : StringRef();
  }

  void rewrite(func::FuncOp entry, const Layout &layout) {
    OpBuilder b(&getContext());
    Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
    auto role = [&](StringRef name) {
      return b.getDictionaryAttr(
          b.getNamedAttr(kRoleAttr, b.getStringAttr(name)));
    };
    // The variables and gradients among the arguments, by block.
    bool givesGradients = entry.getName() == "gradients";
    auto isGradient = [&](unsigned i) {
      return roleOf(entry, i) == "gradient" ||
             (givesGradients && roleOf(entry, i) == "output");
    };
    unsigned count = entry.getNumArguments();
    (void)entry.insertArgument(0, bytes, role("state"), entry.getLoc());
    Value state = entry.getArgument(0), gradients;
    for (unsigned i = 1; i <= count; ++i)
      if (isGradient(i) && !gradients) {
        unsigned last = entry.getNumArguments();
        (void)entry.insertArgument(last, bytes, role("gradients"),
                                   entry.getLoc());
        gradients = entry.getArgument(last);
      }

    b.setInsertionPointToStart(&entry.getBody().front());
    llvm::BitVector replaced(entry.getNumArguments());
    for (unsigned i = 1; i <= count; ++i) {
      StringRef name;
      Value block = state;
      if (auto variable = entry.getArgAttrOfType<FlatSymbolRefAttr>(
              i, lower::kVariableAttr)) {
        name = variable.getValue();
      } else if (isGradient(i)) {
        name = entry.getArgAttrOfType<StringAttr>(i, "nn.name").getValue();
        block = gradients;
      } else {
        continue;
      }
      Value argument = entry.getArgument(i);
      Value offset = arith::ConstantIndexOp::create(
          b, argument.getLoc(), layout.offsets.lookup(name));
      Location loc = NameLoc::get(b.getStringAttr(name));
      argument.replaceAllUsesWith(
          memref::ViewOp::create(b, loc, cast<MemRefType>(argument.getType()),
                                 block, offset, ValueRange()));
      replaced.set(i);
    }
    (void)entry.eraseArguments(replaced);
  }
};
} // namespace

std::unique_ptr<Pass> createStateLayoutPass() {
  return std::make_unique<StateLayout>();
}

} // namespace cornu::buffer
