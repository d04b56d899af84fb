//===- Registry.cpp - The table of layers ---------------------------------===//

#include "frontend/import/Layer.h"
#include "frontend/import/ModelBuilder.h"
#include "llvm/Support/raw_ostream.h"

using namespace cornu::frontend;

const Registry &Registry::get() {
  static const Registry registry = [] {
    Registry r;
    registerModels(r);
    registerCore(r);
    registerActivations(r);
    registerConvolution(r);
    registerPooling(r);
    registerNormalization(r);
    registerRecurrent(r);
    registerRecurrentWrappers(r);
    registerAttention(r);
    registerMerging(r);
    registerReshaping(r);
    registerRegularization(r);
    registerPreprocessing(r);
    return r;
  }();
  return registry;
}

void Registry::alias(llvm::StringRef name, llvm::StringRef className) {
  aliases[name] = className.str();
}

const LayerEntry *Registry::find(llvm::StringRef className) const {
  auto it = aliases.find(className);
  llvm::StringRef wanted = it == aliases.end() ? className : it->second;
  for (const LayerEntry &entry : entries)
    if (entry.className == wanted)
      return &entry;
  return nullptr;
}

// Why some classes of Keras cannot be compiled, and what to do instead.
static constexpr struct {
  llvm::StringRef className;
  llvm::StringRef reason;
  llvm::StringRef help;
} kRefused[] = {
    {"Lambda", "holds Python code, which cannot be compiled",
     "write the same with keras.ops, which are stored as operations"},
    {"JaxLayer", "holds foreign code", "write it with Keras layers"},
    {"FlaxLayer", "holds foreign code", "write it with Keras layers"},
    {"TFSMLayer", "holds foreign code", "write it with Keras layers"},
    {"TorchModuleWrapper", "holds foreign code", "write it with Keras layers"},
    {"StringLookup", "works on strings",
     "look the strings up before the model and give it indices"},
    {"IntegerLookup", "needs TensorFlow's hash tables",
     "map the integers before the model and give it indices"},
    {"TextVectorization", "works on strings",
     "vectorize the text before the model and give it token indices"},
    {"Hashing", "needs TensorFlow's hash functions",
     "hash before the model and give it indices"},
    {"HashedCrossing", "needs TensorFlow's hash functions",
     "cross the features before the model and give it indices"},
};

void Registry::reportUnknown(const Json &layer, llvm::StringRef path,
                             Diagnostics &diagnostics) const {
  llvm::StringRef className = layer.at("class_name").str();
  for (const auto &refused : kRefused)
    if (refused.className == className) {
      diagnostics.error(path, &layer, className + ": " + refused.reason,
                        refused.help);
      return;
    }
  llvm::StringRef registered = layer.at("registered_name").str();
  if (registered.contains('>')) {
    diagnostics.error(path, &layer,
                      "the custom layer " + registered +
                          " is Python code, which cannot be compiled",
                      "build it from Keras layers and keras.ops in a "
                      "Functional model");
    return;
  }
  llvm::SmallVector<llvm::StringRef> names;
  for (const LayerEntry &entry : entries)
    names.push_back(entry.className);
  llvm::StringRef best = nearestName(className, names);
  diagnostics.error(path, &layer,
                    "the layer class '" + className + "' is not supported",
                    best.empty() ? llvm::Twine("`cornu summary --help` names "
                                               "the supported layers")
                                 : llvm::Twine("did you mean ") + best + "?");
}
