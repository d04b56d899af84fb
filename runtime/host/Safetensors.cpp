//===- Safetensors.cpp - Weights in and out -------------------------------===//
#include "runtime/host/Safetensors.h"
#include "runtime/core/Layout.h"
#include "runtime/host/Array.h"
#include "runtime/host/Json.h"

namespace cornu::runtime {

namespace {
struct Name {
  const char *code;
  Element element;
};
constexpr Name kNames[] = {
    {"F32", Element::Float32}, {"F64", Element::Float64},
    {"F16", Element::Float16}, {"BF16", Element::BFloat16},
    {"I8", Element::Int8},     {"I16", Element::Int16},
    {"I32", Element::Int32},   {"I64", Element::Int64},
    {"U8", Element::UInt8},    {"U16", Element::UInt16},
    {"U32", Element::UInt32},  {"U64", Element::UInt64},
    {"BOOL", Element::Bool}};

struct Tensor {
  String name;
  ElementType type;
  Vector<int64_t> shape;
  Bytes data;
};
} // namespace

bool isSaved(const cornu_variable &variable) {
  return variable.kind == CORNU_TRAINABLE ||
         variable.kind == CORNU_NON_TRAINABLE ||
         variable.kind == CORNU_OPTIMIZER;
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static const char *codeOf(cornu_dtype dtype) {
  for (const Name &row : kNames)
    if (row.element == elementOf(dtype))
      return row.code;
  return "F32";
}

static String headerOf(const cornu_model &model) {
  JsonObject header;
  header.addRaw(
      "__metadata__",
      JsonObject().add("format", "cornu").add("model", model.name).text());
  uint64_t offset = 0;
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &variable = model.variables[i];
    uint64_t bytes = 0;
    if (!isSaved(variable) || !variableBytes(variable, bytes))
      continue;
    String shape("[");
    for (int32_t d = 0; d < variable.rank; ++d)
      shape.appendFormat("%s%lld", d ? ", " : "",
                         static_cast<long long>(variable.shape[d]));
    shape += "]";
    header.addRaw(
        variable.name,
        JsonObject()
            .add("dtype", codeOf(variable.dtype))
            .addRaw("shape", shape)
            .addRaw("data_offsets",
                    format("[%llu, %llu]",
                           static_cast<unsigned long long>(offset),
                           static_cast<unsigned long long>(offset + bytes)))
            .text());
    offset += bytes;
  }
  String text = header.text();
  while (text.size() % 8)
    text += " "; // so that the data are aligned
  return text;
}

Error saveWeights(const char *path, const cornu_model &model,
                  const void *state) {
  OutputFile file;
  if (Error error = file.create(path))
    return error;
  String header = headerOf(model);
  uint64_t length = header.size();
  if (Error error = file.write(&length, sizeof(length)))
    return error;
  if (Error error = file.write(header.c_str(), header.size()))
    return error;
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &variable = model.variables[i];
    uint64_t bytes = 0;
    if (!isSaved(variable) || !variableBytes(variable, bytes))
      continue;
    Vector<char> rowMajor;
    const char *data = static_cast<const char *>(state) + variable.offset;
    if (variable.panels) {
      rowMajor.resize(bytes);
      toRowMajor(variable, state, rowMajor.data());
      data = rowMajor.data();
    }
    if (Error error = file.write(data, bytes))
      return error;
  }
  return file.commit();
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static bool parseTensor(JsonReader &reader, Tensor &tensor, Bytes data) {
  String code;
  Vector<int64_t> offsets;
  bool read = reader.object([&](const String &key) {
    std::string_view name = key;
    if (name == "dtype")
      return reader.string(code);
    if (name == "shape")
      return reader.integers(tensor.shape);
    if (name == "data_offsets")
      return reader.integers(offsets);
    return reader.skip();
  });
  const Name *known = nullptr;
  for (const Name &row : kNames)
    if (std::string_view(code) == row.code)
      known = &row;
  if (!read || !known || offsets.size() != 2 || offsets[0] < 0 ||
      offsets[1] < offsets[0] || uint64_t(offsets[1]) > data.size)
    return false;
  tensor.type.element = known->element;
  tensor.data = {data.data + offsets[0], uint64_t(offsets[1] - offsets[0])};
  uint64_t count, bytes;
  return elementCount(tensor.shape.data(), int32_t(tensor.shape.size()),
                      count) &&
         !__builtin_mul_overflow(count, elementBytes(known->element), &bytes) &&
         bytes == tensor.data.size;
}

static Error parseFile(const char *path, Bytes file, Vector<Tensor> &tensors) {
  uint64_t length = 0;
  if (file.size >= 8)
    memcpy(&length, file.data, 8);
  if (file.size < 8 || length > file.size - 8)
    return failure("%s: this is not a .safetensors file, or it is truncated",
                   path);
  Bytes data = {file.data + 8 + length, file.size - 8 - length};
  JsonReader reader({file.data + 8, length});
  bool read = reader.object([&](const String &key) {
    if (std::string_view(key) == "__metadata__")
      return reader.skip();
    Tensor tensor;
    tensor.name = key;
    if (!parseTensor(reader, tensor, data))
      return false;
    tensors.push_back(std::move(tensor));
    return true;
  });
  if (!read)
    return failure("%s: the header of the .safetensors file is damaged, or "
                   "the file is truncated",
                   path);
  return success();
}

static bool isOptimizerName(std::string_view name) {
  return startsWith(name, "optimizer/");
}

static Error checkShape(const char *path, const Tensor &tensor,
                        const cornu_variable &variable) {
  bool same = tensor.shape.size() == size_t(variable.rank);
  for (int32_t d = 0; same && d < variable.rank; ++d)
    same = tensor.shape[size_t(d)] == variable.shape[d];
  if (same)
    return success();
  return failure("%s: '%s' has shape %s, the model's has %s", path,
                 variable.name,
                 shapeText(tensor.shape.data(), tensor.shape.size()).c_str(),
                 shapeText(variable.shape, size_t(variable.rank)).c_str());
}

Error loadWeights(const char *path, const cornu_model &model, void *state) {
  MappedFile file;
  Vector<Tensor> tensors;
  if (Error error = file.open(path))
    return error;
  if (Error error = parseFile(path, file.bytes(), tensors))
    return error;
  Vector<String> names;
  for (int32_t i = 0; i < model.num_variables; ++i)
    if (isSaved(model.variables[i]))
      names.push_back(model.variables[i].name);
  Vector<char> loaded;
  loaded.resize(size_t(model.num_variables));
  for (const Tensor &tensor : tensors) {
    const cornu_variable *variable = findVariable(model, tensor.name.c_str());
    if (!variable && isOptimizerName(tensor.name))
      continue; // another optimizer's, or no training in this program
    if (!variable || !isSaved(*variable))
      return failure("%s: the model has no variable '%s'%s", path,
                     tensor.name.c_str(),
                     suggestion(tensor.name, names).c_str());
    if (Error error = checkShape(path, tensor, *variable))
      return error;
    uint64_t count = 0;
    elementCount(variable->shape, variable->rank, count);
    Vector<char> rowMajor;
    char *place = static_cast<char *>(state) + variable->offset;
    if (variable->panels) {
      rowMajor.resize(count * elementBytes(variable->dtype));
      place = rowMajor.data();
    }
    Misfit misfit = convertElements(tensor.data.data, tensor.type, count,
                                    variable->dtype, 0, place);
    if (misfit.found)
      return failure("%s: '%s', element %llu: %s", path, variable->name,
                     static_cast<unsigned long long>(misfit.index),
                     misfit.reason.c_str());
    if (variable->panels)
      fromRowMajor(*variable, rowMajor.data(), state);
    loaded[size_t(variable - model.variables)] = 1;
  }
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &variable = model.variables[i];
    bool weight = variable.kind == CORNU_TRAINABLE ||
                  variable.kind == CORNU_NON_TRAINABLE;
    if (weight && !loaded[size_t(i)])
      return failure("%s: the variable '%s' is missing; the file belongs to "
                     "another model",
                     path, variable.name);
  }
  return success();
}

} // namespace cornu::runtime
