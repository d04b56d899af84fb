//===- ExportWeights.cpp - Trained weights go back to Keras ---------------===//

#include "frontend/import/Import.h"

#include "llvm/ADT/StringSet.h"

using namespace cornu;
using namespace cornu::frontend;

// The datasets of a .keras file, from the tensors named by variable paths.
static std::vector<Hdf5Dataset> collectDatasets(const ImportedModel &model,
                                                WeightFile &weights,
                                                Diagnostics &diagnostics) {
  std::vector<Hdf5Dataset> datasets;
  bool hasState = weights.find("optimizer/iteration");
  for (const ImportedVariable &variable : model.variables) {
    bool optimizer = variable.kind == nn::VariableKind::optimizer;
    // Without optimizer state in the file, Keras starts with fresh slots.
    if (optimizer && !hasState)
      continue;
    const WeightEntry *entry = weights.find(variable.path);
    if (!entry) {
      diagnostics.error(variable.path, nullptr, "the file has no such tensor",
                        "give the weights that a program compiled from this "
                        "model has written");
      continue;
    }
    if (!std::equal(entry->shape.begin(), entry->shape.end(),
                    variable.shape.begin(), variable.shape.end())) {
      diagnostics.error(variable.path, nullptr,
                        "the tensor has shape " + formatShape(entry->shape) +
                            ", the model needs " + formatShape(variable.shape));
      continue;
    }
    Hdf5Dataset dataset;
    dataset.group = variable.group;
    dataset.key = std::to_string(variable.index);
    dataset.groupName = variable.groupName;
    dataset.type = variable.type;
    dataset.shape.assign(variable.shape.begin(), variable.shape.end());
    std::optional<int64_t> count = countElements(dataset.shape);
    dataset.bytes.resize(static_cast<size_t>(*count) * sizeOf(dataset.type));
    std::string error = weights.read(*entry, dataset.type, dataset.bytes);
    if (!error.empty())
      diagnostics.error(variable.path, nullptr, error);
    datasets.push_back(std::move(dataset));
  }
  return datasets;
}

bool cornu::frontend::exportWeights(mlir::MLIRContext &context,
                                    ModelArchive &archive,
                                    llvm::StringRef safetensors,
                                    llvm::StringRef output,
                                    Diagnostics &diagnostics,
                                    llvm::StringRef temporary) {
  std::optional<ImportedModel> model =
      importModel(context, archive, {}, diagnostics);
  if (!model)
    return false;
  // What follows is about the weights, then about the new file.
  std::string error;
  diagnostics.setFile(safetensors);
  std::unique_ptr<WeightFile> weights = openSafetensors(safetensors, error);
  if (!weights) {
    diagnostics.error(error, "give the .safetensors file that a program "
                             "compiled from this model has written");
    return false;
  }
  std::vector<Hdf5Dataset> datasets =
      collectDatasets(*model, *weights, diagnostics);
  if (diagnostics.hasErrors())
    return false;
  diagnostics.setFile(output);
  error = writeKeras(temporary.empty() ? output : temporary, archive, datasets);
  if (!error.empty())
    diagnostics.error(error);
  return error.empty();
}
