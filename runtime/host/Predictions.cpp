//===- Predictions.cpp - Where predict's outputs go -----------------------===//
#include "runtime/host/Predictions.h"
#include "runtime/core/Layout.h"

namespace cornu::runtime {

double outputValue(cornu_dtype dtype, const void *data, uint64_t index) {
  double value = 0;
  const char *from =
      static_cast<const char *>(data) + index * elementBytes(dtype);
  convertElements(from, {elementOf(dtype), false}, 1, CORNU_FLOAT64, 0, &value);
  return value;
}

Error Predictions::openFile(const String &path, int output) {
  const cornu_tensor &tensor = model->outputs[output];
  Owned<NpyFile> array = Owned<NpyFile>::make();
  array->output = output;
  if (Error error = array->file.create(path.c_str()))
    return error;
  Vector<int64_t> shape{rows};
  for (int32_t d = 0; d < tensor.rank; ++d)
    shape.push_back(tensor.shape[d]);
  String header = npyHeader(tensor.dtype, shape);
  Error error = array->file.write(header.c_str(), header.size());
  arrays.push_back(std::move(array));
  return error;
}

int Predictions::outputNamed(std::string_view argument) const {
  size_t equals = argument.find('=');
  for (int32_t i = 0;
       equals != std::string_view::npos && i < model->num_outputs; ++i)
    if (slice(argument, 0, equals) == model->outputs[i].name)
      return i;
  return -1;
}

Error Predictions::open(const cornu_model &described,
                        const Vector<String> &arguments, int64_t numRows) {
  model = &described;
  rows = numRows;
  for (int32_t i = 0; i < model->num_outputs; ++i) {
    uint64_t size;
    if (!sampleBytes(model->outputs[i], size))
      return failure("output '%s' is too large", model->outputs[i].name);
    bytes.push_back(size);
  }
  Vector<String> paths;
  for (const String &argument : arguments) {
    int named = outputNamed(argument);
    String path(named < 0
                    ? std::string_view(argument)
                    : slice(argument, strlen(model->outputs[named].name) + 1));
    for (size_t i = 0; i < paths.size(); ++i)
      if (isSameFile(paths[i].c_str(), path.c_str()))
        return failure("--output %s and --output %s name the same file; choose "
                       "two",
                       arguments[i].c_str(), argument.c_str());
    paths.push_back(path);
    bool npy = endsWith(path, ".npy"), npz = endsWith(path, ".npz"),
         csv = endsWith(path, ".csv");
    if (named < 0 && ((npz && archive) || (csv && table)))
      return failure("--output %s: a %s file takes all outputs, and there is "
                     "one before it; leave one away",
                     argument.c_str(), npz ? ".npz" : ".csv");
    if (npz && named < 0) {
      archive = Owned<NpzWriter>::make();
      if (Error error = archive->create(path.c_str(), model->outputs,
                                        model->num_outputs, rows))
        return error;
    } else if (csv && named < 0) {
      table = Owned<OutputFile>::make();
      if (Error error = table->create(path.c_str()))
        return error;
      String header = csvHeader();
      if (Error error = table->write(header.c_str(), header.size()))
        return error;
    } else if (npz || csv) {
      return failure("--output %s: a .npz or .csv file takes all outputs; "
                     "write --output %s",
                     argument.c_str(), path.c_str());
    } else if (named < 0 && model->num_outputs > 1) {
      return failure("--output %s: the model has %d outputs; write them to one "
                     ".npz, or one by one with --output NAME=FILE.npy",
                     argument.c_str(), int(model->num_outputs));
    } else if (npy || startsWith(path, "/dev/")) {
      if (Error error = openFile(path, named < 0 ? 0 : named))
        return error;
    } else {
      return failure("--output %s: the extension must be .npy, .npz or .csv",
                     path.c_str());
    }
  }
  return success();
}

String Predictions::csvHeader() const {
  String text;
  for (int32_t i = 0; i < model->num_outputs; ++i) {
    const cornu_tensor &tensor = model->outputs[i];
    uint64_t count = 0;
    elementCount(tensor.shape, tensor.rank, count);
    for (uint64_t e = 0; e < count; ++e) {
      text += text.empty() ? "" : ",";
      text += tensor.name;
      if (count > 1)
        text.appendFormat("_%llu", static_cast<unsigned long long>(e));
    }
  }
  text += '\n';
  return text;
}

void Predictions::appendCsvRow(String &text, void *const *outputs,
                               int64_t row) const {
  bool first = true;
  for (int32_t i = 0; i < model->num_outputs; ++i) {
    const cornu_tensor &tensor = model->outputs[i];
    uint64_t count = bytes[size_t(i)] / elementBytes(tensor.dtype);
    for (uint64_t e = 0; e < count; ++e) {
      double value =
          outputValue(tensor.dtype, outputs[i], uint64_t(row) * count + e);
      text.appendFormat("%s%.9g", first ? "" : ",", value);
      first = false;
    }
  }
  text += '\n';
}

Error Predictions::write(void *const *outputs, int64_t count) {
  for (Owned<NpyFile> &array : arrays)
    if (Error error =
            array->file.write(outputs[array->output],
                              bytes[size_t(array->output)] * uint64_t(count)))
      return error;
  for (int32_t i = 0; archive && i < model->num_outputs; ++i)
    if (Error error =
            archive->write(i, outputs[i], bytes[size_t(i)] * uint64_t(count)))
      return error;
  if (!table)
    return success();
  String text;
  for (int64_t row = 0; row < count; ++row)
    appendCsvRow(text, outputs, row);
  return table->write(text.c_str(), text.size());
}

Error Predictions::commit() {
  for (Owned<NpyFile> &array : arrays)
    if (Error error = array->file.commit())
      return error;
  if (archive)
    if (Error error = archive->commit())
      return error;
  return table ? table->commit() : success();
}

} // namespace cornu::runtime
