//===- Layer.h - What a layer importer sees ---------------------*- C++ -*-===//
//
// A layer importer is a function that turns one call of a layer into nn ops:
//
//   static void importDense(LayerCall &call) {
//     int64_t units = call.integer("units");
//     Value x = call.input();
//     Value kernel = call.weight("kernel", {Math::size(x, -1), units});
//     ...
//     call.result(call.activate("activation", y));
//   }
//   registry.add({"Dense", "Core", importDense, MaskRule::Pass});
//
// Getters of the configuration report what is wrong with a value and return a
// harmless one, so that a layer reports all its problems.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_IMPORT_LAYER_H
#define CORNU_FRONTEND_IMPORT_LAYER_H

#include "frontend/import/Import.h"
#include "frontend/import/Math.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

namespace cornu::frontend {

class ModelBuilder;

/// A value with its Keras mask (i1, batch and time), which may be null.
struct Tensor {
  mlir::Value value;
  mlir::Value mask;
};

/// A call's argument: tensors in lists and dicts, or a literal.
struct Argument {
  enum class Kind { None, Tensor, List, Dict, Literal };
  Kind kind = Kind::None;
  Tensor tensor;
  std::vector<Argument> items;
  std::vector<std::string> keys; // of a Dict
  const Json *literal = nullptr;

  static Argument of(Tensor tensor);
  /// All tensors, dicts in the order of sorted keys, as Keras flattens.
  void flatten(llvm::SmallVectorImpl<Tensor> &out) const;
};

struct Arguments {
  std::vector<Argument> positional;
  std::vector<std::pair<std::string, Argument>> keywords;
};

/// Where an object's variables live.
struct Scope {
  std::string path;  // bidirectional/forward_lstm/lstm_cell
  std::string group; // layers/bidirectional/forward_layer/cell
  /// Where in `path` the layer begins that Keras builds by itself when it loads
  /// a model: what encloses it is no part of its `variable.path`.
  size_t built = 0;
  bool trainable = true;
  /// Index of the layer in each enclosing model: Keras's order of variables.
  llvm::SmallVector<unsigned, 4> order;
};

/// What happens to the mask of a layer's input.
enum class MaskRule {
  Pass, // the result has the input's mask
  Drop, // the mask ends here
  Own,  // the importer decides
};

class LayerCall;

struct LayerEntry {
  llvm::StringRef className;
  llvm::StringRef family;
  void (*import)(LayerCall &call);
  MaskRule mask;
  llvm::StringRef note; // restrictions, for the table of supported layers
};

class Registry {
public:
  /// All layers that can be imported.
  static const Registry &get();
  void add(const LayerEntry &entry) { entries.push_back(entry); }
  /// Another name of an entry (MaxPool2D for MaxPooling2D).
  void alias(llvm::StringRef name, llvm::StringRef className);
  const LayerEntry *find(llvm::StringRef className) const;
  llvm::ArrayRef<LayerEntry> getEntries() const { return entries; }
  /// Reports a class that cannot be imported, and what would work.
  void reportUnknown(const Json &layer, llvm::StringRef path,
                     Diagnostics &diagnostics) const;

private:
  std::vector<LayerEntry> entries;
  llvm::StringMap<std::string> aliases;
};

// The families: one file in layers/ each.
void registerModels(Registry &registry);
void registerCore(Registry &registry);
void registerConvolution(Registry &registry);
void registerPooling(Registry &registry);
void registerNormalization(Registry &registry);
void registerRecurrent(Registry &registry);
void registerRecurrentWrappers(Registry &registry);
void registerAttention(Registry &registry);
void registerMerging(Registry &registry);
void registerActivations(Registry &registry);
void registerReshaping(Registry &registry);
void registerRegularization(Registry &registry);
void registerPreprocessing(Registry &registry);

/// One call of a layer.
class LayerCall {
public:
  LayerCall(ModelBuilder &model, const Json &layer, Scope scope,
            Arguments arguments);

  ModelBuilder &model;
  const Json &layer;
  const Json &config;
  Scope scope;
  Math math;

  // Errors -------------------------------------------------------------------
  /// At the layer, or at one of its configuration's keys.
  void error(const llvm::Twine &message, const llvm::Twine &help = {});
  void errorAt(llvm::StringRef key, const llvm::Twine &message,
               const llvm::Twine &help = {});

  // Configuration ------------------------------------------------------------
  llvm::StringRef className() const { return layer.at("class_name").str(); }
  /// Without a default the key is required.
  int64_t integer(llvm::StringRef key, std::optional<int64_t> missing = {},
                  int64_t least = 1);
  double number(llvm::StringRef key, std::optional<double> missing = {});
  bool boolean(llvm::StringRef key, bool missing);
  std::string string(llvm::StringRef key, llvm::StringRef missing);
  /// `count` sizes; one number stands for all of them.
  Shape sizes(llvm::StringRef key, int64_t count,
              std::optional<int64_t> missing = {}, int64_t least = 1);
  /// True if the data is channels first.
  bool channelsFirst();
  /// Reports keys whose features are not supported if they are set.
  void refuse(llvm::StringRef key, const llvm::Twine &help);
  mlir::Type floatType();

  // Inputs -------------------------------------------------------------------
  /// All tensors of the first argument.
  llvm::ArrayRef<Tensor> inputs() const { return flatInputs; }
  /// The only or first tensor; floats have the layer's float type.
  mlir::Value input(size_t index = 0) const;
  mlir::Value mask(size_t index = 0) const;
  /// An argument by position or keyword; null if absent or None.
  const Argument *argument(size_t position, llvm::StringRef keyword) const;
  const Arguments &getArguments() const { return arguments; }
  /// The mask for a layer with an argument `mask`: the explicit one or the
  /// input's.
  mlir::Value maskArgument(size_t position);
  /// Reports an input whose rank is not one of the expected.
  bool expectRank(int64_t least, int64_t most);

  // Variables ----------------------------------------------------------------
  /// Reads a trainable weight; initializer, regularizer and constraint are in
  /// the configuration as PREFIX_initializer and so on (prefix: the name
  /// unless given).
  mlir::Value weight(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                     llvm::StringRef prefix = {}, const Scope *where = nullptr);
  /// A weight with an explicit initializer (class name and config).
  mlir::Value weightWith(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                         mlir::DictionaryAttr initializer,
                         llvm::StringRef prefix, const Scope *where = nullptr);
  /// A variable that training does not touch by its gradient.
  mlir::Value state(llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                    mlir::DictionaryAttr initializer, mlir::Type type = {});
  void assign(llvm::StringRef name, mlir::Value value);
  /// The scope of an object within the layer: its name and the attribute that
  /// holds it ("lstm_cell", "cell").
  Scope within(llvm::StringRef name, llvm::StringRef attribute) const;
  /// The initializer that stands at PREFIX_initializer, or Keras's default.
  mlir::DictionaryAttr initializer(llvm::StringRef prefix);
  /// The same, told which axes of the weight are its inputs and outputs; the
  /// configuration may say otherwise.
  mlir::DictionaryAttr initializer(llvm::StringRef prefix,
                                   llvm::ArrayRef<int64_t> inputAxes,
                                   llvm::ArrayRef<int64_t> outputAxes);
  mlir::DictionaryAttr
  initializerOf(llvm::StringRef className,
                llvm::ArrayRef<mlir::NamedAttribute> config = {});

  // Building -----------------------------------------------------------------
  /// Applies the activation that the configuration names at `key`, or without
  /// the key the one that is missing.
  mlir::Value activate(llvm::StringRef key, mlir::Value x,
                       llvm::StringRef missing = "linear");
  /// Uniform random numbers in [0, 1) of this shape.
  mlir::Value random(llvm::ArrayRef<int64_t> shape, mlir::Value like);
  /// Normally distributed numbers.
  mlir::Value randomNormal(llvm::ArrayRef<int64_t> shape, mlir::Value like);
  /// Keeps each element with probability 1 - rate, scaled by 1 / (1 - rate), in
  /// training.
  mlir::Value dropout(mlir::Value x, double rate,
                      llvm::ArrayRef<int64_t> noiseShape);
  /// Calls a layer that is part of this one.
  llvm::SmallVector<Tensor>
  callInner(const Json &inner, llvm::StringRef attribute, Arguments arguments);

  // Results
  // --------------------------------------------------------------------
  void result(mlir::Value value, mlir::Value mask = {});
  std::vector<Tensor> results;

private:
  Arguments arguments;
  llvm::SmallVector<Tensor> flatInputs;
};

/// Calls a layer: finds its importer, applies the rule for masks and the
/// activity regularizer. An empty result means that an error was reported.
std::vector<Tensor> callLayer(ModelBuilder &model, const Json &layer,
                              Scope scope, Arguments arguments);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_LAYER_H
