//===- Dataset.cpp - Inputs, targets and weights of samples ---------------===//
#include "runtime/host/Dataset.h"
#include "runtime/core/Layout.h"

namespace cornu::runtime {

//===----------------------------------------------------------------------===//
// Class weights
//===----------------------------------------------------------------------===//

Error ClassWeights::parse(std::string_view text, int64_t classes) {
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
    if (label < 0 || (classes && label >= classes))
      return failure(classes ? "--class-weight: there is no class %lld, the "
                               "model has 0 to %lld"
                             : "--class-weight: there is no class %lld, they "
                               "are numbered from 0",
                     static_cast<long long>(label),
                     static_cast<long long>(classes - 1));
    if (!(weight >= 0 && weight <= double(__FLT_MAX__)))
      return failure("--class-weight: '%s': a weight is a finite number of at "
                     "least 0",
                     String(part).c_str());
    for (const Entry &entry : entries)
      if (entry.label == label)
        return failure("--class-weight: class %lld is given twice",
                       static_cast<long long>(label));
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

// FILE:PART of NAME=FILE:PART.
static const char *fileOf(const String &argument) {
  size_t equals = std::string_view(argument).find('=');
  bool named =
      equals != std::string_view::npos && !fileExists(argument.c_str());
  return argument.c_str() + (named ? equals + 1 : 0);
}

// `--target label` may name a column of the input's table.
Error Dataset::findColumns(DataArguments &arguments) {
  if (arguments.inputs.size() != 1)
    return success();
  const char *input = fileOf(arguments.inputs[0]);
  Vector<String> *groups[] = {&arguments.targets, &arguments.weights};
  for (Vector<String> *group : groups)
    for (String &argument : *group) {
      if (fileExists(argument.c_str()) || strpbrk(argument.c_str(), ":=/"))
        continue;
      if (Error error = files.findPart(input, argument))
        return error;
    }
  return success();
}

// Which columns of a shared table are the target must be said.
static Error needsColumn(const DataArguments &arguments,
                         const Vector<String> &others, const char *flag,
                         Files &files) {
  for (const String &argument : others)
    for (const String &input : arguments.inputs) {
      const char *other = fileOf(argument);
      if (!fileExists(other) || !isSameFile(other, fileOf(input)))
        continue;
      String columns;
      if (Error error = files.columnsOf(other, columns))
        return error;
      if (!columns.empty())
        return failure("which column of %s is meant? write %s%s %s:COLUMN "
                       "(columns: %s)",
                       other, arguments.prefix, flag, other, columns.c_str());
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
                    const Vector<String> &arguments, const String &option,
                    const char *role, const char *key, bool shared,
                    Vector<Source> &sources) {
  const char *flag = option.c_str();
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
    return failure("%sinput FILE is missing%s%s%s", arguments.prefix,
                   model.num_inputs > 1 ? " (the model's inputs: " : "",
                   model.num_inputs > 1
                       ? namesOf(model.inputs, model.num_inputs).c_str()
                       : "",
                   model.num_inputs > 1 ? "; --input NAME=FILE)" : "");
  if (Error error = findColumns(arguments))
    return error;
  if (Error error = needsColumn(arguments, arguments.targets, "target", files))
    return error;
  if (Error error =
          needsColumn(arguments, arguments.weights, "sample-weight", files))
    return error;
  auto flag = [&](const char *name) {
    return format("%s%s", arguments.prefix, name);
  };
  for (Vector<String> *group :
       {&arguments.inputs, &arguments.targets, &arguments.weights})
    for (const String &argument : *group) {
      if (Error error = files.reserveColumns(fileOf(argument)))
        return error;
    }
  if (Error error = bind(model.inputs, model.num_inputs, arguments.inputs,
                         flag("input"), "input", "x", false, inputs))
    return error;
  if (!withTargets)
    return success();
  if (Error error = bind(model.targets, model.num_targets, arguments.targets,
                         flag("target"), "target", "y", false, targets))
    return error;
  if (arguments.weights.empty())
    return success();
  Vector<cornu_tensor> tensors;
  for (int32_t i = 0; i < model.num_targets; ++i)
    tensors.push_back({model.targets[i].name, CORNU_FLOAT32, 0, nullptr, 0});
  return bind(tensors.data(), model.num_targets, arguments.weights,
              flag("sample-weight"), "sample weight", "sample_weight", true,
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
  for (Source &source : data.weights) {
    const float *weights = static_cast<const float *>(buffers[next]->data());
    if (Error error = source.gather(range, buffers[next++]->data()))
      return error;
    for (int64_t row = 0; row < range.count; ++row)
      if (!(weights[row] - weights[row] == 0)) // NaN or infinite
        return source.badNumber(range, 0,
                                {true, uint64_t(row),
                                 format("%g is no weight; it must be finite",
                                        double(weights[row]))});
  }
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
