//===- ModelBuilder.h - The module under construction -----------*- C++ -*-===//
//
// What all importers share: the builder inside @forward, the variables seen so
// far, regularizers and activity losses for @loss, and the diagnostics.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_IMPORT_MODELBUILDER_H
#define CORNU_FRONTEND_IMPORT_MODELBUILDER_H

#include "frontend/import/Layer.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <map>

namespace cornu::frontend {

/// A variable as a layer asked for it.
struct Variable {
  std::string path;
  std::string group;
  size_t built = 0; // as in Scope: Keras's `variable.path` begins there
  unsigned index = 0;
  std::string ownerName;
  Shape shape;
  mlir::Type type;
  nn::VariableKind kind = nn::VariableKind::trainable;
  /// False for what Keras counts as non-trainable even in a trainable layer.
  bool trainableWeight = true;
  llvm::SmallVector<unsigned, 4> order;
  size_t sequence = 0; // in order of creation
  mlir::DictionaryAttr initializer;
  const Json *regularizer = nullptr;
  mlir::DictionaryAttr constraint; // holds after each step of training
  mlir::ElementsAttr value;
};

/// Keras's order of layers, then the order of creation.
bool comesBefore(const Variable &a, const Variable &b);

class ModelBuilder {
public:
  ModelBuilder(mlir::MLIRContext &context, ModelArchive &archive,
               const ImportOptions &options, Diagnostics &diagnostics);

  mlir::MLIRContext &context;
  ModelArchive &archive;
  const ImportOptions &options;
  Diagnostics &diagnostics;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::OpBuilder builder;

  /// In order of creation; a variable that exists is found by its path.
  std::vector<std::unique_ptr<Variable>> variables;
  Variable *findVariable(llvm::StringRef path);
  Variable *addVariable(Variable variable);
  /// Variables that are no weights: metrics, optimizer, random state.
  std::vector<std::unique_ptr<Variable>> states;
  Variable *addState(Variable variable);
  /// Keras's order: trainable variables of all layers, then the others.
  std::vector<Variable *> sortedVariables() const;

  /// Of layers that several models of the file have in common, by Keras's
  /// number of the object: where the first is.
  std::map<int64_t, Scope> sharedLayers;

  /// A number that tells random ops apart.
  int64_t nextStream() { return stream++; }
  mlir::Value randomState(mlir::Location location);
  bool usesRandom() const { return stream > 0; }

  /// Terms of the loss that come from the forward pass, scalars.
  llvm::SmallVector<mlir::Value> activityLosses;

  /// Shapes of what each layer of the outermost model returned, by its name.
  std::map<std::string, std::vector<std::vector<int64_t>>> outputShapes;

  /// `values` must lie in [0, bound): so must the elements of @forward's
  /// arguments that reach them unchanged and as a whole.
  void boundInputs(mlir::Value values, int64_t bound);

  /// Types of @forward's hidden results.
  llvm::SmallVector<mlir::Type> hiddenTypes;

  mlir::Location locationOf(llvm::StringRef path) const;

private:
  std::map<std::string, Variable *, std::less<>> byPath;
  std::map<std::string, unsigned, std::less<>> groupSizes;
  int64_t stream = 0;
};

/// A configuration as an attribute: numbers as f64, lists as arrays, null
/// members left out. A null attribute for null.
mlir::Attribute toAttribute(mlir::MLIRContext &context, const Json &json);

/// The class name and config of a Keras object or of its name: "l2" is
/// {"L2", {}}; null is {"", null}.
struct NamedObject {
  std::string className;
  const Json *config; // never a null pointer
};
NamedObject namedObject(const Json &spec);

/// "GlorotUniform" -> "glorot_uniform", as Keras names files' groups.
std::string snakeCase(llvm::StringRef className);

// Model.cpp ------------------------------------------------------------------

/// The layers of a model with their groups in the weight file.
struct ModelInput {
  std::string name;
  Shape shape; // with the batch
  mlir::Type type;
};
/// Inputs of a Sequential or Functional model, in Keras's flattened order.
/// Reports what is missing.
bool modelInputs(ModelBuilder &model, const Json &layer,
                 llvm::SmallVectorImpl<ModelInput> &inputs);
/// Names of the outputs: dict key or layer name, _1 on a repeat.
std::vector<std::string> outputNames(const Json &layer);
/// True if the model's outputs are a dict.
bool hasDictOutputs(const Json &layer);
/// Reports unknown classes of all layers, nested ones included.
void checkClasses(ModelBuilder &model, const Json &layer, llvm::StringRef path);
/// Fills ModelBuilder::sharedLayers. Keras writes such a layer in full wherever
/// it is used, and its weights where it comes first.
void findSharedLayers(ModelBuilder &model, const Json &layer,
                      const Scope &scope);
/// Rows of the outermost model.
void summarizeLayers(ModelBuilder &model, const Json &layer,
                     ImportedModel &result);
// Operations.cpp
// ---------------------------------------------------------------

/// Imports a keras.ops node (module keras.src.ops.*).
std::vector<Tensor> callOperation(ModelBuilder &model, const Json &operation,
                                  llvm::StringRef path, Arguments arguments);
bool isOperation(const Json &layer);
/// Reports an operation that cannot be imported.
void checkOperation(ModelBuilder &model, const Json &operation,
                    llvm::StringRef path);

// Activations.cpp
// ----------------------------------------------------------------

/// True if there is an activation of this name ("relu", or "Relu").
bool isActivation(llvm::StringRef name);
std::vector<std::string> activationNames();
/// Applies it; parameters are read from `config`.
mlir::Value applyActivation(Math &math, llvm::StringRef name,
                            const Json &config, mlir::Value x);

/// Constraints on weights (LayerVariables.cpp).
std::vector<std::string> constraintNames();

// Weights.cpp
// ----------------------------------------------------------------------

/// Gives the variables the values of the archive.
void loadWeights(ModelBuilder &model);
/// The element type of a file for a variable's type.
std::optional<DType> storageType(mlir::Type type);
mlir::ElementsAttr readValue(ModelBuilder &model, WeightFile &file,
                             const WeightEntry &entry,
                             const Variable &variable);

std::vector<std::string> operationNames();

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_MODELBUILDER_H
