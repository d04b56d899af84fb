//===- ModelArchive.h - A Keras model in its files --------------*- C++ -*-===//
//
// One value for all the ways in which Keras stores a model: the configuration
// tree in Keras 3 form, what the model was compiled with, and the weights.
//
//   Diagnostics diagnostics("m.keras");
//   std::unique_ptr<ModelArchive> archive =
//       ModelArchive::read("m.keras", /*weightsPath=*/"", diagnostics);
//   archive->getModel().at("class_name").str()     // "Functional"
//
//   .keras              ZIP or directory: config.json, model.weights.h5
//   .json               to_json(), weights beside it or none
//   .h5                 Keras 2: model_config, training_config, model_weights
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_ARCHIVE_MODELARCHIVE_H
#define CORNU_FRONTEND_ARCHIVE_MODELARCHIVE_H

#include "frontend/archive/Diagnostics.h"
#include "frontend/archive/Json.h"
#include "frontend/archive/WeightFile.h"
#include <memory>
#include <string>

namespace cornu::frontend {

class ModelArchive {
public:
  /// How a weight file names its tensors.
  enum class Naming {
    None,          // no weights: a new model
    Paths,         // Keras 3: layers/dense/vars/0
    Positional,    // Keras 2: layer by layer in the order of model.layers
    VariablePaths, // safetensors: dense/kernel
  };

  /// Reads a model. `weightsPath` may be empty; if given, it replaces the
  /// archive's own weights, which a .keras without it must have. Null with
  /// diagnostics on an error.
  static std::unique_ptr<ModelArchive> read(llvm::StringRef path,
                                            llvm::StringRef weightsPath,
                                            Diagnostics &diagnostics);

  llvm::StringRef getPath() const { return path; }
  /// The serialized model object: class_name, config, ...
  const Json &getModel() const { return *model; }
  /// What compile() was given (optimizer, loss, metrics, ...); the null node if
  /// the model was not compiled.
  const Json &getCompileConfig() const;

  Naming getNaming() const { return naming; }
  /// Null if naming is None.
  WeightFile *getWeights() const { return weights.get(); }
  /// The group that holds `layer_names` of positional weights: "model_weights"
  /// or "" for a file of weights only.
  llvm::StringRef getPositionalRoot() const { return positionalRoot; }

  /// Text of metadata.json, "" if the model has none.
  llvm::StringRef getMetadata() const { return metadata; }

  /// Parses a further configuration (a command line option) into nodes that
  /// live as long as the archive.
  const Json *parse(llvm::StringRef text, std::string &error);
  JsonDocument &getDocument() { return document; }

private:
  /// Both succeed without weights, which `weights` then is not.
  bool readKerasZip(Diagnostics &diagnostics);
  bool readKerasDirectory(Diagnostics &diagnostics);
  bool readJsonFile(Diagnostics &diagnostics);
  bool readHdf5(Diagnostics &diagnostics);
  bool setModel(llvm::StringRef text, llvm::StringRef member,
                Diagnostics &diagnostics);
  bool readWeights(llvm::StringRef file, Diagnostics &diagnostics);
  bool takeWeights(std::unique_ptr<WeightFile> file, llvm::StringRef root);

  std::string path;
  JsonDocument document;
  const Json *model = nullptr;
  const Json *compile = nullptr;
  std::string metadata;
  std::unique_ptr<WeightFile> weights;
  Naming naming = Naming::None;
  bool hasNpz = false; // of a .keras, beside or instead of its weights
  std::string positionalRoot;
};

/// Writes `archive` as a .keras file with the given weights: config and
/// metadata are kept, the model's other files too. Returns the error, "" on
/// success; there is never half a file.
std::string writeKeras(llvm::StringRef path, const ModelArchive &archive,
                       llvm::ArrayRef<Hdf5Dataset> datasets);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_ARCHIVE_MODELARCHIVE_H
