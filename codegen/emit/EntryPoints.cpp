//===- EntryPoints.cpp - The functions that a C program calls -------------===//
//
//   func.func @predict(%state: memref<?xi8>, %x: memref<?x100xf32>,
//                      %out: memref<?x10xf32>, %scratch: memref<?xi8>)
//
// becomes an internal function that
//
//   int NAME_predict(const void *state, const void *const *inputs,
//                    int64_t batch, void *const *outputs, void *scratch)
//
// calls after it has checked the CPU and the batch; likewise the other entries
// of runtime/include/cornu/model.h. The C functions are compiled for the
// architecture's oldest CPU: the first instruction that a CPU may lack comes
// after the check.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/CpuCheck.h"
#include "codegen/emit/Descriptor.h"
#include "codegen/emit/EntryBuilder.h"
#include "codegen/emit/KernelCalls.h"
#include "codegen/emit/Passes.h"
#include "codegen/emit/SerialRuntime.h"
#include "codegen/emit/Values.h"
#include "dialect/nn/NN.h"

using namespace mlir;

namespace cornu::codegen {

FailureOr<LLVM::LLVMFuncOp> EntryBuilder::buildInitialize() {
  func::FuncOp values = addInitialValues(module, model);
  symbols.insert(values);
  LLVM::LLVMFuncOp function = begin("initialize", {pointer, i64}, -1);
  Value state = function.getArgument(0);
  Value size = constant(model.stateBytes);
  Value zero =
      LLVM::ConstantOp::create(b, loc(), b.getI8Type(), b.getI8IntegerAttr(0));
  LLVM::MemsetOp::create(b, loc(), state, zero, size, /*isVolatile=*/false);
  if (failed(call(values, {state}, {size})))
    return failure();
  if (func::FuncOp initialize = entry("initialize"))
    if (failed(
            call(initialize, {state, function.getArgument(1)}, {size, size})))
      return failure();
  end(function);
  return function;
}

LLVM::LLVMFuncOp EntryBuilder::buildResetMetrics() {
  LLVM::LLVMFuncOp function = begin("reset_metrics", {pointer}, -1);
  if (model.metricsBytes) {
    Value zero = LLVM::ConstantOp::create(b, loc(), b.getI8Type(),
                                          b.getI8IntegerAttr(0));
    LLVM::MemsetOp::create(
        b, loc(),
        offset(function.getArgument(0), constant(model.metricsOffset)), zero,
        constant(model.metricsBytes), /*isVolatile=*/false);
  }
  end(function);
  return function;
}

FailureOr<LLVM::LLVMFuncOp> EntryBuilder::buildPredict() {
  func::FuncOp predict = entry("predict");
  if (!predict)
    return module.emitError("has no entry function @predict");
  LLVM::LLVMFuncOp function =
      begin("predict", {pointer, pointer, i64, pointer, pointer}, 2);
  Value batch = function.getArgument(2);
  SmallVector<Value> samples;
  for (size_t i = 0; i < model.inputs.size(); ++i)
    samples.push_back(element(function.getArgument(1), i));
  for (size_t i = 0; i < model.outputs.size(); ++i)
    samples.push_back(element(function.getArgument(3), i));
  auto part = [&](Value first, Value count) -> LogicalResult {
    SmallVector<Value> pointers = {function.getArgument(0)};
    SmallVector<Value> sizes = {constant(model.stateBytes)};
    for (auto [i, address] : llvm::enumerate(samples)) {
      const ModelTensor &tensor = i < model.inputs.size()
                                      ? model.inputs[i]
                                      : model.outputs[i - model.inputs.size()];
      int64_t bytes = tensor.elements() * int64_t(bytesOf(tensor.dtype));
      pointers.push_back(
          first ? offset(address,
                         LLVM::MulOp::create(b, loc(), first, constant(bytes)))
                : address);
      sizes.push_back(count);
    }
    pointers.push_back(function.getArgument(4));
    sizes.push_back(scratchSize(model.predictScratch, count));
    return call(predict, pointers, sizes);
  };
  uint64_t most = model.predictScratch.most_samples;
  if (most == 0) {
    if (failed(part(Value(), batch)))
      return failure();
    end(function);
    return function;
  }
  // Parts of equal size, but for the last.
  auto divideCeil = [&](Value a, Value by) -> Value {
    Value more = LLVM::AddOp::create(
        b, loc(), a, LLVM::SubOp::create(b, loc(), by, constant(1)));
    return LLVM::UDivOp::create(b, loc(), more, by);
  };
  Value size = divideCeil(batch, divideCeil(batch, constant(most)));
  auto loop = scf::ForOp::create(b, loc(), constant(0), batch, size);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value first = loop.getInductionVar();
    Value left = LLVM::SubOp::create(b, loc(), batch, first);
    if (failed(part(first, LLVM::UMinOp::create(b, loc(), size, left))))
      return failure();
  }
  end(function);
  return function;
}

LogicalResult EntryBuilder::reportMetrics(Value state, Value metrics,
                                          Value scratch, Value scratchBytes) {
  func::FuncOp results = entry("metric_results");
  if (!results)
    return success();
  Value wanted = LLVM::XOrOp::create(
      b, loc(), isNull(metrics),
      LLVM::ConstantOp::create(b, loc(), b.getI1Type(), b.getBoolAttr(true)));
  auto report = scf::IfOp::create(b, loc(), wanted, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(report.thenBlock());
  SmallVector<Value> pointers = {state};
  SmallVector<Value> sizes = {constant(model.stateBytes)};
  for (size_t i = 0; i < model.metricNames.size(); ++i) {
    pointers.push_back(offset(metrics, constant(i * sizeof(float))));
    sizes.push_back(constant(1));
  }
  pointers.push_back(scratch);
  sizes.push_back(scratchBytes);
  return call(results, pointers, sizes);
}

FailureOr<LLVM::LLVMFuncOp>
EntryBuilder::buildStep(StringRef name, const cornu_scratch &scratch) {
  func::FuncOp step = entry(name);
  if (!step)
    return LLVM::LLVMFuncOp();
  bool gradients = name == "gradients";
  SmallVector<Type> types = {pointer, pointer, pointer, i64};
  types.append(gradients ? 3 : 2, pointer);
  LLVM::LLVMFuncOp function = begin(name, types, 3);
  Value state = function.getArgument(0), inputs = function.getArgument(1),
        targets = function.getArgument(2), batch = function.getArgument(3),
        metrics = function.getArgument(gradients ? 5 : 4),
        block = function.getArguments().back();

  // [ ones: batch floats, padded | the entry's scratch ]
  Value padded = LLVM::AndOp::create(
      b, loc(),
      LLVM::AddOp::create(
          b, loc(),
          LLVM::MulOp::create(b, loc(), batch, constant(sizeof(float))),
          constant(CORNU_ALIGNMENT - 1)),
      constant(-int64_t(CORNU_ALIGNMENT)));
  Value ownScratch = offset(block, padded);

  SmallVector<Value> pointers = {state};
  SmallVector<Value> sizes = {constant(model.stateBytes)};
  size_t numTargets = model.targets.size();
  for (size_t i = 0; i < model.inputs.size(); ++i)
    pointers.push_back(element(inputs, i));
  for (size_t i = 0; i < numTargets; ++i)
    pointers.push_back(element(targets, i));
  Value anyAbsent;
  for (size_t i = 0; i < numTargets; ++i) {
    Value given = element(targets, numTargets + i);
    Value absent = isNull(given);
    anyAbsent = anyAbsent
                    ? LLVM::OrOp::create(b, loc(), anyAbsent, absent).getRes()
                    : absent;
    pointers.push_back(LLVM::SelectOp::create(b, loc(), absent, block, given));
  }
  if (anyAbsent) {
    auto fill =
        scf::IfOp::create(b, loc(), anyAbsent, /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(fill.thenBlock());
    Value one = LLVM::ConstantOp::create(b, loc(), b.getF32Type(),
                                         b.getF32FloatAttr(1));
    scf::ForOp::create(b, loc(), constant(0), batch, constant(1), ValueRange{},
                       [&](OpBuilder &b, Location loc, Value i, ValueRange) {
                         Value address = LLVM::GEPOp::create(
                             b, loc, pointer, b.getF32Type(), block,
                             ArrayRef<LLVM::GEPArg>{i});
                         LLVM::StoreOp::create(b, loc, one, address);
                         scf::YieldOp::create(b, loc);
                       });
  }
  sizes.append(pointers.size() - 1, batch);
  if (gradients && hasGradients()) {
    pointers.push_back(function.getArgument(4));
    sizes.push_back(constant(model.gradientBytes));
  }
  pointers.push_back(ownScratch);
  sizes.push_back(scratchSize(scratch, batch));
  if (failed(call(step, pointers, sizes)) ||
      failed(reportMetrics(state, metrics, ownScratch, sizes.back())))
    return failure();
  end(function);
  return function;
}

FailureOr<LLVM::LLVMFuncOp> EntryBuilder::buildApplyGradients() {
  func::FuncOp apply = entry("apply_gradients");
  if (!apply)
    return LLVM::LLVMFuncOp();
  LLVM::LLVMFuncOp function =
      begin("apply_gradients", {pointer, pointer, pointer}, -1);
  SmallVector<Value> pointers = {function.getArgument(0)};
  SmallVector<Value> sizes = {constant(model.stateBytes)};
  if (hasGradients()) {
    pointers.push_back(function.getArgument(1));
    sizes.push_back(constant(model.gradientBytes));
  }
  pointers.push_back(function.getArgument(2));
  sizes.push_back(constant(model.trainScratch.fixed));
  if (failed(call(apply, pointers, sizes)))
    return failure();
  end(function);
  return function;
}

FailureOr<LLVM::LLVMFuncOp> EntryBuilder::buildMetricResults() {
  if (!entry("metric_results"))
    return LLVM::LLVMFuncOp();
  LLVM::LLVMFuncOp function =
      begin("metric_results", {pointer, pointer, pointer}, -1);
  if (failed(reportMetrics(function.getArgument(0), function.getArgument(1),
                           function.getArgument(2),
                           constant(model.evaluateScratch.fixed))))
    return failure();
  end(function);
  return function;
}

LogicalResult EntryBuilder::build(const ProfileTable *profile) {
  cpuCheck = addCpuCheck(module, target);
  EntryFunctions entries;
  auto take = [](LLVM::LLVMFuncOp &into, FailureOr<LLVM::LLVMFuncOp> built) {
    if (succeeded(built))
      into = *built;
    return succeeded(built);
  };
  if (!take(entries.initialize, buildInitialize()) ||
      !take(entries.predict, buildPredict()) ||
      !take(entries.evaluateStep,
            buildStep("evaluate_step", model.evaluateScratch)) ||
      !take(entries.trainStep, buildStep("train_step", model.trainScratch)) ||
      !take(entries.gradients, buildStep("gradients", model.trainScratch)) ||
      !take(entries.applyGradients, buildApplyGradients()) ||
      !take(entries.metricResults, buildMetricResults()))
    return failure();
  if (entries.evaluateStep)
    entries.resetMetrics = buildResetMetrics();
  addSerialRuntime(module, target);
  addDescriptor(module, model, entries, profile);
  // Nothing else is seen from outside: LLVM drops it where it is not used.
  auto internal =
      LLVM::LinkageAttr::get(b.getContext(), LLVM::Linkage::Internal);
  for (auto function : module.getOps<func::FuncOp>()) {
    function.setPrivate();
    if (!function.isExternal())
      function->setAttr("llvm.linkage", internal);
  }
  return success();
}

namespace {
struct EntryPoints : PassWrapper<EntryPoints, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(EntryPoints)
  EntryPoints() = default;
  EntryPoints(const EntryPoints &other) : PassWrapper(other) {}
  explicit EntryPoints(bool profile) { this->profile = profile; }
  StringRef getArgument() const override { return "codegen-entry-points"; }
  StringRef getDescription() const override {
    return "Add the C interface: entry points and the model's descriptor";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect, scf::SCFDialect, func::FuncDialect,
                    memref::MemRefDialect, arith::ArithDialect>();
  }
  void runOnOperation() override {
    ModuleOp module = getOperation();
    // Kernels alone have no C interface.
    if (!module->hasAttr(modelAttrName))
      return;
    auto model = ModelDescriptor::read(module);
    std::optional<ProfileTable> table;
    if (profile)
      table = addProfileHook(module);
    if (failed(model) ||
        failed(EntryBuilder(module, *model).build(table ? &*table : nullptr)))
      return signalPassFailure();
    dropVariables(module);
    dropKernelNotes(module);
  }

  /// What the descriptor and the globals hold now.
  static void dropVariables(ModuleOp module) {
    for (auto variable :
         llvm::make_early_inc_range(module.getOps<nn::VariableOp>()))
      variable.erase();
    module->removeAttr("cornu.state");
    auto attr = module->getAttrOfType<DictionaryAttr>(modelAttrName);
    auto variables = attr.getAs<ArrayAttr>("variables");
    if (!variables)
      return;
    SmallVector<Attribute> stripped;
    for (Attribute variable : variables) {
      NamedAttrList members(cast<DictionaryAttr>(variable));
      members.erase("value");
      stripped.push_back(members.getDictionary(module.getContext()));
    }
    NamedAttrList members(attr);
    members.set("variables", ArrayAttr::get(module.getContext(), stripped));
    module->setAttr(modelAttrName, members.getDictionary(module.getContext()));
  }

  Option<bool> profile{*this, "profile",
                       llvm::cl::desc("Entries call a hook before kernels"),
                       llvm::cl::init(false)};
};

} // namespace

std::unique_ptr<Pass> createEntryPointsPass(bool profile) {
  return std::make_unique<EntryPoints>(profile);
}

} // namespace cornu::codegen
