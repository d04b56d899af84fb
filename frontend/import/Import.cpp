//===- Import.cpp - A Keras model as nn IR --------------------------------===//

#include "frontend/import/Import.h"

#include "frontend/import/Training.h"
#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

namespace {

/// The import in its steps.
class Importer {
public:
  Importer(MLIRContext &context, ModelArchive &archive,
           const ImportOptions &options, Diagnostics &diagnostics)
      : model(context, archive, options, diagnostics),
        root(archive.getModel()) {}
  std::optional<ImportedModel> run();

private:
  bool checkRoot();
  bool buildForward();
  void finishForward(func::FuncOp forward, ArrayRef<Tensor> results);
  void emitVariables();
  void record(const Variable &variable);

  ModelBuilder model;
  const Json &root;
  ImportedModel result;
  SmallVector<ModelInput> inputs;
  SmallVector<Output> outputs;
};

} // namespace

bool Importer::checkRoot() {
  StringRef className = root.at("class_name").str();
  if (className == "Sequential" || className == "Functional" ||
      className == "Model")
    return true;
  model.diagnostics.error(
      {}, &root.at("class_name"),
      "the model is a " + className +
          ": the code of a subclassed model is not stored in the file",
      "build it with keras.Sequential or the Functional API");
  return false;
}

bool Importer::buildForward() {
  OpBuilder &b = model.builder;
  SmallVector<Type> types;
  for (const ModelInput &input : inputs)
    types.push_back(RankedTensorType::get(input.shape, input.type));
  b.setInsertionPointToEnd(model.module->getBody());
  auto forward = func::FuncOp::create(b, model.locationOf("forward"), "forward",
                                      b.getFunctionType(types, {}));
  Block *entry = forward.addEntryBlock();
  b.setInsertionPointToStart(entry);
  Arguments arguments;
  Argument list;
  list.kind = Argument::Kind::List;
  for (auto [i, input] : llvm::enumerate(inputs)) {
    forward.setArgAttr(i, "nn.name", b.getStringAttr(input.name));
    list.items.push_back(Argument::of({entry->getArgument(i), {}}));
  }
  arguments.positional.push_back(list);
  std::vector<Tensor> results =
      callLayer(model, root, Scope(), std::move(arguments));
  if (results.empty() && !model.diagnostics.hasErrors())
    model.diagnostics.error({}, &root, "the model has no outputs");
  if (model.diagnostics.hasErrors())
    return false;
  finishForward(forward, results);
  return true;
}

// Returns the outputs, then the masks and activity losses that @loss needs.
void Importer::finishForward(func::FuncOp forward, ArrayRef<Tensor> results) {
  OpBuilder &b = model.builder;
  std::vector<std::string> names = outputNames(root);
  bool training = hasLoss(model);
  SmallVector<Value> values, hidden;
  for (auto [i, tensor] : llvm::enumerate(results)) {
    Output output;
    output.name = i < names.size() ? names[i] : "output_" + std::to_string(i);
    output.type = nn::tensorType(tensor.value);
    output.hasMask = training && tensor.mask;
    outputs.push_back(output);
    values.push_back(tensor.value);
    if (output.hasMask)
      hidden.push_back(tensor.mask);
  }
  if (training)
    llvm::append_range(hidden, model.activityLosses);
  for (Value value : hidden)
    model.hiddenTypes.push_back(value.getType());
  size_t visible = values.size();
  llvm::append_range(values, hidden);
  func::ReturnOp::create(b, forward.getLoc(), values);
  forward.setFunctionType(b.getFunctionType(
      forward.getFunctionType().getInputs(), ValueRange(values).getTypes()));
  for (auto [i, output] : llvm::enumerate(outputs))
    forward.setResultAttr(i, "nn.name", b.getStringAttr(output.name));
  for (size_t i = visible; i < values.size(); ++i)
    forward.setResultAttr(i, "nn.hidden", b.getUnitAttr());
}

void Importer::record(const Variable &variable) {
  ImportedVariable out;
  out.path = variable.path;
  out.group = variable.group;
  out.index = variable.index;
  out.groupName = variable.ownerName;
  out.shape.assign(variable.shape.begin(), variable.shape.end());
  out.type = storageType(variable.type).value_or(DType::F32);
  out.kind = variable.kind;
  result.variables.push_back(std::move(out));
}

void Importer::emitVariables() {
  OpBuilder &b = model.builder;
  b.setInsertionPointToStart(model.module->getBody());
  auto emit = [&](const Variable &variable) {
    StringRef owner = variable.path;
    auto op = nn::VariableOp::create(
        b, model.locationOf(owner.substr(0, owner.rfind('/'))), variable.kind,
        variable.path, RankedTensorType::get(variable.shape, variable.type),
        variable.value,
        variable.value ? DictionaryAttr() : variable.initializer, StringAttr());
    // A new model may be drawn again although it has values.
    if (variable.value && variable.initializer)
      op.setInitializerAttr(variable.initializer);
    if (variable.constraint)
      op->setAttr("nn.constraint", variable.constraint);
  };
  for (Variable *variable : model.sortedVariables()) {
    emit(*variable);
    record(*variable);
  }
  for (auto &variable : model.states) {
    bool optimizer = variable->kind == nn::VariableKind::optimizer;
    if (optimizer)
      record(*variable);
    // The optimizer makes the slots for which the archive has no values.
    if (!optimizer || variable->value)
      emit(*variable);
  }
  if (model.usesRandom()) {
    Variable random;
    random.path = "random/state";
    random.shape = {4};
    random.type = b.getI32Type();
    random.kind = nn::VariableKind::random;
    emit(random);
  }
}

std::optional<ImportedModel> Importer::run() {
  if (!checkRoot())
    return std::nullopt;
  checkClasses(model, root, "");
  findSharedLayers(model, root, Scope());
  bool built = modelInputs(model, root, inputs) && buildForward();
  // What is wrong with the training is reported beside the layers' problems.
  if (hasLoss(model)) {
    if (built)
      buildTraining(model, outputs);
    else
      checkTrainingNames(model);
    importOptimizer(model);
  }
  if (!model.diagnostics.hasErrors())
    loadWeights(model);
  if (model.diagnostics.hasErrors())
    return std::nullopt;
  emitVariables();
  summarizeLayers(model, root, result);
  result.name = root.at("config").at("name").str().str();
  result.className = root.at("class_name").str().str();
  model.module->setSymName(result.name.empty() ? "model" : result.name);

  // What verification finds is a fault of the importer, not of the model, but
  // the user must not lose the message.
  std::string messages;
  ScopedDiagnosticHandler handler(&model.context,
                                  [&](mlir::Diagnostic &diagnostic) {
                                    messages += diagnostic.str() + "; ";
                                    return success();
                                  });
  if (failed(verify(*model.module))) {
    model.diagnostics.error("internal error of the importer: " + messages,
                            "please report this model");
    return std::nullopt;
  }
  result.module = std::move(model.module);
  return std::move(result);
}

std::optional<ImportedModel>
cornu::frontend::importModel(MLIRContext &context, ModelArchive &archive,
                             const ImportOptions &options,
                             Diagnostics &diagnostics) {
  context.loadDialect<nn::NNDialect, func::FuncDialect>();
  return Importer(context, archive, options, diagnostics).run();
}
