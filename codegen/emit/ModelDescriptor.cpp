//===- ModelDescriptor.cpp - Reads the attribute cornu.model --------------===//

#include "codegen/emit/ModelDescriptor.h"
#include "codegen/IR/Codegen.h"
#include "codegen/target/Target.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Alignment.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

std::optional<cornu_dtype> dtypeOf(Type type) {
  if (type.isF32())
    return CORNU_FLOAT32;
  if (type.isF64())
    return CORNU_FLOAT64;
  if (type.isUnsignedInteger(8))
    return CORNU_UINT8;
  if (type.isInteger(1))
    return CORNU_BOOL;
  if (type.isInteger(8))
    return CORNU_INT8;
  if (type.isInteger(32))
    return CORNU_INT32;
  if (type.isInteger(64))
    return CORNU_INT64;
  return std::nullopt;
}

/// Reads members of dictionaries; each failure is diagnosed once, by the path
/// of the member.
class Reader {
public:
  Reader(Location loc) : loc(loc) {}

  bool failed() const { return anyFailure; }

  template <typename AttrT>
  AttrT member(DictionaryAttr dictionary, StringRef key, const Twine &path,
               bool required = true) {
    Attribute value = dictionary ? dictionary.get(key) : Attribute();
    auto typed = dyn_cast_or_null<AttrT>(value);
    if (!typed && (value || required))
      error(path + "." + key +
            (value ? " has the wrong kind of attribute" : " is missing"));
    return typed;
  }
  std::string text(DictionaryAttr d, StringRef key, const Twine &path,
                   bool required = true) {
    auto attr = member<StringAttr>(d, key, path, required);
    return attr ? attr.str() : std::string();
  }
  int64_t number(DictionaryAttr d, StringRef key, const Twine &path,
                 bool required = true) {
    auto attr = member<IntegerAttr>(d, key, path, required);
    return attr ? attr.getInt() : 0;
  }
  /// Calls `read(element, path)` for each dictionary of an array.
  template <typename Function>
  void each(DictionaryAttr d, StringRef key, Function read) {
    auto array = member<ArrayAttr>(d, key, "cornu.model", /*required=*/false);
    if (!array)
      return;
    for (auto [i, element] : llvm::enumerate(array)) {
      std::string path = ("cornu.model." + key + "[" + Twine(i) + "]").str();
      if (auto dictionary = dyn_cast<DictionaryAttr>(element))
        read(dictionary, path);
      else
        error(path + " is not a dictionary");
    }
  }
  void error(const Twine &message) {
    emitError(loc) << message.str();
    anyFailure = true;
  }

private:
  Location loc;
  bool anyFailure = false;
};

std::vector<ModelTensor> readTensors(Reader &reader, DictionaryAttr model,
                                     StringRef key) {
  std::vector<ModelTensor> tensors;
  reader.each(model, key, [&](DictionaryAttr d, const std::string &path) {
    ModelTensor tensor;
    tensor.name = reader.text(d, "name", path);
    tensor.upperBound = reader.number(d, "upper_bound", path, false);
    auto attr = reader.member<TypeAttr>(d, "type", path);
    auto type = attr ? dyn_cast<RankedTensorType>(attr.getValue()) : nullptr;
    std::optional<cornu_dtype> dtype;
    if (type)
      dtype = dtypeOf(type.getElementType());
    if (!type || !dtype || type.getRank() == 0)
      return reader.error(path + ".type is not a tensor of a batch");
    tensor.dtype = *dtype;
    tensor.shape = type.getShape().drop_front().vec();
    if (llvm::any_of(tensor.shape, ShapedType::isDynamic))
      return reader.error(path + ".type has an unknown size besides the batch");
    tensors.push_back(std::move(tensor));
  });
  return tensors;
}

/// How a convolution's kernel is transformed, if it is.
std::optional<ModelFiltering> readFiltering(Reader &reader, DictionaryAttr d,
                                            const std::string &path) {
  if (!d)
    return std::nullopt;
  ModelFiltering filtering;
  filtering.points = reader.number(d, "points", path);
  filtering.parts = reader.number(d, "parts", path);
  filtering.width = reader.number(d, "width", path);
  auto matrix = reader.member<DenseFPElementsAttr>(d, "matrix", path);
  if (!matrix || matrix.getType().getRank() != 2 ||
      !matrix.getElementType().isF64() || filtering.width < 1 ||
      matrix.getType().getShape()[0] != filtering.points * filtering.parts) {
    reader.error(path + ".matrix does not have a row for each point and part");
    return std::nullopt;
  }
  filtering.taps = matrix.getType().getShape()[1];
  auto values = matrix.getValues<double>();
  filtering.matrix.assign(values.begin(), values.end());
  return filtering;
}

std::vector<ModelVariable> readVariables(Reader &reader, DictionaryAttr model) {
  std::vector<ModelVariable> variables;
  reader.each(
      model, "variables", [&](DictionaryAttr d, const std::string &path) {
        ModelVariable variable;
        variable.name = reader.text(d, "name", path);
        variable.offset = reader.number(d, "offset", path);
        variable.panels = reader.number(d, "panels", path, false);
        variable.columns = reader.number(d, "columns", path, false);
        variable.filtering = readFiltering(
            reader, reader.member<DictionaryAttr>(d, "filtering", path, false),
            path + ".filtering");
        variable.value = reader.member<ElementsAttr>(d, "value", path, false);
        auto attr = reader.member<TypeAttr>(d, "type", path);
        auto type =
            attr ? dyn_cast<RankedTensorType>(attr.getValue()) : nullptr;
        std::optional<cornu_dtype> dtype;
        if (type)
          dtype = dtypeOf(type.getElementType());
        if (!type || !dtype || !type.hasStaticShape())
          return reader.error(path + ".type is not a tensor of known shape");
        variable.dtype = *dtype;
        variable.shape = type.getShape().vec();
        auto kind = llvm::StringSwitch<int>(reader.text(d, "kind", path))
                        .Case("trainable", CORNU_TRAINABLE)
                        .Case("non_trainable", CORNU_NON_TRAINABLE)
                        .Case("optimizer", CORNU_OPTIMIZER)
                        .Case("metric", CORNU_METRIC)
                        .Case("random", CORNU_RANDOM)
                        .Default(-1);
        if (kind < 0)
          return reader.error(path + ".kind is not a kind of variable");
        variable.kind = cornu_variable_kind(kind);
        variables.push_back(std::move(variable));
      });
  llvm::sort(variables, [](const ModelVariable &a, const ModelVariable &b) {
    return a.offset < b.offset;
  });
  return variables;
}

} // namespace

int64_t ModelTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

uint64_t ModelVariable::bytes() const {
  uint64_t count = bytesOf(dtype);
  for (int64_t size : shape)
    count *= size;
  // For each channel, all points and parts instead of the taps, and full
  // vectors.
  if (filtering)
    count = count / (filtering->taps * columns) * filtering->points *
            filtering->parts * llvm::alignTo(columns, filtering->width);
  return count;
}

cornu_scratch ModelDescriptor::withUnitWeights(cornu_scratch scratch) {
  scratch.fixed += CORNU_ALIGNMENT;
  scratch.per_sample += sizeof(float);
  return scratch;
}

uint64_t scratchBytes(const cornu_scratch &scratch, uint64_t batch,
                      uint64_t workers) {
  uint64_t samples =
      scratch.most_samples ? std::min(batch, scratch.most_samples) : batch;
  return scratch.fixed + scratch.per_sample * samples +
         scratch.per_worker * workers;
}

/// The samples that a prediction computes together; 0 for any number. What one
/// kernel writes should still be near when the next reads it, but weights are
/// read again for each part of a batch: they should not be the larger share.
static uint64_t samplesAtATime(const ModelDescriptor &model,
                               const Target &target) {
  uint64_t perSample = model.predictScratch.per_sample;
  if (perSample == 0)
    return 0;
  // What a core can expect of the caches: its own, and its share of the next.
  uint64_t near = 4 * uint64_t(target.l2Bytes);
  uint64_t weights = 0;
  for (const ModelVariable &variable : model.variables)
    if (variable.kind == CORNU_TRAINABLE ||
        variable.kind == CORNU_NON_TRAINABLE)
      weights += variable.bytes();
  return std::max<uint64_t>(
      {near / perSample, llvm::divideCeil(weights, 2 * perSample), 1});
}

/// The largest need of the kernels, or, once they are lowered, what the module
/// says instead of them.
static uint64_t workspace(ModuleOp module, StringRef name) {
  auto bytesOf = [&](Operation *op) -> int64_t {
    auto attr = op->getAttrOfType<IntegerAttr>(name);
    return attr ? attr.getInt() : 0;
  };
  int64_t bytes = bytesOf(module);
  for (auto kernel : module.getOps<func::FuncOp>())
    bytes = std::max(bytes, bytesOf(kernel));
  return bytes;
}

FailureOr<ModelDescriptor> ModelDescriptor::read(ModuleOp module) {
  auto attr = module->getAttrOfType<DictionaryAttr>(modelAttrName);
  if (!attr)
    return module.emitError("has no attribute cornu.model, which the stage of "
                            "buffers writes");
  Reader reader(module.getLoc());
  ModelDescriptor model;
  StringRef path = modelAttrName;
  model.name = reader.text(attr, "name", path);
  model.compiled = reader.text(attr, "compiled", path, false);
  if (model.compiled.empty())
    model.compiled = "{}";
  model.inputs = readTensors(reader, attr, "inputs");
  model.outputs = readTensors(reader, attr, "outputs");
  model.targets = readTensors(reader, attr, "targets");
  model.variables = readVariables(reader, attr);
  if (auto names = reader.member<ArrayAttr>(attr, "metric_names", path, false))
    for (Attribute name : names)
      if (auto text = dyn_cast<StringAttr>(name))
        model.metricNames.push_back(text.str());
  reader.each(attr, "layers", [&](DictionaryAttr d, const std::string &p) {
    model.layers.push_back(
        {reader.text(d, "name", p), reader.text(d, "class_name", p),
         reader.text(d, "output_shape", p), reader.number(d, "parameters", p)});
  });
  model.fixedBatch = reader.number(attr, "fixed_batch", path, false);
  model.stateBytes = reader.number(attr, "state_bytes", path);
  model.gradientBytes = reader.number(attr, "gradient_bytes", path, false);
  model.metricsOffset = reader.number(attr, "metrics_offset", path, false);
  model.metricsBytes = reader.number(attr, "metrics_bytes", path, false);

  uint64_t perWorker = workspace(module, CodegenDialect::kWorkspaceAttr);
  uint64_t shared = workspace(module, CodegenDialect::kSharedWorkspaceAttr);
  auto scratch = [&](StringRef key) {
    auto d = reader.member<DictionaryAttr>(attr, key, path, false);
    cornu_scratch bytes{0, 0, perWorker, 0};
    if (d) {
      // Never empty: a C array of no elements is an error.
      bytes.fixed = std::max<int64_t>(
          reader.number(d, "fixed", path + "." + key) + shared,
          CORNU_ALIGNMENT);
      bytes.per_sample = reader.number(d, "per_sample", path + "." + key);
    }
    return bytes;
  };
  model.predictScratch = scratch("predict_scratch");
  if (attr.get("independent_samples"))
    model.predictScratch.most_samples =
        samplesAtATime(model, Target::of(module));
  model.evaluateScratch = scratch("evaluate_scratch");
  model.trainScratch = scratch("train_scratch");

  for (const ModelVariable &variable : model.variables)
    if (variable.offset + variable.bytes() > model.stateBytes)
      reader.error("variable '" + variable.name +
                   "' reaches beyond the state block");
  if (reader.failed())
    return failure();
  return model;
}

uint64_t bytesOf(cornu_dtype dtype) {
  switch (dtype) {
  case CORNU_FLOAT64:
  case CORNU_INT64:
    return 8;
  case CORNU_FLOAT32:
  case CORNU_INT32:
    return 4;
  case CORNU_INT8:
  case CORNU_UINT8:
  case CORNU_BOOL:
    return 1;
  }
  return 0;
}

StringRef cNameOf(cornu_dtype dtype) {
  switch (dtype) {
  case CORNU_FLOAT32:
    return "float";
  case CORNU_FLOAT64:
    return "double";
  case CORNU_INT8:
    return "int8_t";
  case CORNU_UINT8:
    return "uint8_t";
  case CORNU_INT32:
    return "int32_t";
  case CORNU_INT64:
    return "int64_t";
  case CORNU_BOOL:
    return "uint8_t";
  }
  return "";
}

StringRef enumeratorOf(cornu_dtype dtype) {
  switch (dtype) {
  case CORNU_FLOAT32:
    return "CORNU_FLOAT32";
  case CORNU_FLOAT64:
    return "CORNU_FLOAT64";
  case CORNU_INT8:
    return "CORNU_INT8";
  case CORNU_UINT8:
    return "CORNU_UINT8";
  case CORNU_INT32:
    return "CORNU_INT32";
  case CORNU_INT64:
    return "CORNU_INT64";
  case CORNU_BOOL:
    return "CORNU_BOOL";
  }
  return "";
}

} // namespace cornu::codegen
