//===- Optimizer.h - An optimizer's step as nn IR ----------------*- C++
//-*-===//
//
// A module's attribute describes the optimizer as Keras's config does:
//
//   nn.optimizer = {name = "adam", learning_rate = 1.0e-3 : f64,
//                   beta_1 = 0.9 : f64, ..., weight_decay = 4.0e-3 : f64}
//
// `buildOptimizerStep` emits the whole step on the variables' values: the sum
// of gradients of several steps, clipping, weight decay, the update rule,
// moving averages, constraints, and iteration + 1. Each rule is a function that
// is written like Keras's `update_step` and stands in a table:
//
//   static Value adam(Update &u) {
//     Value m = u.slot("momentum"), v = u.slot("velocity"); ...
//     return u.subtract(u.variable, ...);         // the variable's new value
//   }
//
// The state of a rule (slots) are variables `optimizer/<variable>/<slot>`,
// made on first use.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_OPTIMIZER_OPTIMIZER_H
#define CORNU_PASSES_GRAPH_OPTIMIZER_OPTIMIZER_H

#include "passes/graph/Math.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"

#include <optional>

namespace cornu::graph {

/// A Keras config: `{class_name, config = {...}}`, or the config's keys
/// directly with the class under `class_name` or `name`. Names compare without
/// case. Numbers are float or integer attributes.
class Config {
public:
  explicit Config(mlir::DictionaryAttr attribute);

  /// Lower case, e.g. "adam", "exponentialdecay".
  llvm::StringRef className() const { return name; }
  mlir::Attribute get(llvm::StringRef key) const { return keys.get(key); }
  std::optional<double> number(llvm::StringRef key) const;
  double number(llvm::StringRef key, double otherwise) const {
    return number(key).value_or(otherwise);
  }
  bool flag(llvm::StringRef key, bool otherwise = false) const;
  llvm::SmallVector<double> numbers(llvm::StringRef key) const;
  std::optional<Config> nested(llvm::StringRef key) const;
  /// Whether a list of strings holds this one.
  bool lists(llvm::StringRef key, llvm::StringRef text) const;

private:
  mlir::DictionaryAttr keys;
  std::string name;
};

/// The variables of the optimizer. A read gives the value before the step,
/// whatever has been assigned. Variables that the module lacks are added.
class OptimizerState {
public:
  OptimizerState(mlir::ModuleOp module, mlir::OpBuilder &builder,
                 mlir::Location loc)
      : module(module), builder(builder), loc(loc) {}

  mlir::Value read(llvm::StringRef name, mlir::RankedTensorType type,
                   double initial = 0);
  void assign(llvm::StringRef name, mlir::Value value);

  /// If set, an assignment changes a variable only where it is true.
  mlir::Value condition;

private:
  mlir::ModuleOp module;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  llvm::StringMap<mlir::Value> values;
};

/// What a rule works with: the values before the step of one variable.
struct Update : Math {
  Update(mlir::OpBuilder &builder, mlir::Location loc, const Config &config,
         OptimizerState &state, llvm::StringRef path)
      : Math(builder, loc), config(config), state(state), path(path) {}

  const Config &config;
  OptimizerState &state;
  std::string path;
  mlir::Value variable, gradient;
  /// Scalars of the variable's element type: the learning rate, and the
  /// number of this step, from 1.
  mlir::Value learningRate, step;

  double number(llvm::StringRef key, double otherwise) const {
    return config.number(key, otherwise);
  }
  using Math::number;
  mlir::Value scalar(double value) const { return number(variable, value); }
  /// value^step.
  mlir::Value powerOfStep(double value) const {
    return power(scalar(value), step);
  }
  /// 1 - x.
  mlir::Value oneMinus(mlir::Value x) const { return subtract(scalar(1), x); }

  /// The slot's value before the step; shaped like the variable.
  mlir::Value slot(llvm::StringRef name, double initial = 0) {
    return state.read(slotName(name), nn::tensorType(variable), initial);
  }
  void assignSlot(llvm::StringRef name, mlir::Value value) {
    state.assign(slotName(name), value);
  }
  std::string slotName(llvm::StringRef name) const {
    return ("optimizer/" + path + "/" + name).str();
  }
};

/// A rule returns the new value of the variable and assigns the slots.
using UpdateRule = mlir::Value (*)(Update &);

struct OptimizerEntry {
  llvm::StringLiteral name; // Keras's class name
  UpdateRule rule;
  double learningRate; // Keras's defaults
  double weightDecay = 0;
  /// Where the weight decay is not the same for all variables.
  double (*decayOf)(const Config &, const struct Trained &) = nullptr;
};

/// The optimizers of one file.
llvm::ArrayRef<OptimizerEntry> momentumOptimizers(); // SGD, RMSprop, Lion
llvm::ArrayRef<OptimizerEntry> adamOptimizers();     // Adam, AdamW, Nadam, ...
llvm::ArrayRef<OptimizerEntry> adaptiveOptimizers(); // Adagrad, Adadelta, Ftrl
llvm::ArrayRef<OptimizerEntry> matrixOptimizers();   // Adafactor, Muon

/// Adam's rule with these decays of the moments and learning rate.
mlir::Value adamStep(Update &update, double beta1, double beta2,
                     mlir::Value learningRate);

/// The learning rate of a schedule at `iteration` (a float scalar), or null
/// if the schedule is unknown.
mlir::Value buildSchedule(const Math &math, const Config &schedule,
                          mlir::Value iteration);

/// What a variable's attribute `nn.constraint`, a Keras config, makes of its
/// value after a step; null if the constraint is unknown.
///
///   nn.constraint = {class_name = "MaxNorm",
///                    config = {max_value = 2.0 : f64, axis = 0.0 : f64}}
mlir::Value constrain(const Math &math, const Config &constraint,
                      mlir::Value value);

/// A trainable variable with its gradient and its value before the step.
struct Trained {
  llvm::StringRef path;
  mlir::Value value, gradient;
};

/// Emits the step of the module's optimizer. Fails with a diagnostic for an
/// optimizer, schedule or option that is not supported.
mlir::LogicalResult buildOptimizerStep(mlir::ModuleOp module,
                                       mlir::OpBuilder &builder,
                                       llvm::ArrayRef<Trained> variables);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_OPTIMIZER_OPTIMIZER_H
