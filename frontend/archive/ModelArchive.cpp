//===- ModelArchive.cpp - A Keras model in its files ----------------------===//

#include "frontend/archive/ModelArchive.h"

#include "frontend/archive/Legacy.h"
#include "frontend/archive/Zip.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace cornu::frontend;

static constexpr llvm::StringRef kWhatWorks =
    "a model is a .keras archive, a .json of to_json(), or a Keras 2 .h5 file";

static constexpr llvm::StringRef kWeights = "model.weights.h5";
/// What Keras writes without h5py: pickled, so that it refuses its own files.
static constexpr llvm::StringRef kPickledWeights = "model.weights.npz";

static bool isHdf5(llvm::StringRef start) {
  return start.starts_with("\x89HDF\r\n\x1a\n");
}

static bool isJson(llvm::StringRef start) {
  // Some editors begin a text with the byte order mark; the parser skips it.
  start.consume_front("\xEF\xBB\xBF");
  return start.ltrim().starts_with("{");
}

std::unique_ptr<ModelArchive> ModelArchive::read(llvm::StringRef path,
                                                 llvm::StringRef weightsPath,
                                                 Diagnostics &diagnostics) {
  std::unique_ptr<ModelArchive> archive(new ModelArchive);
  archive->path = path.str();
  diagnostics.setFile(path);
  bool ok = false, isKeras = false;
  if (llvm::sys::fs::is_directory(path)) {
    isKeras = true;
    ok = archive->readKerasDirectory(diagnostics);
  } else {
    std::string error;
    std::unique_ptr<llvm::MemoryBuffer> file = readWholeFile(path, error);
    if (!file) {
      diagnostics.error(error, kWhatWorks);
      return nullptr;
    }
    llvm::StringRef start = file->getBuffer().take_front(16);
    isKeras = start.starts_with("PK");
    if (isKeras)
      ok = archive->readKerasZip(diagnostics);
    else if (isHdf5(start))
      ok = archive->readHdf5(diagnostics);
    else if (isJson(start))
      ok = archive->readJsonFile(diagnostics);
    else
      diagnostics.error("neither a ZIP archive, nor HDF5, nor JSON",
                        kWhatWorks);
  }
  if (ok && !weightsPath.empty())
    ok = archive->readWeights(weightsPath, diagnostics);
  // As Keras: a file that lost its weights is no untrained model.
  if (ok && isKeras && !archive->weights) {
    diagnostics.error("the archive has no " + kWeights +
                          (archive->hasNpz ? ", and its model.weights.npz "
                                             "cannot be read, by Keras either"
                                           : ""),
                      "save the model again with model.save(), with h5py "
                      "installed, or give its weights with --weights=FILE; to "
                      "start without any, compile its config.json");
    ok = false;
  }
  if (!ok)
    return nullptr;
  return archive;
}

const Json &ModelArchive::getCompileConfig() const {
  static const Json null;
  // An uncompiled model has an empty object.
  return compile && compile->isObject() && compile->size() ? *compile : null;
}

const Json *ModelArchive::parse(llvm::StringRef text, std::string &error) {
  return document.parse(text, error);
}

bool ModelArchive::setModel(llvm::StringRef text, llvm::StringRef member,
                            Diagnostics &diagnostics) {
  std::string error;
  const Json *root = document.parse(text, error);
  if (!root) {
    diagnostics.error(member + ": " + error);
    return false;
  }
  if (!root->isObject() || !root->at("class_name").isString() ||
      !(root->at("config").isObject() || root->at("config").isArray())) {
    diagnostics.error({}, root,
                      member + ": not a serialized Keras model: class_name "
                               "and config are missing",
                      "write it with model.to_json() or model.save()");
    return false;
  }
  model = normalizeModel(document, *root);
  compile = model->find("compile_config");
  return true;
}

bool ModelArchive::takeWeights(std::unique_ptr<WeightFile> file,
                               llvm::StringRef root) {
  weights = std::move(file);
  positionalRoot = root.str();
  naming = weights->listAttribute(root, "layer_names") ? Naming::Positional
                                                       : Naming::Paths;
  return true;
}

bool ModelArchive::readKerasZip(Diagnostics &diagnostics) {
  ZipReader zip;
  if (std::string error = zip.open(path); !error.empty()) {
    diagnostics.error("the ZIP archive is damaged: " + error);
    return false;
  }
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> config = zip.read("config.json", error);
  if (!config) {
    diagnostics.error(error, kWhatWorks);
    return false;
  }
  if (!setModel(config->getBuffer(), "config.json", diagnostics))
    return false;
  if (zip.has("metadata.json"))
    if (auto text = zip.read("metadata.json", error))
      metadata = text->getBuffer().take_front(1 << 16).str();
  if (zip.has(kWeights)) {
    auto image = zip.read(kWeights, error);
    auto file = image ? openHdf5(std::move(image), kWeights, error) : nullptr;
    if (!file) {
      diagnostics.error(kWeights + ": " + error);
      return false;
    }
    return takeWeights(std::move(file), "");
  }
  hasNpz = zip.has(kPickledWeights);
  return true;
}

bool ModelArchive::readKerasDirectory(Diagnostics &diagnostics) {
  auto memberPath = [&](llvm::StringRef name) {
    llvm::SmallString<128> out(path);
    llvm::sys::path::append(out, name);
    return out.str().str();
  };
  std::string error;
  auto config = readWholeFile(memberPath("config.json"), error);
  if (!config) {
    diagnostics.error("the directory has no readable config.json: " + error,
                      kWhatWorks);
    return false;
  }
  if (!setModel(config->getBuffer(), "config.json", diagnostics))
    return false;
  if (auto text = readWholeFile(memberPath("metadata.json"), error))
    metadata = text->getBuffer().take_front(1 << 16).str();
  std::string weightsFile = memberPath(kWeights);
  hasNpz = llvm::sys::fs::exists(memberPath(kPickledWeights));
  if (!llvm::sys::fs::exists(weightsFile))
    return true;
  auto file = openHdf5(weightsFile, error);
  if (!file) {
    diagnostics.error(kWeights + ": " + error);
    return false;
  }
  return takeWeights(std::move(file), "");
}

bool ModelArchive::readJsonFile(Diagnostics &diagnostics) {
  std::string error;
  auto text = readWholeFile(path, error);
  if (!text) {
    diagnostics.error(error);
    return false;
  }
  return setModel(text->getBuffer(), "the file", diagnostics);
}

bool ModelArchive::readHdf5(Diagnostics &diagnostics) {
  std::string error;
  std::unique_ptr<WeightFile> file = openHdf5(path, error);
  if (!file) {
    diagnostics.error(error);
    return false;
  }
  std::optional<std::string> config = file->attribute("", "model_config");
  if (!config) {
    diagnostics.error("the HDF5 file holds weights but no model_config",
                      "give the model's .json, with --weights=" +
                          llvm::StringRef(path));
    return false;
  }
  if (!setModel(*config, "model_config", diagnostics))
    return false;
  if (auto training = file->attribute("", "training_config")) {
    const Json *root = document.parse(*training, error);
    if (!root) {
      diagnostics.error("training_config: " + error);
      return false;
    }
    compile = normalizeTraining(document, *root);
  }
  return takeWeights(std::move(file), "model_weights");
}

bool ModelArchive::readWeights(llvm::StringRef file, Diagnostics &diagnostics) {
  std::string error;
  auto fail = [&](llvm::StringRef help) {
    diagnostics.error("weights " + file + ": " + error, help);
    return false;
  };
  std::unique_ptr<llvm::MemoryBuffer> content = readWholeFile(file, error);
  if (!content)
    return fail("");
  if (isHdf5(content->getBuffer().take_front(16))) {
    auto opened = openHdf5(file, error);
    if (!opened)
      return fail("");
    bool whole = opened->attribute("", "model_config").has_value();
    return takeWeights(std::move(opened), whole ? "model_weights" : "");
  }
  if (content->getBuffer().starts_with("PK")) {
    ZipReader zip;
    error = zip.open(file);
    auto image = error.empty() ? zip.read(kWeights, error) : nullptr;
    auto opened = image ? openHdf5(std::move(image), file, error) : nullptr;
    return opened ? takeWeights(std::move(opened), "") : fail("");
  }
  auto opened = openSafetensors(file, error);
  if (!opened)
    return fail("weights are .weights.h5, .safetensors, or another .keras");
  weights = std::move(opened);
  naming = Naming::VariablePaths;
  return true;
}
