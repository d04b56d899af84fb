//===- RecurrentWrappers.cpp - Bidirectional and TimeDistributed ----------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// The wrapped layer's object with some of its configuration replaced.
static const Json &withConfig(LayerCall &call, const Json &layer,
                              JsonDocument::Members changes) {
  JsonDocument &document = call.model.archive.getDocument();
  const Json *config = document.with(layer.at("config"), changes);
  return *document.with(layer, {{"config", config}});
}

static Arguments directionArguments(LayerCall &call, ArrayRef<Tensor> state) {
  Arguments arguments;
  arguments.positional.push_back(
      Argument::of({call.input(), call.maskArgument(2)}));
  if (!state.empty()) {
    Argument list;
    list.kind = Argument::Kind::List;
    for (const Tensor &tensor : state)
      list.items.push_back(Argument::of(tensor));
    arguments.keywords.push_back({"initial_state", list});
  }
  return arguments;
}

static void importBidirectional(LayerCall &call) {
  Math &m = call.math;
  JsonDocument &document = call.model.archive.getDocument();
  const Json &layer = call.config.at("layer");
  const Json &given = call.config.at("backward_layer");
  bool sequences =
      layer.at("config").at("return_sequences").asBool().value_or(false);
  StringRef name = layer.at("config").at("name").str();
  name.consume_front("forward_");
  // Keras makes the two layers from the one in the file.
  const Json *zero = document.makeBool(sequences, &layer);
  const Json &forward = withConfig(
      call, layer,
      {{"name", document.makeString("forward_" + name.str(), &layer)},
       {"zero_output_for_mask", zero}});
  bool backwards =
      !layer.at("config").at("go_backwards").asBool().value_or(false);
  const Json &backward =
      given.isObject()
          ? withConfig(call, given, {{"zero_output_for_mask", zero}})
          : withConfig(call, layer,
                       {{"name",
                         document.makeString("backward_" + name.str(), &layer)},
                        {"go_backwards", document.makeBool(backwards, &layer)},
                        {"zero_output_for_mask", zero}});
  SmallVector<Tensor> state(call.inputs().drop_front());
  if (const Argument *initial = call.argument(1, "initial_state"))
    initial->flatten(state);
  size_t half = state.size() / 2;
  ArrayRef<Tensor> states(state);
  SmallVector<Tensor> a =
      call.callInner(forward, "forward_layer",
                     directionArguments(call, states.take_front(half)));
  SmallVector<Tensor> b =
      call.callInner(backward, "backward_layer",
                     directionArguments(call, states.drop_front(half)));
  if (a.empty() || b.empty())
    return;
  Value y = a[0].value, z = b[0].value;
  if (sequences)
    z = m.reverse(z, 1);
  Value mask = sequences ? call.mask() : Value();
  const Json &modeJson = call.config.at("merge_mode");
  std::string mode = modeJson.isNull() && call.config.has("merge_mode")
                         ? "none"
                         : call.string("merge_mode", "concat");
  if (mode == "none") {
    call.result(y, mask);
    call.result(z, mask);
  } else if (mode == "concat") {
    call.result(m.concatenate({y, z}, -1), mask);
  } else if (mode == "sum") {
    call.result(m.add(y, z), mask);
  } else if (mode == "ave") {
    call.result(m.divide(m.add(y, z), 2.0), mask);
  } else if (mode == "mul") {
    call.result(m.multiply(y, z), mask);
  } else {
    call.errorAt("merge_mode", "unknown merge_mode '" + mode + "'",
                 "concat, sum, ave, mul or null");
  }
  for (const Tensor &tensor : llvm::drop_begin(a))
    call.result(tensor.value);
  for (const Tensor &tensor : llvm::drop_begin(b))
    call.result(tensor.value);
}

// Statistics of a batch are those of one time step, so the steps of such a
// layer cannot be one large batch.
static bool hasBatchStatistics(const Json &layer) {
  if (layer.at("class_name").str() == "BatchNormalization")
    return layer.at("config").at("trainable").asBool().value_or(true);
  for (const Json *item : layer.items())
    if ((item->isObject() || item->isArray()) && hasBatchStatistics(*item))
      return true;
  return false;
}

static Arguments oneArgument(Value value) {
  Arguments arguments;
  arguments.positional.push_back(Argument::of({value, {}}));
  return arguments;
}

static void importTimeDistributed(LayerCall &call) {
  Math &m = call.math;
  if (!call.expectRank(3, 16))
    return;
  const Json &inner = call.config.at("layer");
  Value x = call.input();
  Shape shape = Math::shape(x);
  int64_t steps = shape[1];
  if (hasBatchStatistics(inner)) {
    // Each step becomes code of its own.
    if (steps > 4096) {
      call.error("batch normalization in each of " + Twine(steps) +
                     " time steps is not supported",
                 "normalize outside of TimeDistributed");
      return;
    }
    SmallVector<Value> outputs;
    for (int64_t t = 0; t < steps; ++t) {
      Value step = m.squeeze(m.slice(x, 1, t, t + 1), 1);
      SmallVector<Tensor> y = call.callInner(inner, "layer", oneArgument(step));
      if (y.empty())
        return;
      outputs.push_back(m.expandDims(y[0].value, 1));
    }
    return call.result(m.concatenate(outputs, 1));
  }
  // Every step as a sample of one large batch.
  Shape merged = shape;
  merged.erase(merged.begin() + 1);
  SmallVector<Tensor> y =
      call.callInner(inner, "layer", oneArgument(m.reshape(x, merged)));
  if (y.empty())
    return;
  Shape result = Math::shape(y[0].value);
  result.insert(result.begin() + 1, steps);
  call.result(m.reshape(y[0].value, result));
}

void cornu::frontend::registerRecurrentWrappers(Registry &registry) {
  StringRef family = "Recurrent";
  registry.add(
      {"Bidirectional", family, importBidirectional, MaskRule::Own, ""});
  registry.add(
      {"TimeDistributed", family, importTimeDistributed, MaskRule::Pass, ""});
}
