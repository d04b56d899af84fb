//===- Model.cpp - Sequential and Functional models -----------------------===//
//
// A model is itself a layer, so that nested models need nothing special. The
// graph of a Functional model is a list of calls (nodes) whose arguments name
// the results of other calls; they are imported in the order in which their
// arguments become known.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/ModelConfig.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include <deque>

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// The group of each layer: the snake case of its class, numbered per class.
// Op nodes are not layers, nor is a Sequential's InputLayer.
static std::vector<std::string> layerGroups(const Json &model,
                                            StringRef group) {
  std::vector<std::string> out;
  llvm::StringMap<unsigned> used;
  std::string prefix = group.empty() ? "layers/" : (group + "/layers/").str();
  for (const Json *layer : model.at("config").at("layers").items()) {
    std::string name = layer->at("class_name").str().str();
    bool counts =
        !isOperation(*layer) && (isFunctional(model) || name != "InputLayer");
    // Keras's Python class behind this public name.
    if (name == "GroupQueryAttention")
      name = "GroupedQueryAttention";
    std::string key = snakeCase(name);
    unsigned number = counts ? used[key]++ : 0;
    out.push_back(prefix + key + (number ? "_" + std::to_string(number) : ""));
  }
  return out;
}

static Scope ownScope(const Scope &model, const Json &layer, StringRef group,
                      unsigned index) {
  Scope scope;
  std::string name = layerName(layer);
  scope.built = model.path.empty() ? 0 : model.path.size() + 1;
  scope.path = model.path.empty() ? name : model.path + "/" + name;
  scope.group = group.str();
  scope.trainable = model.trainable;
  scope.order = model.order;
  scope.order.push_back(index);
  return scope;
}

static Scope layerScope(const ModelBuilder &model, const Scope &outer,
                        const Json &layer, StringRef group, unsigned index) {
  if (std::optional<int64_t> id = layer.at("shared_object_id").asInteger()) {
    auto first = model.sharedLayers.find(*id);
    if (first != model.sharedLayers.end())
      return first->second;
  }
  return ownScope(outer, layer, group, index);
}

void cornu::frontend::findSharedLayers(ModelBuilder &model, const Json &layer,
                                       const Scope &scope) {
  const Json &layers = layer.at("config").at("layers");
  std::vector<std::string> groups = layerGroups(layer, scope.group);
  for (size_t i = 0; i < layers.size(); ++i) {
    const Json &inner = layers.at(i);
    Scope where = ownScope(scope, inner, groups[i], i);
    bool first = true;
    if (std::optional<int64_t> id = inner.at("shared_object_id").asInteger())
      first = model.sharedLayers.try_emplace(*id, where).second;
    if (first && isModel(inner))
      findSharedLayers(model, inner, where);
  }
}

/// Weights are found by the names of their layers.
static void reportNameTwice(ModelBuilder &model, const Scope &scope,
                            const Json &layer) {
  model.diagnostics.error(scope.path, &layer,
                          "two layers are named '" + layerName(layer) + "'",
                          "rename one of them");
}

static void noteShapes(ModelBuilder &model, const Scope &scope,
                       ArrayRef<Tensor> results) {
  if (scope.order.size() != 1)
    return;
  auto &shapes = model.outputShapes[scope.path];
  if (!shapes.empty())
    return;
  for (const Tensor &tensor : results) {
    Shape shape = Math::shape(tensor.value);
    for (int64_t &size : shape)
      size = ShapedType::isDynamic(size) ? -1 : size;
    shapes.push_back({shape.begin(), shape.end()});
  }
}

// A stand-in for what a layer with an error would have returned, so that the
// layers after it are checked too. The module is discarded in the end.
static Value placeholder(ModelBuilder &model, const Json &shape, Type type,
                         Location loc) {
  if (!shape.isArray() || !shape.size())
    return {};
  Shape sizes;
  for (size_t i = 0; i < shape.size(); ++i) {
    std::optional<int64_t> size = shape.at(i).asInteger();
    if (i == 0)
      sizes.push_back(ShapedType::kDynamic);
    else if (size && *size > 0 && *size < (int64_t{1} << 31))
      sizes.push_back(*size);
    else
      return {};
  }
  auto tensor = RankedTensorType::get(sizes, type);
  return UnrealizedConversionCastOp::create(model.builder, loc, tensor,
                                            ValueRange())
      .getResult(0);
}

//===----------------------------------------------------------------------===//
// Sequential
//===----------------------------------------------------------------------===//

static void importSequential(LayerCall &call) {
  ModelBuilder &model = call.model;
  const Json &layers = call.config.at("layers");
  std::vector<std::string> groups = layerGroups(call.layer, call.scope.group);
  std::vector<Tensor> values{call.inputs()[0]};
  llvm::StringSet<> names;
  for (size_t i = 0; i < layers.size(); ++i) {
    const Json &layer = layers.at(i);
    if (layer.at("class_name").str() == "InputLayer") {
      if (i > 0)
        model.diagnostics.error(
            call.scope.path, &layer,
            "an InputLayer stands after other layers of a Sequential model",
            "only its first layer may be one: remove the others");
      continue;
    }
    std::string name = layerName(layer);
    if (!name.empty() && !names.insert(name).second)
      reportNameTwice(model, call.scope, layer);
    Scope scope = layerScope(model, call.scope, layer, groups[i], i);
    if (values.empty()) {
      Value value =
          placeholder(model, layer.at("build_config").at("input_shape"),
                      call.floatType(), call.math.getLoc());
      if (!value)
        continue;
      values.push_back({value, {}});
    }
    Arguments arguments;
    arguments.positional.push_back(Argument::of(values[0]));
    values = callLayer(model, layer, scope, std::move(arguments));
    if (!values.empty())
      noteShapes(model, scope, values);
    if (values.size() > 1) {
      model.diagnostics.error(
          scope.path, &layer,
          "a layer of a Sequential model returns several tensors",
          "a Functional model can have such a layer");
      values.resize(1);
    }
  }
  call.results.assign(values.begin(), values.end());
}

//===----------------------------------------------------------------------===//
// Functional
//===----------------------------------------------------------------------===//

namespace {

class FunctionalImporter {
public:
  explicit FunctionalImporter(LayerCall &call)
      : call(call), model(call.model), layers(call.config.at("layers")) {}
  void run();

private:
  struct Node {
    size_t layer;
    size_t index; // which call of the layer
    unsigned missing = 0;
    std::vector<size_t> users;
    bool done = false;
    std::vector<Tensor> results;
  };

  void indexLayers();
  bool bindInputs();
  void collectUses(const Json &json, size_t user);
  std::optional<size_t> nodeOf(const Json &layer, const Json &index) const;
  Argument argument(const Json &json);
  Argument tensorArgument(const Json &json);
  void importNode(size_t id);
  void reportCycle();
  void takeOutput(const Json &output);

  LayerCall &call;
  ModelBuilder &model;
  const Json &layers;
  std::vector<std::string> groups;
  llvm::StringMap<size_t> layerIndex;
  std::vector<std::vector<size_t>> nodesOfLayer;
  std::vector<Node> nodes;
};

} // namespace

void FunctionalImporter::indexLayers() {
  nodesOfLayer.resize(layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    const Json &layer = layers.at(i);
    std::string name = layerName(layer);
    if (!layerIndex.try_emplace(name, i).second)
      reportNameTwice(model, call.scope, layer);
    size_t calls = layer.at("class_name").str() == "InputLayer"
                       ? 1
                       : layer.at("inbound_nodes").size();
    for (size_t k = 0; k < calls; ++k) {
      nodesOfLayer[i].push_back(nodes.size());
      Node node;
      node.layer = i;
      node.index = k;
      nodes.push_back(std::move(node));
    }
  }
}

std::optional<size_t> FunctionalImporter::nodeOf(const Json &layer,
                                                 const Json &index) const {
  auto it = layerIndex.find(layer.str());
  std::optional<int64_t> number = index.asInteger();
  if (it == layerIndex.end() || !number || *number < 0 ||
      static_cast<size_t>(*number) >= nodesOfLayer[it->second].size())
    return std::nullopt;
  return nodesOfLayer[it->second][*number];
}

bool FunctionalImporter::bindInputs() {
  auto triples = flattenTriples(call.config.at("input_layers"));
  ArrayRef<Tensor> inputs = call.inputs();
  // A dict given to a model with a list of inputs is looked up by their names.
  SmallVector<Tensor> ordered(inputs);
  const Argument *first = call.argument(0, "inputs");
  if (first && first->kind == Argument::Kind::Dict &&
      !call.config.at("input_layers").isObject()) {
    ordered.clear();
    for (auto &[key, triple] : triples)
      for (auto [i, name] : llvm::enumerate(first->keys))
        if (name == triple->at(size_t{0}).str())
          ordered.push_back(first->items[i].tensor);
  }
  if (ordered.size() != triples.size()) {
    call.error("the model has " + Twine(triples.size()) +
               " inputs and is called with " + Twine(ordered.size()));
    return false;
  }
  for (auto [entry, tensor] : llvm::zip(triples, ordered)) {
    const Json &triple = *entry.second;
    auto it = layerIndex.find(triple.at(size_t{0}).str());
    if (it == layerIndex.end() || nodesOfLayer[it->second].empty()) {
      model.diagnostics.error(call.scope.path, &triple,
                              "input_layers names a layer that does not exist");
      return false;
    }
    const Json &declared = layers.at(it->second).at("config").at("batch_shape");
    Value value = tensor.value;
    int64_t want = static_cast<int64_t>(declared.size());
    // Keras adds or removes a last dimension of size 1.
    if (value && declared.isArray()) {
      if (Math::rank(value) == want + 1 && Math::size(value, -1) == 1)
        value = call.math.squeeze(value, -1);
      else if (Math::rank(value) == want - 1 &&
               declared.at(want - 1).asInteger() == 1)
        value = call.math.expandDims(value, -1);
    }
    StringRef dtype = layers.at(it->second).at("config").at("dtype").str();
    if (value && !dtype.empty())
      value = call.math.convert(value, elementTypeOf(model, dtype));
    Node &node = nodes[nodesOfLayer[it->second][0]];
    node.results = {{value, tensor.mask}};
    node.done = true;
  }
  return true;
}

void FunctionalImporter::collectUses(const Json &json, size_t user) {
  if (const Json *history = historyOf(json)) {
    auto source = nodeOf(history->at(size_t{0}), history->at(1));
    if (!source) {
      model.diagnostics.error(
          call.scope.path, history,
          "the layer reads a result that no layer of the model produces: " +
              history->dump());
      return;
    }
    if (!nodes[*source].done) {
      nodes[*source].users.push_back(user);
      ++nodes[user].missing;
    }
    return;
  }
  for (const Json *item : json.items())
    collectUses(*item, user);
}

Argument FunctionalImporter::tensorArgument(const Json &json) {
  const Json &history = *historyOf(json);
  auto source = nodeOf(history.at(size_t{0}), history.at(1));
  std::optional<int64_t> index = history.at(2).asInteger();
  Tensor tensor;
  if (source && index && *index >= 0 &&
      static_cast<size_t>(*index) < nodes[*source].results.size())
    tensor = nodes[*source].results[*index];
  if (!tensor.value)
    tensor.value =
        placeholder(model, json.at("config").at("shape"),
                    elementTypeOf(model, json.at("config").at("dtype").str()),
                    call.math.getLoc());
  return Argument::of(tensor);
}

Argument FunctionalImporter::argument(const Json &json) {
  Argument out;
  if (historyOf(json))
    return tensorArgument(json);
  if (json.isNull())
    return out;
  bool nested = false;
  if (json.isArray())
    for (const Json *item : json.items())
      nested |= item->isObject() || item->isArray();
  if (nested) {
    out.kind = Argument::Kind::List;
    out.literal = &json;
    for (const Json *item : json.items())
      out.items.push_back(argument(*item));
    return out;
  }
  if (json.isObject() && !json.has("class_name")) {
    out.kind = Argument::Kind::Dict;
    for (size_t i = 0; i < json.size(); ++i) {
      out.keys.push_back(json.keys()[i]);
      out.items.push_back(argument(json.at(i)));
    }
    return out;
  }
  out.kind = Argument::Kind::Literal;
  out.literal = &json;
  return out;
}

void FunctionalImporter::importNode(size_t id) {
  const Json &layer = layers.at(nodes[id].layer);
  const Json &inbound = layer.at("inbound_nodes").at(nodes[id].index);
  Arguments arguments;
  for (const Json *item : inbound.at("args").items())
    arguments.positional.push_back(argument(*item));
  const Json &kwargs = inbound.at("kwargs");
  for (size_t i = 0; i < kwargs.size() && kwargs.isObject(); ++i)
    arguments.keywords.push_back({kwargs.keys()[i], argument(kwargs.at(i))});
  Scope scope = layerScope(model, call.scope, layer, groups[nodes[id].layer],
                           nodes[id].layer);
  std::vector<Tensor> results =
      isOperation(layer)
          ? callOperation(model, layer, scope.path, std::move(arguments))
          : callLayer(model, layer, scope, std::move(arguments));
  if (!results.empty())
    noteShapes(model, scope, results);
  nodes[id].results = std::move(results);
  nodes[id].done = true;
}

void FunctionalImporter::reportCycle() {
  for (const Node &node : nodes)
    if (!node.done) {
      const Json &layer = layers.at(node.layer);
      model.diagnostics.error(
          layerName(layer), &layer,
          "the layer can never be computed: its inputs form a cycle");
    }
}

void FunctionalImporter::takeOutput(const Json &triple) {
  auto it = layerIndex.find(triple.at(size_t{0}).str());
  std::optional<int64_t> index = triple.at(1).asInteger();
  std::optional<int64_t> position = triple.at(2).asInteger();
  if (it != layerIndex.end() && index) {
    // A nested Functional counts its calls from 1 here (Keras subtracts it).
    if (isFunctional(layers.at(it->second)) && *index > 0)
      --*index;
    if (*index >= 0 &&
        static_cast<size_t>(*index) < nodesOfLayer[it->second].size()) {
      Node &node = nodes[nodesOfLayer[it->second][*index]];
      if (position && *position >= 0 &&
          static_cast<size_t>(*position) < node.results.size())
        call.results.push_back(node.results[*position]);
      else if (node.results.empty())
        call.results.push_back({}); // its error was reported
      else
        call.error("output_layers names a result that the layer '" +
                   triple.at(size_t{0}).str() + "' does not have");
      return;
    }
  }
  model.diagnostics.error(call.scope.path, &triple,
                          "output_layers names a call that does not exist: " +
                              triple.dump());
}

void FunctionalImporter::run() {
  groups = layerGroups(call.layer, call.scope.group);
  indexLayers();
  if (!bindInputs())
    return;
  for (size_t id = 0; id < nodes.size(); ++id)
    if (!nodes[id].done) {
      const Json &inbound =
          layers.at(nodes[id].layer).at("inbound_nodes").at(nodes[id].index);
      collectUses(inbound.at("args"), id);
      collectUses(inbound.at("kwargs"), id);
    }
  std::deque<size_t> ready;
  for (size_t id = 0; id < nodes.size(); ++id)
    if (!nodes[id].done && nodes[id].missing == 0)
      ready.push_back(id);
  while (!ready.empty()) {
    size_t id = ready.front();
    ready.pop_front();
    importNode(id);
    for (size_t user : nodes[id].users)
      if (--nodes[user].missing == 0)
        ready.push_back(user);
  }
  reportCycle();
  for (auto &[key, triple] : flattenTriples(call.config.at("output_layers")))
    takeOutput(*triple);
}

static void importFunctional(LayerCall &call) {
  FunctionalImporter(call).run();
}

void cornu::frontend::registerModels(Registry &registry) {
  registry.add({"Sequential", "Models", importSequential, MaskRule::Own, ""});
  registry.add({"Functional", "Models", importFunctional, MaskRule::Own, ""});
  registry.alias("Model", "Functional");
}
