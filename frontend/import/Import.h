//===- Import.h - A Keras model as nn IR ------------------------*- C++ -*-===//
//
// The frontend's one entry: from the files of a model to a module of nn ops.
//
//   frontend::Diagnostics diagnostics;
//   auto archive = frontend::ModelArchive::read("m.keras", "", diagnostics);
//   std::optional<frontend::ImportedModel> model =
//       frontend::importModel(context, *archive, {}, diagnostics);
//
// The module holds a variable for each weight and four functions:
//
//   @forward(inputs) -> (outputs, hidden)       hidden: masks and activity
//                                               losses that @loss needs
//   @loss(outputs, targets, sample weights, hidden) -> scalar
//   @metrics(loss, outputs, targets, sample weights, hidden)
//   @metric_results() -> (loss, then the metrics, by name)
//
// Every problem of the model is in the diagnostics, not only the first.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_IMPORT_IMPORT_H
#define CORNU_FRONTEND_IMPORT_IMPORT_H

#include "dialect/nn/NN.h"
#include "frontend/archive/ModelArchive.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <optional>
#include <string>
#include <vector>

namespace cornu::frontend {

struct ImportOptions {
  // Keras names ("adam", "mse") or JSON; each replaces what the model was
  // compiled with. `metrics` may also be names separated by commas.
  std::string optimizer;
  std::string loss;
  std::string metrics;
  /// Leave out the loss, the metrics and the optimizer.
  bool inferenceOnly = false;
};

/// A row of `cornu summary`: a layer of the outermost model.
struct LayerRow {
  std::string name;
  std::string className;
  std::vector<std::vector<int64_t>> outputShapes; // -1 is the batch
  int64_t parameters = 0;
  int64_t trainableParameters = 0;
  std::vector<std::string> inputs; // names of the layers it reads
};

/// A variable and where the archive keeps it.
struct ImportedVariable {
  std::string path;      // dense/kernel
  std::string group;     // layers/dense/vars
  unsigned index = 0;    // the dataset in the group: "0", "1", ...
  std::string groupName; // the name of the layer
  std::vector<int64_t> shape;
  DType type = DType::F32;
  nn::VariableKind kind = nn::VariableKind::trainable;
};

struct ImportedModel {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::string name;
  std::string className;
  std::vector<LayerRow> layers;
  /// Weights in Keras's order, trainable ones first, then the optimizer's.
  std::vector<ImportedVariable> variables;
};

/// Nothing, with diagnostics, if the model cannot be imported.
std::optional<ImportedModel> importModel(mlir::MLIRContext &context,
                                         ModelArchive &archive,
                                         const ImportOptions &options,
                                         Diagnostics &diagnostics);

/// Writes the archive's model as a .keras file with the weights of a
/// safetensors file: `cornu weights`. False with diagnostics on an error. The
/// bytes go to `temporary` if the caller will rename that to `output`.
bool exportWeights(mlir::MLIRContext &context, ModelArchive &archive,
                   llvm::StringRef safetensors, llvm::StringRef output,
                   Diagnostics &diagnostics, llvm::StringRef temporary = {});

/// The README's tables of supported layers, activations, losses, metrics,
/// optimizers and operations, in Markdown.
std::string supportedTables();

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_IMPORT_H
