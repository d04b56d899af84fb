//===- Dataset.h - Inputs, targets and weights of samples -----------------===//
//
//   Dataset data;
//   if (Error error = data.open(model, {inputs, targets, weights})) ...
//   Batch batch;
//   batch.allocate(model, data, 32);
//   if (Error error = batch.fill(data, {order, first, 32})) return error;
//   model.train_step(state, batch.inputs(), batch.targets(), 32, ...);
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_DATASET_H
#define CORNU_RUNTIME_HOST_DATASET_H

#include "runtime/host/Session.h"
#include "runtime/host/Source.h"

namespace cornu::runtime {

/// The arguments of --input, --target and --sample-weight: FILE, FILE:PART or
/// NAME=FILE.
struct DataArguments {
  Vector<String> inputs;
  Vector<String> targets;
  Vector<String> weights;
  const char *prefix = "--"; ///< of the options, for messages
};

/// Weights of classes, from "0=1.0,1=2.5"; 1 for a class that is not named.
/// `classes` is how many there are, or 0 if that is not known.
struct ClassWeights {
  struct Entry {
    int64_t label;
    float weight;
  };
  Vector<Entry> entries;

  Error parse(std::string_view text, int64_t classes = 0);
  float of(int64_t label) const;
};

class Dataset {
public:
  /// Opens the files and checks names, shapes and numbers of rows. Without
  /// `withTargets` only the inputs.
  Error open(const cornu_model &model, DataArguments arguments,
             bool withTargets);

  int64_t rows() const { return inputs[0].rows(); }
  bool weighted() const { return !weights.empty(); }

  Vector<Source> inputs;
  Vector<Source> targets;
  Vector<Source> weights; ///< one per target, or none

private:
  Error bind(const cornu_tensor *tensors, int32_t count,
             const Vector<String> &arguments, const String &option,
             const char *role, const char *key, bool shared,
             Vector<Source> &sources);
  Error findColumns(DataArguments &arguments);
  Error checkRows(const Source &source) const;

  Files files;
};

/// Staging buffers for one batch, in the model's types.
class Batch {
public:
  /// `weighted`: samples have weights, from a file or by class.
  Error allocate(const cornu_model &model, int64_t size, bool withTargets,
                 bool weighted);
  /// `classes` may be null; then samples have weights if the data bring some.
  Error fill(Dataset &data, const RowRange &range,
             const ClassWeights *classes = nullptr);

  const void *const *inputs() const { return inputPointers.data(); }
  /// The targets, then the sample weights (null where there are none).
  const void *const *targets() const { return targetPointers.data(); }
  void *input(int i) { return buffers[size_t(i)]->data(); }
  void *target(int i) { return buffers[size_t(model->num_inputs + i)]->data(); }

private:
  Error weighClasses(const ClassWeights &classes, int64_t count);

  const cornu_model *model = nullptr;
  Vector<Owned<Block>> buffers; ///< inputs, targets, weights
  Vector<const void *> inputPointers;
  Vector<const void *> targetPointers;
  bool hasWeights = false; ///< there are buffers for sample weights
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_DATASET_H
