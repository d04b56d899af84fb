//===- DescribeModel.cpp - What the descriptor says about a model ---------===//
//
// Collects the module's attribute `cornu.model` from the signatures of the
// entries, the table of variables and the memory plan. What an earlier stage
// has put there (the summary's layers, bounds of integer inputs) stays.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace cornu::buffer {

namespace {

class Description {
public:
  explicit Description(ModuleOp module) : module(module), b(module) {}
  DictionaryAttr build();

private:
  func::FuncOp entry(StringRef name) {
    return module.lookupSymbol<func::FuncOp>(name);
  }
  /// {name, type} of the arguments with a role.
  SmallVector<Attribute> arguments(func::FuncOp function, StringRef role);
  Attribute tensors(StringRef key, func::FuncOp function, StringRef role);
  DictionaryAttr scratch(ArrayRef<StringRef> entries);

  ModuleOp module;
  Builder b;
  NamedAttrList model;
};

} // namespace

SmallVector<Attribute> Description::arguments(func::FuncOp function,
                                              StringRef role) {
  SmallVector<Attribute> rows;
  for (unsigned i = 0; function && i < function.getNumArguments(); ++i) {
    auto present = function.getArgAttrOfType<StringAttr>(i, kRoleAttr);
    // A function written by hand may leave out that its arguments are inputs.
    if (present ? present != role : role != "input")
      continue;
    auto memref = cast<MemRefType>(function.getArgumentTypes()[i]);
    Type element = memref.getElementType();
    if (function.getArgAttr(i, lower::kUnsignedAttr))
      element =
          IntegerType::get(b.getContext(), element.getIntOrFloatBitWidth(),
                           IntegerType::Unsigned);
    auto name = function.getArgAttrOfType<StringAttr>(i, "nn.name");
    NamedAttrList row;
    row.set("name", name ? name : b.getStringAttr(role + Twine(rows.size())));
    row.set("type",
            TypeAttr::get(RankedTensorType::get(memref.getShape(), element)));
    if (Attribute bound = function.getArgAttr(i, "nn.upper_bound"))
      row.set("upper_bound", bound);
    rows.push_back(row.getDictionary(b.getContext()));
  }
  return rows;
}

Attribute Description::tensors(StringRef key, func::FuncOp function,
                               StringRef role) {
  if (Attribute known = model.get(key))
    return known;
  return b.getArrayAttr(arguments(function, role));
}

/// The largest need of the entries that share a scratch block.
DictionaryAttr Description::scratch(ArrayRef<StringRef> entries) {
  auto memory = module->getAttrOfType<DictionaryAttr>(kMemoryAttr);
  int64_t fixed = 0, perSample = 0;
  for (StringRef name : entries)
    if (auto plan = memory.getAs<DictionaryAttr>(name)) {
      fixed = std::max(fixed, plan.getAs<IntegerAttr>("fixed").getInt());
      perSample =
          std::max(perSample, plan.getAs<IntegerAttr>("per_sample").getInt());
    }
  return b.getDictionaryAttr(
      {b.getNamedAttr("fixed", b.getI64IntegerAttr(fixed)),
       b.getNamedAttr("per_sample", b.getI64IntegerAttr(perSample))});
}

DictionaryAttr Description::build() {
  if (auto known = module->getAttrOfType<DictionaryAttr>(kModelAttr))
    model = NamedAttrList(known);
  func::FuncOp predict = entry("predict"), evaluate = entry("evaluate_step");
  if (!model.get("name"))
    model.set("name", b.getStringAttr(module.getName().value_or("model")));
  model.set("inputs", tensors("inputs", predict, "input"));
  model.set("outputs", tensors("outputs", predict, "output"));
  model.set("targets", tensors("targets", evaluate, "target"));
  model.set("variables", module->getAttr(kStateAttr));
  SmallVector<Attribute> metrics;
  for (Attribute row : arguments(entry("metric_results"), "output"))
    metrics.push_back(cast<DictionaryAttr>(row).get("name"));
  model.set("metric_names", b.getArrayAttr(metrics));

  // The batch is fixed if the first input's is.
  int64_t batch = 0;
  auto inputs = cast<ArrayAttr>(model.get("inputs"));
  if (!inputs.empty()) {
    auto type = cast<RankedTensorType>(
        cast<DictionaryAttr>(inputs[0]).getAs<TypeAttr>("type").getValue());
    if (type.getRank() > 0 && !type.isDynamicDim(0))
      batch = type.getDimSize(0);
  }
  model.set("fixed_batch", b.getI64IntegerAttr(batch));
  if (predict && predict->hasAttr("nn.independent_samples") && batch == 0)
    model.set("independent_samples", b.getUnitAttr());
  model.set("state_bytes", module->getAttr(kStateBytesAttr));
  model.set("gradient_bytes", module->getAttr(kGradientBytesAttr));
  model.set("metrics_offset", module->getAttr(kMetricsOffsetAttr));
  model.set("metrics_bytes", module->getAttr(kMetricsBytesAttr));
  model.set("predict_scratch", scratch({"predict"}));
  model.set("evaluate_scratch", scratch({"evaluate_step", "metric_results"}));
  model.set("train_scratch", scratch({"train_step", "gradients",
                                      "apply_gradients", "metric_results"}));
  return model.getDictionary(b.getContext());
}

namespace {
struct DescribeModel : PassWrapper<DescribeModel, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(DescribeModel)

  StringRef getArgument() const override { return "buffer-describe-model"; }
  StringRef getDescription() const override {
    return "Collect what the descriptor of the model needs";
  }
  void runOnOperation() override {
    // A module that did not come through the stage describes itself.
    if (!getOperation()->hasAttr(kMemoryAttr) ||
        !getOperation()->hasAttr(kStateAttr))
      return;
    getOperation()->setAttr(kModelAttr, Description(getOperation()).build());
  }
};
} // namespace

std::unique_ptr<Pass> createDescribeModelPass() {
  return std::make_unique<DescribeModel>();
}

} // namespace cornu::buffer
