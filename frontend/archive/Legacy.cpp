//===- Legacy.cpp - Keras 2 configurations in Keras 3 form ----------------===//

#include "frontend/archive/Legacy.h"

#include "llvm/ADT/STLExtras.h"

using namespace cornu::frontend;

namespace {

class Normalizer {
public:
  explicit Normalizer(JsonDocument &document) : document(document) {}

  const Json *visit(const Json &node);

private:
  const Json *visitArray(const Json &node);
  const Json *visitObject(const Json &node);
  const Json *layerConfig(llvm::StringRef className, const Json &config);
  const Json *sequentialConfig(const Json &config);
  const Json *inboundNodes(const Json &nodes);
  const Json *inboundNode(const Json &node);
  const Json *callArgument(const Json &value);
  const Json *tensor(const Json &layer, const Json &node, const Json &index);

  JsonDocument &document;
};

} // namespace

const Json *Normalizer::visit(const Json &node) {
  if (node.isArray())
    return visitArray(node);
  if (node.isObject())
    return visitObject(node);
  return &node;
}

const Json *Normalizer::visitArray(const Json &node) {
  std::vector<const Json *> items;
  bool changed = false;
  for (const Json *item : node.items()) {
    items.push_back(visit(*item));
    changed |= items.back() != item;
  }
  return changed ? document.makeArray(items, &node) : &node;
}

const Json *Normalizer::visitObject(const Json &node) {
  JsonDocument::Members changes;
  llvm::StringRef className = node.at("class_name").str();
  for (size_t i = 0; i < node.size(); ++i) {
    const Json &value = node.at(i);
    const std::string &key = node.keys()[i];
    const Json *visited = &value;
    if (key == "inbound_nodes")
      visited = inboundNodes(value);
    else if (key == "config" && !className.empty())
      visited = layerConfig(className, value);
    else
      visited = visit(value);
    if (visited != &value)
      changes.push_back({key, visited});
  }
  if (className == "Model")
    changes.push_back({"class_name", document.makeString("Functional", &node)});
  if (className == "Policy")
    changes.push_back(
        {"class_name", document.makeString("DTypePolicy", &node)});
  return changes.empty() ? &node : document.with(node, changes);
}

// Keys that Keras 2 named otherwise, and those that mean nothing any more.
const Json *Normalizer::layerConfig(llvm::StringRef className,
                                    const Json &config) {
  if (className == "Sequential")
    return sequentialConfig(config);
  if (!config.isObject())
    return visit(config);
  JsonDocument::Members changes;
  for (size_t i = 0; i < config.size(); ++i) {
    const Json &value = config.at(i);
    llvm::StringRef key = config.keys()[i];
    const Json *visited = visit(value);
    bool listOfOne = key == "axis" && value.isArray() && value.size() == 1;
    if (key == "batch_input_shape") {
      changes.push_back({key.str(), nullptr});
      if (className == "InputLayer")
        changes.push_back({"batch_shape", visited});
    } else if (key == "lr") {
      changes.push_back({key.str(), nullptr});
      changes.push_back({"learning_rate", visited});
    } else if (key == "alpha" && className == "LeakyReLU") {
      changes.push_back({key.str(), nullptr});
      changes.push_back({"negative_slope", visited});
    } else if (listOfOne && className.ends_with("Normalization")) {
      changes.push_back({key.str(), &value.at(size_t{0})});
    } else if (visited != &value) {
      changes.push_back({key.str(), visited});
    }
  }
  return changes.empty() ? &config : document.with(config, changes);
}

const Json *Normalizer::sequentialConfig(const Json &config) {
  // The oldest files have the list of layers itself as the config.
  const Json &layers = config.isArray() ? config : config.at("layers");
  std::vector<const Json *> visited;
  for (const Json *layer : layers.items()) {
    const Json *shape = layer->at("config").find("batch_input_shape");
    if (visited.empty() && shape && shape->isArray() &&
        layer->at("class_name").str() != "InputLayer") {
      llvm::StringRef name = layer->at("config").at("name").str();
      JsonDocument::Members input{
          {"batch_shape", shape},
          {"name", document.makeString(name.str() + "_input", layer)}};
      const Json *dtype = layer->at("config").find("dtype");
      // An embedding's dtype is that of its table; its input holds indices.
      if (dtype && dtype->isString() &&
          layer->at("class_name").str() != "Embedding")
        input.push_back({"dtype", dtype});
      visited.push_back(document.makeObject(
          {{"class_name", document.makeString("InputLayer", layer)},
           {"config", document.makeObject(input, layer)}},
          layer));
    }
    visited.push_back(visit(*layer));
  }
  const Json *array = document.makeArray(visited, &layers);
  if (config.isArray())
    return document.makeObject(
        {{"name", document.makeString("sequential", &config)},
         {"layers", array}},
        &config);
  return document.with(config, {{"layers", array}});
}

const Json *Normalizer::inboundNodes(const Json &nodes) {
  if (!nodes.isArray())
    return &nodes;
  std::vector<const Json *> out;
  for (const Json *node : nodes.items())
    out.push_back(node->isArray() ? inboundNode(*node) : node);
  return document.makeArray(out, &nodes);
}

// [["a", 0, 0, {}], ["b", 0, 0, {}]]: one call with the list [a, b].
const Json *Normalizer::inboundNode(const Json &node) {
  std::vector<const Json *> inputs;
  JsonDocument::Members kwargs;
  for (const Json *entry : node.items()) {
    if (!entry->isArray() || entry->size() < 3) {
      inputs.push_back(entry);
      continue;
    }
    if (entry->at(size_t{0}).str() == "_CONSTANT_VALUE")
      inputs.push_back(&entry->at(2));
    else
      inputs.push_back(
          tensor(entry->at(size_t{0}), entry->at(1), entry->at(2)));
    const Json &options = entry->at(3);
    for (size_t i = 0; i < options.size() && options.isObject(); ++i)
      kwargs.push_back({options.keys()[i], callArgument(options.at(i))});
  }
  const Json *argument =
      inputs.size() == 1 ? inputs[0] : document.makeArray(inputs, &node);
  return document.makeObject({{"args", document.makeArray({argument}, &node)},
                              {"kwargs", document.makeObject(kwargs, &node)}},
                             &node);
}

// A tensor in a keyword argument is the list ["layer", 0, 0].
const Json *Normalizer::callArgument(const Json &value) {
  if (!value.isArray())
    return &value;
  if (value.size() == 3 && value.at(size_t{0}).isString() &&
      value.at(1).isInteger() && value.at(2).isInteger())
    return tensor(value.at(size_t{0}), value.at(1), value.at(2));
  std::vector<const Json *> items;
  for (const Json *item : value.items())
    items.push_back(callArgument(*item));
  return document.makeArray(items, &value);
}

const Json *Normalizer::tensor(const Json &layer, const Json &node,
                               const Json &index) {
  const Json *history = document.makeArray({&layer, &node, &index}, &layer);
  return document.makeObject(
      {{"class_name", document.makeString("__keras_tensor__", &layer)},
       {"config", document.makeObject({{"keras_history", history}}, &layer)}},
      &layer);
}

const Json *cornu::frontend::normalizeModel(JsonDocument &document,
                                            const Json &model) {
  // Keras 3 wrote this object: nothing to do.
  if (model.has("module"))
    return &model;
  return Normalizer(document).visit(model);
}

const Json *cornu::frontend::normalizeTraining(JsonDocument &document,
                                               const Json &training) {
  JsonDocument::Members members;
  for (size_t i = 0; i < training.size() && training.isObject(); ++i) {
    llvm::StringRef key = training.keys()[i];
    const Json *value = Normalizer(document).visit(training.at(i));
    members.push_back(
        {key == "optimizer_config" ? "optimizer" : key.str(), value});
  }
  return document.makeObject(members, &training);
}
