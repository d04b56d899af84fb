//===- ModelConfig.cpp - Reading a model's configuration ------------------===//

#include "frontend/import/ModelConfig.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

bool cornu::frontend::isFunctional(const Json &layer) {
  StringRef name = layer.at("class_name").str();
  return name == "Functional" || name == "Model";
}

bool cornu::frontend::isModel(const Json &layer) {
  return isFunctional(layer) || layer.at("class_name").str() == "Sequential";
}

std::string cornu::frontend::layerName(const Json &layer) {
  const Json &outer = layer.at("name");
  return (outer.isString() ? outer : layer.at("config").at("name")).str().str();
}

Type cornu::frontend::elementTypeOf(ModelBuilder &model, StringRef dtype) {
  Builder &b = model.builder;
  return llvm::StringSwitch<Type>(dtype)
      .Case("float64", b.getF64Type())
      .Cases({"int32", "int64", "int16", "uint16", "uint32"}, b.getI32Type())
      .Case("int8", b.getI8Type())
      .Case("uint8", b.getIntegerType(8, /*isSigned=*/false))
      .Case("bool", b.getI1Type())
      .Default(b.getF32Type());
}

// Normalizes a single triple, a list of triples and a dict to a list, dicts in
// the order of sorted keys.
std::vector<std::pair<std::string, const Json *>>
cornu::frontend::flattenTriples(const Json &json) {
  std::vector<std::pair<std::string, const Json *>> out;
  if (json.isArray() && json.at(size_t{0}).isString()) {
    out.push_back({"", &json});
  } else if (json.isArray()) {
    for (const Json *item : json.items())
      for (auto &entry : flattenTriples(*item))
        out.push_back(entry);
  } else if (json.isObject()) {
    std::vector<size_t> order;
    for (size_t i = 0; i < json.size(); ++i)
      order.push_back(i);
    llvm::sort(order, [&](size_t a, size_t b) {
      return json.keys()[a] < json.keys()[b];
    });
    for (size_t i : order)
      for (auto &[key, triple] : flattenTriples(json.at(i)))
        out.push_back({json.keys()[i], triple});
  }
  return out;
}

const Json *cornu::frontend::historyOf(const Json &json) {
  if (json.isObject() && json.at("class_name").str() == "__keras_tensor__")
    return json.at("config").find("keras_history");
  return nullptr;
}

//===----------------------------------------------------------------------===//
// The outermost model
//===----------------------------------------------------------------------===//

static bool readInput(ModelBuilder &model, const Json &layer, StringRef name,
                      const Json &shape, SmallVectorImpl<ModelInput> &inputs) {
  ModelInput input;
  input.name = name.str();
  if (!shape.isArray() || shape.size() == 0) {
    model.diagnostics.error(name, &layer, "the input has no shape");
    return false;
  }
  StringRef dtype = layer.at("config").at("dtype").str();
  input.type = elementTypeOf(model, dtype.empty() ? "float32" : dtype);
  bool ok = true;
  for (size_t i = 0; i < shape.size(); ++i) {
    const Json &item = shape.at(i);
    std::optional<int64_t> size = item.asInteger();
    if (i == 0) {
      input.shape.push_back(ShapedType::kDynamic);
    } else if (size && *size > 0 && *size <= (int64_t{1} << 31)) {
      input.shape.push_back(*size);
    } else {
      model.diagnostics.error(
          name, &item,
          item.isNull()
              ? Twine("the input has an unknown size in dimension ") + Twine(i)
              : Twine("impossible size ") + item.dump() + " in dimension " +
                    Twine(i) + " of the input",
          "only the batch may vary: build the model with a fixed size, such "
          "as keras.Input((80,))");
      ok = false;
    }
  }
  if (layer.at("config").at("sparse").asBool() == true ||
      layer.at("config").at("ragged").asBool() == true) {
    model.diagnostics.error(name, &layer,
                            "sparse and ragged inputs are not supported",
                            "use a dense input");
    ok = false;
  }
  inputs.push_back(std::move(input));
  return ok;
}

bool cornu::frontend::modelInputs(ModelBuilder &model, const Json &layer,
                                  SmallVectorImpl<ModelInput> &inputs) {
  const Json &config = layer.at("config");
  const Json &layers = config.at("layers");
  if (!layers.isArray() || layers.size() == 0) {
    model.diagnostics.error({}, &layer, "the model has no layers");
    return false;
  }
  if (!isFunctional(layer)) {
    const Json &first = layers.at(size_t{0});
    StringRef className = first.at("class_name").str();
    if (className == "InputLayer")
      return readInput(model, first, layerName(first),
                       first.at("config").at("batch_shape"), inputs);
    // A Sequential whose first layer is a model takes that model's inputs.
    if (isModel(first))
      return modelInputs(model, first, inputs);
    const Json *shape = config.find("build_input_shape");
    if (!shape)
      shape = layer.at("build_config").find("input_shape");
    if (!shape)
      shape = first.at("build_config").find("input_shape");
    if (!shape || !shape->isArray()) {
      model.diagnostics.error(
          {}, &layer,
          "the model was never built: the shape of its input is not stored",
          "add keras.Input(shape) as its first layer, or call model.build()");
      return false;
    }
    return readInput(model, first, layerName(first) + "_input", *shape, inputs);
  }
  bool ok = true;
  auto triples = flattenTriples(config.at("input_layers"));
  if (triples.empty()) {
    model.diagnostics.error({}, &layer, "the model has no inputs");
    return false;
  }
  llvm::StringMap<const Json *> inputLayers;
  for (const Json *candidate : layers.items())
    if (candidate->at("class_name").str() == "InputLayer")
      inputLayers[layerName(*candidate)] = candidate;
  for (auto &[key, triple] : triples) {
    StringRef name = triple->at(size_t{0}).str();
    const Json *found = inputLayers.lookup(name);
    if (!found) {
      model.diagnostics.error({}, triple,
                              "input_layers names '" + name +
                                  "', which is not an InputLayer of the model");
      ok = false;
      continue;
    }
    ok &= readInput(model, *found, name, found->at("config").at("batch_shape"),
                    inputs);
  }
  return ok;
}

bool cornu::frontend::hasDictOutputs(const Json &layer) {
  return isFunctional(layer) &&
         layer.at("config").at("output_layers").isObject();
}

std::vector<std::string> cornu::frontend::outputNames(const Json &layer) {
  std::vector<std::string> names;
  const Json &config = layer.at("config");
  if (!isFunctional(layer)) {
    const Json &layers = config.at("layers");
    const Json &last = layers.at(layers.size() ? layers.size() - 1 : 0);
    if (isModel(last))
      return outputNames(last).size() == 1
                 ? std::vector<std::string>{layerName(last)}
                 : outputNames(last);
    names.push_back(layerName(last));
    return names;
  }
  llvm::StringMap<unsigned> used;
  for (auto &[key, triple] : flattenTriples(config.at("output_layers"))) {
    std::string name = key.empty() ? triple->at(size_t{0}).str().str() : key;
    unsigned number = used[name]++;
    names.push_back(number ? name + "_" + std::to_string(number) : name);
  }
  return names;
}

void cornu::frontend::checkClasses(ModelBuilder &model, const Json &layer,
                                   StringRef path) {
  const Json &layers = layer.at("config").at("layers");
  for (const Json *inner : layers.items()) {
    std::string name = layerName(*inner);
    std::string where = path.empty() ? name : path.str() + "/" + name;
    if (inner->at("class_name").str() == "InputLayer")
      continue;
    if (isModel(*inner))
      checkClasses(model, *inner, where);
    else if (isOperation(*inner))
      checkOperation(model, *inner, where);
    else if (!Registry::get().find(inner->at("class_name").str()))
      Registry::get().reportUnknown(*inner, where, model.diagnostics);
  }
}

static void collectSources(const Json &json, llvm::StringSet<> &seen,
                           std::vector<std::string> &out) {
  if (const Json *history = historyOf(json)) {
    StringRef name = history->at(size_t{0}).str();
    if (seen.insert(name).second)
      out.push_back(name.str());
    return;
  }
  for (const Json *item : json.items())
    collectSources(*item, seen, out);
}

void cornu::frontend::summarizeLayers(ModelBuilder &model, const Json &layer,
                                      ImportedModel &result) {
  std::string previous;
  const Json &layers = layer.at("config").at("layers");
  // All and trainable parameters of each layer.
  std::map<size_t, std::pair<int64_t, int64_t>> counts;
  for (const auto &variable : model.variables) {
    if (variable->order.empty())
      continue;
    int64_t count = countElements(variable->shape).value_or(0);
    counts[variable->order[0]].first += count;
    if (variable->kind == nn::VariableKind::trainable)
      counts[variable->order[0]].second += count;
  }
  for (size_t i = 0; i < layers.size(); ++i) {
    const Json &inner = layers.at(i);
    llvm::StringSet<> seen;
    LayerRow row;
    row.name = layerName(inner);
    row.className = inner.at("class_name").str().str();
    auto shapes = model.outputShapes.find(row.name);
    if (shapes != model.outputShapes.end())
      row.outputShapes = shapes->second;
    if (row.className == "InputLayer") {
      std::vector<int64_t> shape;
      for (const Json *size : inner.at("config").at("batch_shape").items())
        shape.push_back(shape.empty() ? -1 : size->asInteger().value_or(-1));
      row.outputShapes.push_back(shape);
    }
    row.parameters = counts[i].first;
    row.trainableParameters = counts[i].second;
    if (isFunctional(layer))
      collectSources(inner.at("inbound_nodes"), seen, row.inputs);
    else if (!previous.empty())
      row.inputs.push_back(previous);
    previous = row.name;
    result.layers.push_back(std::move(row));
  }
}
