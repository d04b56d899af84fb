//===- Layer.cpp - What a layer importer sees -----------------------------===//

#include "frontend/import/Layer.h"

#include "frontend/import/ModelBuilder.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

Argument Argument::of(Tensor tensor) {
  Argument argument;
  argument.kind = Kind::Tensor;
  argument.tensor = tensor;
  return argument;
}

void Argument::flatten(SmallVectorImpl<Tensor> &out) const {
  if (kind == Kind::Tensor)
    out.push_back(tensor);
  if (kind == Kind::List)
    for (const Argument &item : items)
      item.flatten(out);
  if (kind == Kind::Dict) {
    SmallVector<size_t> order;
    for (size_t i = 0; i < items.size(); ++i)
      order.push_back(i);
    llvm::sort(order, [&](size_t a, size_t b) { return keys[a] < keys[b]; });
    for (size_t i : order)
      items[i].flatten(out);
  }
}

//===----------------------------------------------------------------------===//
// LayerCall
//===----------------------------------------------------------------------===//

LayerCall::LayerCall(ModelBuilder &model, const Json &layer, Scope where,
                     Arguments given)
    : model(model), layer(layer), config(layer.at("config")),
      scope(std::move(where)),
      math(model.builder, model.locationOf(scope.path),
           [this](const std::string &message) { error(message); }),
      arguments(std::move(given)) {
  if (config.at("trainable").asBool() == false)
    scope.trainable = false;
  // The first argument may be given by its name ("inputs", "query").
  if (arguments.positional.empty())
    for (auto &[name, value] : arguments.keywords)
      if (value.kind == Argument::Kind::Tensor && name != "mask") {
        arguments.positional.push_back(value);
        break;
      }
  if (!arguments.positional.empty())
    arguments.positional[0].flatten(flatInputs);
  // Keras casts floats to the layer's type before the call. A model without a
  // type leaves that to its layers.
  if (config.has("layers") && !config.has("dtype"))
    return;
  Type type = floatType();
  for (Tensor &tensor : flatInputs)
    if (tensor.value && Math::isFloat(tensor.value))
      tensor.value = math.convert(tensor.value, type);
}

void LayerCall::error(const Twine &message, const Twine &help) {
  model.diagnostics.error(scope.path, &layer, className() + ": " + message,
                          help);
}

void LayerCall::errorAt(StringRef key, const Twine &message,
                        const Twine &help) {
  const Json *where = config.find(key);
  model.diagnostics.error(scope.path, where ? where : &layer,
                          className() + ": " + message, help);
}

// The largest size or count in a configuration, 2^31 - 1, is what fits 32 bits:
// a dimension beyond it is a slip or an attack.
static constexpr int64_t largestSize = (int64_t{1} << 31) - 1;

int64_t LayerCall::integer(StringRef key, std::optional<int64_t> missing,
                           int64_t least) {
  const Json &value = config.at(key);
  if (value.isNull() && missing)
    return *missing;
  std::optional<int64_t> number = value.asInteger();
  if (number && *number >= least && *number <= largestSize)
    return *number;
  errorAt(key, key + " must be an integer of at least " + Twine(least) +
                   " and at most " + Twine(largestSize) + ", is " +
                   (number ? Twine(*number).str() : value.kindName().str()));
  return missing && *missing >= least ? *missing : least;
}

double LayerCall::number(StringRef key, std::optional<double> missing) {
  const Json &value = config.at(key);
  if (value.isNull() && missing)
    return *missing;
  if (std::optional<double> number = value.asNumber())
    return *number;
  errorAt(key, key + " must be a number, is " + value.kindName());
  return missing.value_or(1);
}

bool LayerCall::boolean(StringRef key, bool missing) {
  const Json &value = config.at(key);
  if (value.isNull())
    return missing;
  if (std::optional<bool> flag = value.asBool())
    return *flag;
  errorAt(key, key + " must be true or false, is " + value.kindName());
  return missing;
}

std::string LayerCall::string(StringRef key, StringRef missing) {
  const Json &value = config.at(key);
  if (value.isNull())
    return missing.str();
  if (value.isString())
    return value.str().str();
  errorAt(key, key + " must be a string, is " + value.kindName());
  return missing.str();
}

Shape LayerCall::sizes(StringRef key, int64_t count,
                       std::optional<int64_t> missing, int64_t least) {
  const Json &value = config.at(key);
  if (!value.isArray() || value.size() == 1) {
    const Json &only = value.isArray() ? value.at(size_t{0}) : value;
    std::optional<int64_t> number = only.asInteger();
    if (number && *number >= least && *number <= largestSize)
      return Shape(count, *number);
    if (value.isNull() && missing)
      return Shape(count, *missing);
  } else if (static_cast<int64_t>(value.size()) == count) {
    Shape out;
    for (const Json *item : value.items()) {
      std::optional<int64_t> number = item->asInteger();
      if (number && *number >= least && *number <= largestSize)
        out.push_back(*number);
    }
    if (static_cast<int64_t>(out.size()) == count)
      return out;
  }
  errorAt(key, key + " must be " + Twine(count) + " integers of at least " +
                   Twine(least) + " and at most " + Twine(largestSize) +
                   ", is " + StringRef(value.dump()).take_front(80));
  return Shape(count, missing && *missing >= least ? *missing : least);
}

bool LayerCall::channelsFirst() {
  std::string format = string("data_format", "channels_last");
  if (format != "channels_last" && format != "channels_first")
    errorAt("data_format", "unknown data_format '" + format + "'",
            "channels_last or channels_first");
  return format == "channels_first";
}

void LayerCall::refuse(StringRef key, const Twine &help) {
  const Json &value = config.at(key);
  if (value.isNull() || value.asBool() == false || value.asNumber() == 0.0)
    return;
  errorAt(key,
          key + " = " + StringRef(value.dump()).take_front(60) +
              " is not supported",
          help);
}

Type LayerCall::floatType() {
  const Json &dtype = config.at("dtype");
  StringRef name =
      dtype.isObject() ? dtype.at("config").at("name").str() : dtype.str();
  if (name == "float64")
    return model.builder.getF64Type();
  // The dtype of an integer layer does not change how floats are treated.
  static constexpr StringRef narrow[] = {"float16", "bfloat16", "mixed_float16",
                                         "mixed_bfloat16"};
  if (llvm::is_contained(narrow, name) || name.contains("_from_"))
    errorAt("dtype", "the dtype policy " + name + " is not supported",
            "save the model with dtype float32: keras.config.set_dtype_policy("
            "'float32') before it is built");
  return model.builder.getF32Type();
}

Value LayerCall::input(size_t index) const {
  return index < flatInputs.size() ? flatInputs[index].value : Value();
}

Value LayerCall::mask(size_t index) const {
  return index < flatInputs.size() ? flatInputs[index].mask : Value();
}

const Argument *LayerCall::argument(size_t position, StringRef keyword) const {
  const Argument *found = nullptr;
  if (position < arguments.positional.size())
    found = &arguments.positional[position];
  for (const auto &[name, value] : arguments.keywords)
    if (name == keyword)
      found = &value;
  return found && found->kind != Argument::Kind::None ? found : nullptr;
}

Value LayerCall::maskArgument(size_t position) {
  if (const Argument *explicitMask = argument(position, "mask"))
    if (explicitMask->kind == Argument::Kind::Tensor)
      return math.convert(explicitMask->tensor.value, math.i1());
  return mask();
}

bool LayerCall::expectRank(int64_t least, int64_t most) {
  if (!input()) {
    error("the layer is called without an input tensor");
    return false;
  }
  int64_t rank = Math::rank(input());
  if (rank >= least && rank <= most)
    return true;
  std::string wanted = std::to_string(least);
  if (most > 16)
    wanted += " or more";
  else if (most != least)
    wanted += " to " + std::to_string(most);
  error("expects an input of rank " + wanted + " (with the batch), has " +
        nn::formatShape(Math::shape(input())));
  return false;
}

//===----------------------------------------------------------------------===//
// Building
//===----------------------------------------------------------------------===//

Value LayerCall::activate(StringRef key, Value x, StringRef missing) {
  if (!x)
    return {};
  const Json &spec = config.at(key);
  NamedObject object = namedObject(spec);
  if (!config.has(key))
    object.className = missing.str();
  if (object.className.empty() || object.className == "linear")
    return x;
  // An activation may be a whole layer: {"class_name": "LeakyReLU", ...}.
  if (spec.isObject() && spec.at("class_name").str() != "function" &&
      Registry::get().find(object.className)) {
    Arguments one;
    one.positional.push_back(Argument::of({x, {}}));
    SmallVector<Tensor> out = callInner(spec, key, one);
    return out.empty() ? Value() : out[0].value;
  }
  if (isActivation(object.className))
    return applyActivation(math, object.className, *object.config, x);
  errorAt(key, "unknown activation '" + object.className + "'",
          "a function of keras.activations");
  return {};
}

Value LayerCall::random(ArrayRef<int64_t> shape, Value like) {
  if (!like)
    return {};
  auto type = RankedTensorType::get(shape, floatType());
  return nn::RandomUniformOp::create(
      model.builder, math.getLoc(), type, model.randomState(math.getLoc()),
      type.hasStaticShape() ? Value() : like, model.nextStream());
}

// Box and Muller: sqrt(-2 ln u) cos(2 pi v), with u in (0, 1].
Value LayerCall::randomNormal(ArrayRef<int64_t> shape, Value like) {
  Value u = math.subtract(1.0, random(shape, like));
  Value v = random(shape, like);
  Value radius = math.sqrt(math.multiply(math.log(u), -2.0));
  return math.multiply(radius, math.cos(math.multiply(v, 2 * M_PI)));
}

Value LayerCall::dropout(Value x, double rate, ArrayRef<int64_t> noiseShape) {
  if (!x || rate == 0)
    return x;
  return math.ifTraining(
      [&]() -> Value {
        if (rate >= 1)
          return math.multiply(x, 0.0);
        Value keep =
            math.compare(nn::Predicate::ge, random(noiseShape, x), rate);
        return math.select(keep, math.multiply(x, 1 / (1 - rate)), 0.0);
      },
      [&] { return x; });
}

SmallVector<Tensor> LayerCall::callInner(const Json &inner, StringRef attribute,
                                         Arguments given) {
  StringRef name = inner.at("config").at("name").str();
  if (name.empty())
    name = attribute;
  auto results =
      callLayer(model, inner, within(name, attribute), std::move(given));
  return SmallVector<Tensor>(results.begin(), results.end());
}

void LayerCall::result(Value value, Value mask) {
  results.push_back({value, mask});
}

//===----------------------------------------------------------------------===//
// Calling a layer
//===----------------------------------------------------------------------===//

// l1 * sum |x| + l2 * sum x^2, divided by the batch, joins the loss.
static void addActivityLoss(LayerCall &call) {
  const Json &spec = call.config.at("activity_regularizer");
  ModelBuilder &model = call.model;
  if (spec.isNull() || model.options.inferenceOnly)
    return;
  for (Tensor &tensor : call.results) {
    if (!tensor.value)
      continue;
    const Json &config = spec.at("config");
    NamedObject object = namedObject(spec);
    double missing = spec.isString() ? 0.01 : 0;
    double l1 = config.at("l1").asNumber().value_or(
        StringRef(object.className).contains_insensitive("l1") ? missing : 0);
    double l2 = config.at("l2").asNumber().value_or(
        StringRef(object.className).contains_insensitive("l2") ? missing : 0);
    Math &m = call.math;
    Value total;
    if (l1 != 0)
      total = m.multiply(m.sumAll(m.absolute(tensor.value)), l1);
    if (l2 != 0) {
      Value squares = m.multiply(m.sumAll(m.square(tensor.value)), l2);
      total = total ? m.add(total, squares) : squares;
    }
    if (total)
      model.activityLosses.push_back(
          m.divide(total, m.batchSize(tensor.value)));
  }
}

std::vector<Tensor> cornu::frontend::callLayer(ModelBuilder &model,
                                               const Json &layer, Scope scope,
                                               Arguments arguments) {
  const LayerEntry *entry = Registry::get().find(layer.at("class_name").str());
  if (!entry) {
    Registry::get().reportUnknown(layer, scope.path, model.diagnostics);
    return {};
  }
  // All but the model itself are in a model.
  if (!scope.order.empty() &&
      (scope.path.empty() || StringRef(scope.path).ends_with("/"))) {
    model.diagnostics.error(scope.path, &layer, "the layer has no name",
                            "give its config a \"name\" that is a string");
    return {};
  }
  // The layer in a wrapper, where the file says of what shape it was built.
  if (!layer.at("build_config").isNull())
    scope.built = scope.path.rfind('/') + 1;
  size_t errorsBefore = model.diagnostics.getErrors().size();
  LayerCall call(model, layer, std::move(scope), std::move(arguments));
  for (const Tensor &tensor : call.inputs())
    if (!tensor.value)
      return {};
  if (call.inputs().empty()) {
    call.error("the layer is called without an input tensor");
    return {};
  }
  if (!entry->import)
    return {};
  entry->import(call);
  bool failed = model.diagnostics.getErrors().size() != errorsBefore;
  for (const Tensor &tensor : call.results) {
    failed |= !tensor.value;
    if (!tensor.value || call.math.fitsMachine(tensor.value))
      continue;
    failed = true;
  }
  if (failed)
    return {};
  if (entry->mask == MaskRule::Pass && !call.results.empty() &&
      !call.results[0].mask)
    call.results[0].mask = call.mask();
  addActivityLoss(call);
  return call.results;
}
