//===- Optimizer.cpp - The optimizer's configuration and state ------------===//
//
// The optimizer becomes the module's attribute nn.optimizer: Keras's keys with
// Keras's defaults filled in, numbers as f64. Its variables in the archive
// become nn.variable of the kind optimizer, with the order of Keras's files
// (optimizer/vars/0 is the iteration, then the learning rate, then averages,
// accumulators and slots).
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Training.h"

#include <limits>

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

namespace {

/// How the slots of all trainable variables follow one another in the file.
enum class SlotOrder {
  Interleaved, // for each variable all its slots
  Blocks,      // for each slot all variables
};

struct OptimizerEntry {
  StringRef className;
  StringRef name; // in nn.optimizer
  /// Defaults of its own keys, "key=value" pairs; booleans as true and false.
  StringRef defaults;
  SlotOrder order;
  StringRef slots; // "momentum velocity"; a slot with "?key" needs that key
};

} // namespace

static constexpr OptimizerEntry kOptimizers[] = {
    {"SGD", "sgd", "learning_rate=0.01 momentum=0 nesterov=false",
     SlotOrder::Blocks, "momentum?momentum"},
    {"RMSprop", "rmsprop",
     "learning_rate=0.001 rho=0.9 momentum=0 epsilon=1e-7 centered=false",
     SlotOrder::Blocks, "velocity momentum?momentum average_gradient?centered"},
    {"Adam", "adam",
     "learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-7 amsgrad=false",
     SlotOrder::Interleaved, "momentum velocity +velocity_hat?amsgrad"},
    {"AdamW", "adamw",
     "learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-7 amsgrad=false "
     "weight_decay=0.004",
     SlotOrder::Interleaved, "momentum velocity +velocity_hat?amsgrad"},
    {"Adamax", "adamax",
     "learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-7",
     SlotOrder::Interleaved, "momentum norm"},
    {"Nadam", "nadam",
     "learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-7",
     SlotOrder::Interleaved, "momentum velocity"},
    {"Adagrad", "adagrad",
     "learning_rate=0.001 initial_accumulator_value=0.1 epsilon=1e-7",
     SlotOrder::Blocks, "accumulator"},
    {"Adadelta", "adadelta", "learning_rate=0.001 rho=0.95 epsilon=1e-7",
     SlotOrder::Interleaved, "accumulated_grad accumulated_delta_var"},
    {"Ftrl", "ftrl",
     "learning_rate=0.001 learning_rate_power=-0.5 "
     "initial_accumulator_value=0.1 l1_regularization_strength=0 "
     "l2_regularization_strength=0 l2_shrinkage_regularization_strength=0 "
     "beta=0",
     SlotOrder::Interleaved, "accumulator linear"},
    {"Lamb", "lamb", "learning_rate=0.001 beta_1=0.9 beta_2=0.999 epsilon=1e-7",
     SlotOrder::Interleaved, "momentum velocity"},
    {"Lion", "lion", "learning_rate=0.001 beta_1=0.9 beta_2=0.99",
     SlotOrder::Blocks, "momentum"},
    {"Adafactor", "adafactor",
     "learning_rate=0.001 beta_2_decay=-0.8 epsilon_1=1e-30 epsilon_2=0.001 "
     "clip_threshold=1",
     SlotOrder::Interleaved, "row column velocity"},
    {"Muon", "muon",
     "learning_rate=0.001 adam_beta_1=0.9 adam_beta_2=0.999 "
     "adam_weight_decay=0.004 epsilon=1e-7 weight_decay=0.004 muon_a=3.4445 "
     "muon_b=-4.775 muon_c=2.0315 adam_lr_ratio=1 momentum=0.95 ns_steps=5 "
     "nesterov=true rms_rate=0.2",
     SlotOrder::Interleaved, "momentum velocity"},
};

// Keys of every optimizer.
static constexpr StringRef kCommonDefaults = "use_ema=false ema_momentum=0.99";

static constexpr StringRef kSchedules[] = {
    "ExponentialDecay", "PiecewiseConstantDecay",
    "PolynomialDecay",  "InverseTimeDecay",
    "CosineDecay",      "CosineDecayRestarts"};

std::vector<std::string> cornu::frontend::optimizerNames() {
  std::vector<std::string> names;
  for (const OptimizerEntry &entry : kOptimizers)
    names.push_back(entry.className.str());
  return names;
}

static const OptimizerEntry *findOptimizer(StringRef name) {
  for (const OptimizerEntry &entry : kOptimizers)
    if (name.equals_insensitive(entry.className) || name == entry.name)
      return &entry;
  return nullptr;
}

// What the configuration says is null stays without a value.
static void addDefaults(Builder &b, StringRef defaults, const Json &config,
                        NamedAttrList &out) {
  SmallVector<StringRef> pairs;
  defaults.split(pairs, ' ', -1, /*KeepEmpty=*/false);
  for (StringRef pair : pairs) {
    auto [key, text] = pair.split('=');
    if (out.get(key) || config.has(key))
      continue;
    double number = 0;
    if (text == "true" || text == "false")
      out.set(key, b.getBoolAttr(text == "true"));
    else if (!text.getAsDouble(number))
      out.set(key, b.getF64FloatAttr(number));
  }
}

// A schedule {"class_name": ..., "config": {...}} as one dictionary.
static Attribute scheduleAttribute(ModelBuilder &model, const Json &json) {
  StringRef name = json.at("class_name").str();
  if (!llvm::is_contained(kSchedules, name)) {
    model.diagnostics.error(
        {}, &json, "the learning rate schedule '" + name + "' is not supported",
        "a number, or one of Keras's built-in schedules");
    return {};
  }
  NamedAttrList members;
  if (auto config = dyn_cast_or_null<DictionaryAttr>(
          toAttribute(model.context, json.at("config"))))
    members = NamedAttrList(config);
  members.set("class_name", model.builder.getStringAttr(name));
  return members.getDictionary(&model.context);
}

// Muon leaves to Adam what is no matrix, embeddings, and layers by their names.
static ArrayAttr adamVariables(ModelBuilder &model, const Json &config) {
  const Json &excluded = config.at("exclude_layers");
  for (const Json *item : excluded.items())
    if (item->str().find_first_of("\\^$.|?*+()[]{}") != StringRef::npos)
      model.diagnostics.error({}, item,
                              "patterns in exclude_layers are not supported",
                              "give plain parts of the variables' names");
  bool embeddings = config.at("exclude_embeddings").asBool().value_or(true);
  SmallVector<Attribute> paths;
  for (const Variable *variable : model.sortedVariables()) {
    StringRef path = StringRef(variable->path).drop_front(variable->built);
    bool adam = variable->shape.size() != 2 ||
                (embeddings && path.contains_insensitive("embedding"));
    for (const Json *item : excluded.items())
      adam |= path.contains(item->str());
    if (adam && variable->kind == nn::VariableKind::trainable)
      paths.push_back(model.builder.getStringAttr(variable->path));
  }
  return model.builder.getArrayAttr(paths);
}

namespace {

struct OptimizerRange {
  StringRef className; // "": of all optimizers
  StringRef key;
  double least, most;
  StringRef range; // for people
};

} // namespace

// What Keras's constructors refuse.
static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr OptimizerRange kRanges[] = {
    {"", "ema_momentum", 0, 1, "between 0 and 1"},
    {"", "ema_overwrite_frequency", 0, kInfinity, "at least 1, or null"},
    {"SGD", "momentum", 0, 1, "between 0 and 1"},
    {"Ftrl", "initial_accumulator_value", 0, kInfinity, "at least 0"},
    {"Ftrl", "learning_rate_power", -kInfinity, 0, "at most 0"},
    {"Ftrl", "l1_regularization_strength", 0, kInfinity, "at least 0"},
    {"Ftrl", "l2_regularization_strength", 0, kInfinity, "at least 0"},
    {"Ftrl", "l2_shrinkage_regularization_strength", 0, kInfinity,
     "at least 0"},
    {"Lion", "beta_1", std::numeric_limits<double>::min(), 1,
     "above 0 and at most 1"},
};

static void checkRanges(ModelBuilder &model, StringRef className,
                        const Json &config) {
  for (const OptimizerRange &known : kRanges) {
    if (!known.className.empty() && known.className != className)
      continue;
    // Without the average its keys mean nothing.
    if (known.key.starts_with("ema_") && config.at("use_ema").asBool() != true)
      continue;
    const Json &value = config.at(known.key);
    std::optional<double> number = value.asNumber();
    if (number && !(*number >= known.least && *number <= known.most))
      model.diagnostics.error({}, &value,
                              known.key + " must be " + known.range + ", is " +
                                  value.dump());
  }
  // As in Keras, 0 is none.
  const Json &steps = config.at("gradient_accumulation_steps");
  std::optional<int64_t> count = steps.asInteger();
  if (steps.isNumber() && (!count || *count < 0 || *count == 1))
    model.diagnostics.error(
        {}, &steps,
        "gradient_accumulation_steps must be an integer of at least 2, is " +
            steps.dump(),
        "leave it out for an update with each batch");
}

static void checkNumbers(ModelBuilder &model, StringRef className,
                         const Json &config) {
  static constexpr StringRef keys[] = {"weight_decay",
                                       "clipnorm",
                                       "global_clipnorm",
                                       "clipvalue",
                                       "ema_momentum",
                                       "loss_scale_factor",
                                       "gradient_accumulation_steps",
                                       "ema_overwrite_frequency",
                                       "momentum",
                                       "rho",
                                       "beta_1",
                                       "beta_2",
                                       "epsilon",
                                       "initial_accumulator_value"};
  for (StringRef key : keys) {
    const Json &value = config.at(key);
    if (!value.isNull() && !value.isNumber() && value.asBool() != false)
      model.diagnostics.error({}, &value, key + " must be a number");
  }
  int clips = 0;
  for (StringRef key : {"clipnorm", "global_clipnorm", "clipvalue"})
    clips += config.at(key).isNumber();
  if (clips > 1)
    model.diagnostics.error({}, &config,
                            "only one of clipnorm, global_clipnorm and "
                            "clipvalue may be set");
  checkRanges(model, className, config);
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

namespace {

/// Hands out the datasets optimizer/vars/N in Keras's order.
class StateReader {
public:
  explicit StateReader(ModelBuilder &model) : model(model) {
    for (Variable *variable : model.sortedVariables())
      if (variable->kind == nn::VariableKind::trainable)
        trainable.push_back(variable);
    // An .h5 file lists its datasets in an attribute, in the same order if
    // Keras 3 wrote it.
    WeightFile *file = model.archive.getWeights();
    if (file && model.archive.getNaming() == ModelArchive::Naming::Positional &&
        model.archive.getPositionalRoot() == "model_weights")
      if (auto names = file->listAttribute("optimizer_weights", "weight_names"))
        legacy = *names;
    // Keras 2 ended names in ":0" and had another order.
    if (llvm::any_of(legacy,
                     [](StringRef name) { return name.contains(':'); })) {
      legacy.clear();
      model.diagnostics.warning({}, nullptr,
                                "the optimizer's state is of Keras 2 and is "
                                "not used: training starts with a fresh one");
    }
  }
  /// A number has the type of the variables that it moves.
  void number(StringRef name) {
    scalar(name, trainable.empty() ? Type(model.builder.getF32Type())
                                   : trainable.front()->type);
  }
  void scalar(StringRef name, Type type) {
    Variable variable;
    variable.path = ("optimizer/" + name).str();
    variable.type = type;
    add(std::move(variable));
  }
  void slot(const Variable &of, StringRef name) {
    Variable variable;
    variable.path = ("optimizer/" + of.path + "/" + name).str();
    variable.shape = of.shape;
    // Adafactor's factors lack one of the last two axes. For what has less
    // than two, Keras's file has an unused number.
    size_t lacks = name == "row" ? 1 : name == "column" ? 2 : 0;
    if (lacks && of.shape.size() < 2) {
      ++next;
      return;
    }
    if (lacks)
      variable.shape.erase(variable.shape.end() - lacks);
    variable.type = of.type;
    add(std::move(variable));
  }
  void block(StringRef name) {
    for (Variable *variable : trainable)
      slot(*variable, name);
  }
  ArrayRef<Variable *> getTrainable() const { return trainable; }

private:
  void add(Variable variable);
  ModelBuilder &model;
  std::vector<Variable *> trainable;
  std::vector<std::string> legacy;
  unsigned next = 0;
};

} // namespace

void StateReader::add(Variable variable) {
  variable.group = "optimizer/vars";
  variable.index = next++;
  variable.ownerName = "optimizer";
  variable.kind = nn::VariableKind::optimizer;
  variable.trainableWeight = false;
  ModelArchive::Naming naming = model.archive.getNaming();
  WeightFile *file = model.archive.getWeights();
  const WeightEntry *entry = nullptr;
  if (file && naming == ModelArchive::Naming::Paths)
    entry = file->find(variable.group + "/" + std::to_string(variable.index));
  else if (file && naming == ModelArchive::Naming::VariablePaths)
    entry = file->find(variable.path);
  else if (variable.index < legacy.size())
    entry = file->find("optimizer_weights/" + legacy[variable.index]);
  // State that does not fit starts afresh, as in Keras.
  if (entry && Shape(entry->shape) == variable.shape)
    variable.value = readValue(model, *file, *entry, variable);
  model.addState(std::move(variable));
}

static bool isSet(DictionaryAttr optimizer, StringRef key) {
  Attribute value = optimizer.get(key);
  if (auto flag = dyn_cast_or_null<BoolAttr>(value))
    return flag.getValue();
  if (auto number = dyn_cast_or_null<FloatAttr>(value))
    return number.getValueAsDouble() != 0;
  return static_cast<bool>(value);
}

static void readState(ModelBuilder &model, const OptimizerEntry &entry,
                      DictionaryAttr optimizer) {
  Builder &b = model.builder;
  StateReader reader(model);
  reader.scalar("iteration", b.getI32Type());
  if (isa<FloatAttr>(optimizer.get("learning_rate")))
    reader.number("learning_rate");
  if (isSet(optimizer, "use_ema"))
    reader.block("average");
  if (isSet(optimizer, "gradient_accumulation_steps"))
    reader.block("gradient_accumulator");
  SmallVector<StringRef> slots;
  entry.slots.split(slots, ' ', -1, /*KeepEmpty=*/false);
  SmallVector<StringRef> together, apart;
  for (StringRef slot : slots) {
    auto [name, condition] = slot.split('?');
    if (!condition.empty() && !isSet(optimizer, condition))
      continue;
    // A "+" sets a slot apart from the interleaved ones.
    bool block = name.consume_front("+");
    (block || entry.order == SlotOrder::Blocks ? apart : together)
        .push_back(name);
  }
  auto adam = optimizer.getAs<ArrayAttr>("adam_variables");
  for (Variable *variable : reader.getTrainable())
    for (StringRef slot : together)
      if (slot != "velocity" || !adam ||
          llvm::is_contained(adam, b.getStringAttr(variable->path)))
        reader.slot(*variable, slot);
  for (StringRef slot : apart)
    reader.block(slot);
  if (entry.className == "Nadam")
    reader.number("u_product");
}

void cornu::frontend::importOptimizer(ModelBuilder &model) {
  Builder &b = model.builder;
  const Json *spec = &optimizerConfig(model);
  NamedObject object = namedObject(*spec);
  // Loss scaling is for half precision; the optimizer within counts.
  if (object.className == "LossScaleOptimizer") {
    spec = &object.config->at("inner_optimizer");
    object = namedObject(*spec);
  }
  if (object.className.empty())
    object.className = "rmsprop"; // compile()'s default
  const OptimizerEntry *entry = findOptimizer(object.className);
  if (!entry) {
    model.diagnostics.error(
        {}, spec, "the optimizer '" + object.className + "' is not supported",
        "give another one with --optimizer=, for example adam");
    return;
  }
  checkNumbers(model, entry->className, *object.config);
  NamedAttrList members;
  const Json &config = *object.config;
  for (size_t i = 0; i < config.size() && config.isObject(); ++i) {
    StringRef key = config.keys()[i];
    if (key == "name" || key == "is_legacy_optimizer" || key == "jit_compile" ||
        key == "decay")
      continue;
    Attribute value = key == "learning_rate" && config.at(i).isObject()
                          ? scheduleAttribute(model, config.at(i))
                          : toAttribute(model.context, config.at(i));
    if (value)
      members.set(key, value);
  }
  // false stands for "no weight decay" in some files.
  if (isa_and_nonnull<BoolAttr>(members.get("weight_decay")))
    members.erase("weight_decay");
  Attribute rate = members.get("learning_rate");
  if (rate && !isa<FloatAttr, DictionaryAttr>(rate)) {
    model.diagnostics.error({}, &config.at("learning_rate"),
                            "the learning rate must be a number or a schedule");
    return;
  }
  addDefaults(b, entry->defaults, config, members);
  addDefaults(b, kCommonDefaults, config, members);
  if (entry->className == "Muon")
    members.set("adam_variables", adamVariables(model, config));
  members.set("name", b.getStringAttr(entry->name));
  members.set("class_name", b.getStringAttr(entry->className));
  DictionaryAttr optimizer = members.getDictionary(&model.context);
  (*model.module)->setAttr("nn.optimizer", optimizer);
  // State of another optimizer than the file's means nothing.
  if (model.options.optimizer.empty())
    readState(model, *entry, optimizer);
}
