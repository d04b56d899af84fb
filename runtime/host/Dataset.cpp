//===- Dataset.cpp - Inputs, targets and weights of samples ---------------===//
#include "runtime/host/Dataset.h"
#include "runtime/core/Layout.h"

namespace cornu::runtime {

//===----------------------------------------------------------------------===//
// Class weights
//===----------------------------------------------------------------------===//

Error ClassWeights::parse(std::string_view text) {
  for (std::string_view part : split(text, ',')) {
    size_t equals = part.find('=');
    int64_t label;
    double weight;
    if (equals == std::string_view::npos ||
        !parseInteger(trim(slice(part, 0, equals)), label) ||
        !parseDouble(trim(slice(part, equals + 1)), weight))
      return failure("--class-weight: '%s' is not CLASS=WEIGHT; an example is "
                     "--class-weight 0=1.0,1=2.5",
                     String(part).c_str());
    entries.push_back({label, float(weight)});
  }
  return success();
}

float ClassWeights::of(int64_t label) const {
  for (const Entry &entry : entries)
    if (entry.label == label)
      return entry.weight;
  return 1.0f;
}

//===----------------------------------------------------------------------===//
// Dataset
//===----------------------------------------------------------------------===//

static String namesOf(const cornu_tensor *tensors, int32_t count) {
  Vector<String> names;
  for (int32_t i = 0; i < count; ++i)
    names.push_back(tensors[i].name);
  return join(names);
}

// `--target label` may name a column of the input's table.
Error Dataset::findColumn(DataArguments &arguments) {
  if (arguments.inputs.size() != 1)
    return success();
  const char *input = arguments.inputs[0].c_str();
  Vector<String> *groups[] = {&arguments.targets, &arguments.weights};
  for (Vector<String> *group : groups)
    for (String &argument : *group) {
      if (fileExists(argument.c_str()) ||
          std::string_view(argument).find(':') != std::string_view::npos ||
          std::string_view(argument).find('=') != std::string_view::npos)
        continue;
      Vector<String> names;
      if (Error error = files.parts(input, names))
        return error;
      for (const String &name : names)
        if (std::string_view(name) == std::string_view(argument)) {
          argument =
              format("%s:%s", Files::locate(input).path.c_str(), name.c_str());
          break;
        }
    }
  return success();
}

// Which columns of a shared table are the target must be said.
static Error needsColumn(const DataArguments &arguments,
                         const Vector<String> &others, const char *flag,
                         Files &files) {
  for (const String &other : others)
    for (const String &input : arguments.inputs) {
      Vector<String> names;
      if (std::string_view(other) != std::string_view(input) ||
          !endsWith(other, ".csv"))
        continue;
      if (Error error = files.parts(other.c_str(), names))
        return error;
      return failure("which column of %s is meant? write %s %s:COLUMN "
                     "(columns: %s)",
                     other.c_str(), flag, other.c_str(),
                     names.empty() ? "0, 1, ..." : join(names).c_str());
    }
  return success();
}

Error Dataset::checkRows(const Source &source) const {
  if (source.rows() == rows())
    return success();
  return failure("%s has %lld rows, but %s has %lld; each row must be the "
                 "same sample",
                 source.label.c_str(), static_cast<long long>(source.rows()),
                 inputs[0].label.c_str(), static_cast<long long>(rows()));
}

Error Dataset::bind(const cornu_tensor *tensors, int32_t count,
                    const Vector<String> &arguments, const char *flag,
                    const char *role, const char *key, bool shared,
                    Vector<Source> &sources) {
  Vector<const char *> chosen;
  chosen.resize(size_t(count));
  Vector<const char *> unnamed;
  for (const String &argument : arguments) {
    std::string_view text = argument;
    size_t equals = text.find('=');
    bool found = false;
    for (int32_t i = 0; equals != std::string_view::npos && i < count; ++i)
      if (slice(text, 0, equals) == tensors[i].name) {
        if (chosen[size_t(i)])
          return failure("%s '%s' is given twice", role, tensors[i].name);
        chosen[size_t(i)] = argument.c_str() + equals + 1;
        found = true;
      }
    if (!found && equals != std::string_view::npos &&
        !fileExists(argument.c_str()))
      return failure("%s: the model has no %s '%s' (it has: %s)", flag, role,
                     String(slice(text, 0, equals)).c_str(),
                     namesOf(tensors, count).c_str());
    if (!found)
      unnamed.push_back(argument.c_str());
  }
  // One file for several tensors has their names for members.
  bool members =
      unnamed.size() == 1 && count > 1 && endsWith(unnamed[0], ".npz");
  size_t next = 0;
  for (int32_t i = 0; i < count; ++i) {
    if (chosen[size_t(i)])
      continue;
    if ((members || shared) && !unnamed.empty()) {
      chosen[size_t(i)] = unnamed[0];
      next = 1;
    } else if (next < unnamed.size()) {
      chosen[size_t(i)] = unnamed[next++];
    } else if (count == 1) {
      return failure("%s FILE is missing", flag);
    } else {
      return failure("the %s '%s' is missing: %s %s=FILE (the model has: %s)",
                     role, tensors[i].name, flag, tensors[i].name,
                     namesOf(tensors, count).c_str());
    }
  }
  if (next < unnamed.size())
    return failure("%s %s is one too many: the model has %d %s%s (%s)", flag,
                   unnamed[next], int(count), role, count == 1 ? "" : "s",
                   namesOf(tensors, count).c_str());
  sources.resize(size_t(count));
  for (int32_t i = 0; i < count; ++i) {
    Source &source = sources[size_t(i)];
    const char *single = count == 1 ? key : "";
    if (Error error =
            files.open(chosen[size_t(i)], tensors[i].name, single, source))
      return error;
    if (Error error = source.fit(tensors[i], role))
      return error;
    if (Error error = checkRows(source))
      return error;
  }
  return success();
}

Error Dataset::open(const cornu_model &model, DataArguments arguments,
                    bool withTargets) {
  if (arguments.inputs.empty())
    return failure("--input FILE is missing%s%s%s",
                   model.num_inputs > 1 ? " (the model's inputs: " : "",
                   model.num_inputs > 1
                       ? namesOf(model.inputs, model.num_inputs).c_str()
                       : "",
                   model.num_inputs > 1 ? "; --input NAME=FILE)" : "");
  if (Error error = findColumn(arguments))
    return error;
  if (Error error =
          needsColumn(arguments, arguments.targets, "--target", files))
    return error;
  for (Vector<String> *group :
       {&arguments.inputs, &arguments.targets, &arguments.weights})
    for (const String &argument : *group) {
      // NAME=FILE:PART and FILE:PART alike.
      size_t equals = std::string_view(argument).find('=');
      const char *spec = argument.c_str();
      if (equals != std::string_view::npos && !fileExists(spec))
        spec += equals + 1;
      if (Error error = files.reserveColumns(spec))
        return error;
    }
  if (Error error = bind(model.inputs, model.num_inputs, arguments.inputs,
                         "--input", "input", "x", false, inputs))
    return error;
  if (!withTargets)
    return success();
  if (Error error = bind(model.targets, model.num_targets, arguments.targets,
                         "--target", "target", "y", false, targets))
    return error;
  if (arguments.weights.empty())
    return success();
  Vector<cornu_tensor> tensors;
  for (int32_t i = 0; i < model.num_targets; ++i)
    tensors.push_back({model.targets[i].name, CORNU_FLOAT32, 0, nullptr, 0});
  return bind(tensors.data(), model.num_targets, arguments.weights,
              "--sample-weight", "sample weight", "sample_weight", true,
              weights);
}

//===----------------------------------------------------------------------===//
// Batch
//===----------------------------------------------------------------------===//

Error Batch::allocate(const cornu_model &described, int64_t size,
                      bool withTargets, bool weighted) {
  model = &described;
  auto add = [&](const char *name, const cornu_tensor *tensor,
                 Vector<const void *> &pointers) -> Error {
    uint64_t bytes = sizeof(float);
    if (tensor && !sampleBytes(*tensor, bytes))
      return failure("'%s' is too large", name);
    if (__builtin_mul_overflow(bytes, uint64_t(size), &bytes))
      return failure("a batch of %lld is too large; use a smaller "
                     "--batch-size",
                     static_cast<long long>(size));
    buffers.push_back(Owned<Block>::make());
    buffers.back()->allocate(bytes);
    pointers.push_back(buffers.back()->data());
    return success();
  };
  for (int32_t i = 0; i < model->num_inputs; ++i)
    if (Error error =
            add(model->inputs[i].name, &model->inputs[i], inputPointers))
      return error;
  hasWeights = withTargets && weighted;
  if (!withTargets)
    return success();
  for (int32_t i = 0; i < model->num_targets; ++i)
    if (Error error =
            add(model->targets[i].name, &model->targets[i], targetPointers))
      return error;
  for (int32_t i = 0; i < model->num_targets; ++i) {
    if (!weighted) {
      targetPointers.push_back(nullptr);
      continue;
    }
    if (Error error = add(model->targets[i].name, nullptr, targetPointers))
      return error;
  }
  return success();
}

Error Batch::fill(Dataset &data, const RowRange &range,
                  const ClassWeights *classes) {
  for (size_t i = 0; i < data.inputs.size(); ++i)
    if (Error error = data.inputs[i].gather(range, buffers[i]->data()))
      return error;
  size_t next = data.inputs.size();
  for (size_t i = 0; i < data.targets.size(); ++i)
    if (Error error = data.targets[i].gather(range, buffers[next++]->data()))
      return error;
  for (size_t i = 0; i < data.weights.size(); ++i)
    if (Error error = data.weights[i].gather(range, buffers[next++]->data()))
      return error;
  // The same buffers serve weighted and unweighted data, e.g. class weights in
  // training and none in validation.
  bool weighted = data.weighted() || classes;
  size_t targetCount = data.targets.size();
  for (size_t i = 0; hasWeights && i < targetCount; ++i)
    targetPointers[targetCount + i] =
        weighted ? buffers[data.inputs.size() + targetCount + i]->data()
                 : nullptr;
  return classes ? weighClasses(*classes, range.count) : success();
}

// Keras's rule: the class is the target's number, or the position of the
// largest one of a row.
Error Batch::weighClasses(const ClassWeights &classes, int64_t count) {
  const cornu_tensor &tensor = model->targets[0];
  uint64_t elements = 0;
  elementCount(tensor.shape, tensor.rank, elements);
  float *weights = static_cast<float *>(
      buffers[size_t(model->num_inputs + model->num_targets)]->data());
  const char *row = static_cast<const char *>(target(0));
  uint64_t bytes = elements * elementBytes(tensor.dtype);
  Vector<double> values;
  values.resize(elements);
  for (int64_t i = 0; i < count; ++i, row += bytes) {
    convertElements(row, {elementOf(tensor.dtype), false}, elements,
                    CORNU_FLOAT64, 0, values.data());
    uint64_t largest = 0;
    for (uint64_t e = 1; e < elements; ++e)
      if (values[e] > values[largest])
        largest = e;
    double label = elements == 1 ? values[0] : double(largest);
    weights[i] = classes.of(int64_t(label + (label < 0 ? -0.5 : 0.5)));
  }
  return success();
}

} // namespace cornu::runtime
