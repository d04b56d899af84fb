//===- Weights.cpp - Values of the archive for the variables --------------===//
//
// Three ways to find a tensor: by the path of Keras 3 (layers/dense/vars/0),
// by the variable's own path (safetensors), or by position (Keras 2: layers
// with weights in the order of the model, their weights trainable ones first).
//
//===----------------------------------------------------------------------===//

#include "frontend/import/ModelBuilder.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

std::optional<DType> cornu::frontend::storageType(Type type) {
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isInteger(32))
    return DType::I32;
  if (type.isInteger(64))
    return DType::I64;
  return std::nullopt;
}

ElementsAttr cornu::frontend::readValue(ModelBuilder &model, WeightFile &file,
                                        const WeightEntry &entry,
                                        const Variable &variable) {
  if (Shape(entry.shape) != variable.shape) {
    model.diagnostics.error(
        variable.path, nullptr,
        "the weights have shape " + formatShape(entry.shape) + " in " +
            file.getFile() + " ('" + entry.name + "'), the model needs " +
            formatShape(variable.shape),
        "give the weights that belong to this model");
    return {};
  }
  std::optional<DType> type = storageType(variable.type);
  int64_t count = *countElements(variable.shape);
  auto tensor = RankedTensorType::get(variable.shape, variable.type);
  size_t bytes = static_cast<size_t>(count) * sizeOf(*type);
  AsmResourceBlob blob = HeapAsmResourceBlob::allocate(bytes, 64);
  std::string error =
      file.read(entry, *type, {blob.getMutableData().data(), bytes});
  if (!error.empty()) {
    model.diagnostics.error(variable.path, nullptr, error);
    return {};
  }
  // A few numbers are better read as such.
  if (count <= 16)
    return DenseElementsAttr::getFromRawBuffer(
        tensor, ArrayRef<char>(blob.getMutableData().data(), bytes));
  std::string name = variable.path;
  for (char &c : name)
    if (!llvm::isAlnum(c))
      c = '_';
  return DenseResourceElementsAttr::get(tensor, name, std::move(blob));
}

// Keras 3.x files of different ages: attribute names of attention layers once
// had a leading underscore.
static const WeightEntry *findByPath(WeightFile &file, Variable &variable) {
  std::string index = "/" + std::to_string(variable.index);
  if (const WeightEntry *entry = file.find(variable.group + index))
    return entry;
  for (StringRef part : {"query_dense", "key_dense", "value_dense",
                         "output_dense", "gate_dense"}) {
    size_t at = variable.group.find(("/" + part).str());
    if (at == std::string::npos)
      continue;
    std::string group = variable.group;
    group.insert(at + 1, "_");
    if (const WeightEntry *entry = file.find(group + index)) {
      variable.group = group; // trained weights go back to where they were
      return entry;
    }
  }
  return nullptr;
}

static void loadByPath(ModelBuilder &model, WeightFile &file) {
  bool variablePaths =
      model.archive.getNaming() == ModelArchive::Naming::VariablePaths;
  for (auto &variable : model.variables) {
    const WeightEntry *entry =
        variablePaths ? file.find(variable->path) : findByPath(file, *variable);
    if (entry) {
      variable->value = readValue(model, file, *entry, *variable);
      continue;
    }
    std::string wanted =
        variablePaths ? variable->path
                      : variable->group + "/" + std::to_string(variable->index);
    model.diagnostics.error(variable->path, nullptr,
                            "the weights are missing: " + file.getFile() +
                                " has no '" + wanted + "'",
                            "give the weights that belong to this model");
  }
}

static void loadByPosition(ModelBuilder &model, WeightFile &file) {
  StringRef root = model.archive.getPositionalRoot();
  auto inRoot = [&](StringRef name) {
    return root.empty() ? name.str() : (root + "/" + name).str();
  };
  auto layerNames = file.listAttribute(root, "layer_names");
  std::vector<std::pair<std::string, std::vector<std::string>>> stored;
  for (const std::string &name : *layerNames) {
    auto weights = file.listAttribute(inRoot(name), "weight_names");
    if (weights && !weights->empty())
      stored.push_back({inRoot(name), *weights});
  }
  // The variables of each layer of the outermost model, in Keras's order.
  std::map<unsigned, std::vector<Variable *>> layers;
  for (bool trainable : {true, false})
    for (auto &variable : model.variables)
      if (variable->trainableWeight == trainable)
        layers[variable->order.empty() ? 0 : variable->order[0]].push_back(
            variable.get());
  for (auto &[index, variables] : layers)
    llvm::sort(variables, [](Variable *a, Variable *b) {
      if (a->trainableWeight != b->trainableWeight)
        return a->trainableWeight;
      return comesBefore(*a, *b);
    });
  if (stored.size() != layers.size()) {
    model.diagnostics.error("the weights in " + file.getFile() + " are of " +
                                Twine(stored.size()) +
                                " layers, the model has " +
                                Twine(layers.size()) + " layers with weights",
                            "give the weights that belong to this model");
    return;
  }
  size_t position = 0;
  for (auto &[index, variables] : layers) {
    auto &[group, names] = stored[position++];
    if (names.size() != variables.size()) {
      model.diagnostics.error(variables[0]->path, nullptr,
                              "the layer's weights number " +
                                  Twine(names.size()) + " in " +
                                  file.getFile() + " and " +
                                  Twine(variables.size()) + " in the model");
      continue;
    }
    for (auto [variable, name] : llvm::zip(variables, names)) {
      const WeightEntry *entry = file.find(group + "/" + name);
      if (!entry) {
        model.diagnostics.error(variable->path, nullptr,
                                "the weights are missing: " + file.getFile() +
                                    " has no '" + group + "/" + name + "'");
        continue;
      }
      variable->value = readValue(model, file, *entry, *variable);
    }
  }
}

void cornu::frontend::loadWeights(ModelBuilder &model) {
  WeightFile *file = model.archive.getWeights();
  if (!file)
    return;
  if (model.archive.getNaming() == ModelArchive::Naming::Positional)
    loadByPosition(model, *file);
  else
    loadByPath(model, *file);
}
