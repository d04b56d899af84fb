//===- Training.h - Losses, metrics and optimizers --------------*- C++ -*-===//
//
// What the model was compiled with, as functions: see Import.h. Losses and
// metrics are tables of formulas; TrainingPlan distributes them over the
// outputs.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_IMPORT_TRAINING_H
#define CORNU_FRONTEND_IMPORT_TRAINING_H

#include "frontend/import/ModelBuilder.h"

namespace cornu::frontend {

/// An output of the model with what it is compared to.
struct Output {
  std::string name;
  mlir::RankedTensorType type;
  mlir::RankedTensorType target;
  bool hasMask = false;
  /// It has a loss or metrics; otherwise @loss takes no target for it.
  bool compared = true;
  /// The target holds indices of classes, all of which lie in the last
  /// dimension of the output.
  bool classIndices = false;
};

// Training.cpp

/// Builds @loss, @metrics and @metric_results; decides the types of targets.
void buildTraining(ModelBuilder &model, llvm::MutableArrayRef<Output> outputs);

// TrainingPlan.cpp

/// True if the model was compiled with a loss, or one is given.
bool hasLoss(ModelBuilder &model);
/// Reports what is wrong with losses and metrics whatever the outputs are: for
/// a model whose layers have errors.
void checkTrainingNames(ModelBuilder &model);
/// The optimizer of the options or of the file; null if there is none.
const Json &optimizerConfig(ModelBuilder &model);

// Losses.cpp

/// Values of one output in @loss or @metrics.
struct Comparison {
  mlir::Value prediction, target, weight, mask;
};

/// A loss with its parameters, as the configuration names it.
struct LossSpec {
  std::string name; // the function: "mean_squared_error"
  const Json *config;
  const Json *where;
  bool sparse = false; // targets are class indices
  double weight = 1;
};

/// Resolves a name ("mse"), function or object; reports unknown ones and
/// options that do not work. The output may be null: "crossentropy", which
/// depends on it, then stands for any of its kinds.
std::optional<LossSpec> resolveLoss(ModelBuilder &model, const Json &spec,
                                    const Output *output);
/// True if a loss or metric function takes class indices as targets.
bool takesClassIndices(llvm::StringRef function);
/// The function's value for each sample (the last axis reduced).
mlir::Value lossValues(Math &math, llvm::StringRef function, const Json &config,
                       mlir::Value prediction, mlir::Value target);
/// Whether `lossValues` knows the function.
bool isLossFunction(llvm::StringRef function);
/// The name of the function behind a class, alias or name; "" if unknown.
std::string lossFunction(llvm::StringRef name);
/// The loss of one output: values, weights, mask and reduction.
mlir::Value reducedLoss(ModelBuilder &model, Math &math, const LossSpec &spec,
                        const Comparison &values);
std::vector<std::string> lossNames();

// Metrics.cpp

/// One metric of one output.
struct MetricSpec {
  std::string key; // in the logs
  std::string function;
  const Json *config;
  size_t output;
  bool weighted;
  bool sparse = false; // targets are class indices
  /// Null for a mean over samples.
  const struct MetricFamily *family = nullptr;
};
/// As resolveLoss; options that depend on the output are checked if there is
/// one.
std::optional<MetricSpec> resolveMetric(ModelBuilder &model, const Json &spec,
                                        const Output *output);
/// Adds to the metric's variables; returns nothing.
void updateMetric(ModelBuilder &model, Math &math, const MetricSpec &spec,
                  const Comparison &values);
/// Keys and scalars.
using MetricResults = std::vector<std::pair<std::string, mlir::Value>>;
/// The metric's result from its variables; a metric with a result for each
/// class or threshold has the keys KEY/0, KEY/1, ...
MetricResults metricResults(ModelBuilder &model, Math &math,
                            const MetricSpec &spec);
/// True if the metric compares class indices: decides the target's type.
bool metricTakesClassIndices(const Json &spec);
/// Adds to a variable of float32, or int32 for an integer, which it creates,
/// and reads it.
void accumulate(ModelBuilder &model, Math &math, llvm::StringRef name,
                mlir::Value amount);
mlir::Value accumulated(ModelBuilder &model, Math &math, llvm::StringRef name);
/// Mean of values per sample over the calls since the last reset.
void accumulateMean(ModelBuilder &model, Math &math, llvm::StringRef key,
                    mlir::Value total, mlir::Value count);
mlir::Value accumulatedMean(ModelBuilder &model, Math &math,
                            llvm::StringRef key);
std::vector<std::string> metricNames();

/// Metrics that are no means over samples: each class has variables
/// metrics/KEY/... and a formula of these.
struct MetricFamily {
  /// The class that a name stands for, or "".
  std::string (*find)(llvm::StringRef name);
  std::vector<std::string> (*names)();
  /// True if its targets are class indices.
  bool (*sparse)(llvm::StringRef className, const Json &config);
  /// Reports options that are not supported; the output may be null, as in
  /// resolveMetric.
  bool (*check)(ModelBuilder &model, const Json &where, const MetricSpec &spec,
                const Output *output);
  void (*update)(ModelBuilder &model, Math &math, const MetricSpec &spec,
                 const Comparison &values);
  /// A scalar, or a row of results.
  mlir::Value (*result)(ModelBuilder &model, Math &math,
                        const MetricSpec &spec);
};

/// ConfusionMetrics.cpp: true and false positives for thresholds.
extern const MetricFamily confusionMetrics;
/// ColumnMetrics.cpp: sums for each column of the output.
extern const MetricFamily columnMetrics;
/// IntersectionMetrics.cpp: a confusion matrix of classes.
extern const MetricFamily intersectionMetrics;

/// The name of a metric's variable.
std::string metricVariable(const MetricSpec &spec, llvm::StringRef part);
/// Reports at the metric what is wrong with it; false.
bool refuseMetric(ModelBuilder &model, const Json &where,
                  const MetricSpec &spec, const llvm::Twine &why,
                  const llvm::Twine &help);
/// The row of a table that a class or a name in snake case stands for.
template <typename Entry, size_t size>
const Entry *findByClass(const Entry (&table)[size], llvm::StringRef name) {
  for (const Entry &entry : table)
    if (name == entry.className || name == snakeCase(entry.className))
      return &entry;
  return nullptr;
}
/// The class of that row, or "".
template <typename Entry, size_t size>
std::string classIn(const Entry (&table)[size], llvm::StringRef name) {
  const Entry *entry = findByClass(table, name);
  return entry ? entry->className.str() : "";
}
template <typename Entry, size_t size>
std::vector<std::string> classNames(const Entry (&table)[size]) {
  std::vector<std::string> names;
  for (const Entry &entry : table)
    names.push_back(entry.className.str());
  return names;
}

// Optimizer.cpp

/// Sets the module's nn.optimizer and adds the optimizer's variables with the
/// values that the archive has.
void importOptimizer(ModelBuilder &model);
std::vector<std::string> optimizerNames();

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_TRAINING_H
