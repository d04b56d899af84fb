//===- Optimizer.cpp - An optimizer's step as nn IR -----------------------===//
//
// The order of Keras: clip the gradients, decay the weights, update, average,
// constrain, count.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/optimizer/Optimizer.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace cornu::graph {

//===----------------------------------------------------------------------===//
// Config
//===----------------------------------------------------------------------===//

Config::Config(DictionaryAttr attribute) : keys(attribute) {
  auto className = attribute.getAs<StringAttr>("class_name");
  if (!className)
    className = attribute.getAs<StringAttr>("name");
  if (auto nested = attribute.getAs<DictionaryAttr>("config"))
    keys = nested;
  name = className ? className.getValue().lower() : "";
}

static std::optional<double> numberOf(Attribute attribute) {
  if (auto number = dyn_cast_or_null<FloatAttr>(attribute))
    return number.getValueAsDouble();
  auto number = dyn_cast_or_null<IntegerAttr>(attribute);
  if (number && !number.getType().isInteger(1))
    return static_cast<double>(number.getInt());
  return std::nullopt;
}

std::optional<double> Config::number(StringRef key) const {
  return numberOf(get(key));
}

bool Config::flag(StringRef key, bool otherwise) const {
  auto flag = keys.getAs<BoolAttr>(key);
  return flag ? flag.getValue() : otherwise;
}

SmallVector<double> Config::numbers(StringRef key) const {
  SmallVector<double> numbers;
  if (auto array = keys.getAs<ArrayAttr>(key))
    for (Attribute element : array)
      numbers.push_back(numberOf(element).value_or(0));
  return numbers;
}

std::optional<Config> Config::nested(StringRef key) const {
  if (auto dictionary = keys.getAs<DictionaryAttr>(key))
    return Config(dictionary);
  return std::nullopt;
}

bool Config::lists(StringRef key, StringRef text) const {
  auto array = keys.getAs<ArrayAttr>(key);
  return array && llvm::any_of(array.getAsRange<StringAttr>(),
                               [&](StringAttr item) { return item == text; });
}

//===----------------------------------------------------------------------===//
// State
//===----------------------------------------------------------------------===//

Value OptimizerState::read(StringRef name, RankedTensorType type,
                           double initial) {
  Value &value = values[name];
  if (value)
    return value;
  if (!module.lookupSymbol<nn::VariableOp>(name)) {
    // After the variables that are there, before the functions.
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    for (auto variable : module.getOps<nn::VariableOp>())
      builder.setInsertionPointAfter(variable);
    ElementsAttr first;
    Type element = type.getElementType();
    if (initial != 0)
      first = DenseElementsAttr::get(
          type,
          isa<FloatType>(element)
              ? Attribute(builder.getFloatAttr(element, initial))
              : builder.getIntegerAttr(element, static_cast<int64_t>(initial)));
    nn::VariableOp::create(builder, loc, nn::VariableKind::optimizer, name,
                           type, first, DictionaryAttr(), StringAttr());
  }
  value = nn::ReadOp::create(builder, loc, type, name);
  return value;
}

void OptimizerState::assign(StringRef name, Value value) {
  if (condition)
    value = nn::SelectOp::create(builder, loc, condition, value,
                                 read(name, nn::tensorType(value)));
  nn::AssignOp::create(builder, loc, name, value);
}

//===----------------------------------------------------------------------===//
// Clipping
//===----------------------------------------------------------------------===//

static Value norm(const Math &m, Value x) {
  return m.sqrt(m.sumAll(m.square(x)));
}

/// Clips the gradients by value, by each one's norm, or by the norm of all.
static void clip(const Math &m, const Config &config,
                 MutableArrayRef<Trained> variables) {
  if (double limit = config.number("clipnorm", 0); limit > 0) {
    // g * c / max(norm, c)
    for (Trained &v : variables)
      v.gradient =
          m.divide(m.multiply(v.gradient, limit),
                   m.maximum(norm(m, v.gradient), m.number(v.gradient, limit)));
    return;
  }
  if (double limit = config.number("global_clipnorm", 0);
      limit > 0 && !variables.empty()) {
    Value squares;
    for (Trained &v : variables) {
      Value square = m.sumAll(m.square(v.gradient));
      squares = squares ? m.add(squares, square) : square;
    }
    Value total = m.sqrt(squares);
    Value scale = m.multiply(m.minimum(m.divide(m.number(total, 1), total),
                                       m.number(total, 1 / limit)),
                             limit);
    // Zero, or NaN for an infinite norm, so that it spreads.
    scale = m.add(scale, m.subtract(total, total));
    for (Trained &v : variables)
      v.gradient = m.multiply(v.gradient, scale);
    return;
  }
  if (double limit = config.number("clipvalue", 0); limit > 0)
    for (Trained &v : variables)
      v.gradient =
          m.minimum(m.maximum(v.gradient, m.number(v.gradient, -limit)),
                    m.number(v.gradient, limit));
}

//===----------------------------------------------------------------------===//
// Steps that are no updates, and averages
//===----------------------------------------------------------------------===//

namespace {

/// With gradient_accumulation_steps n, only each n-th step updates, with the
/// mean of the gradients since the last; the others add theirs up.
struct Accumulation {
  /// The number of this update, or of the one that this step is a part of.
  Value number;
  /// Whether this step is an update; null if each is.
  Value isUpdate;
};

} // namespace

static Accumulation accumulate(const Math &m, const Config &config,
                               OptimizerState &state, Value next,
                               MutableArrayRef<Trained> variables) {
  double every = config.number("gradient_accumulation_steps", 1);
  if (every <= 1)
    return {next, {}};
  // In f64, which holds every i32.
  Value count = m.convert(next, m.builder.getF64Type());
  auto updatesUntil = [&](Value step) {
    return m.floor(m.divide(step, m.number(step, every)));
  };
  Value isUpdate = m.compare(nn::Predicate::eq,
                             m.multiply(updatesUntil(count), every), count);
  for (Trained &v : variables) {
    std::string slot = ("optimizer/" + v.path + "/gradient_accumulator").str();
    Value sum = m.add(v.gradient, state.read(slot, nn::tensorType(v.gradient)));
    state.assign(slot, m.select(isUpdate, m.number(sum, 0), sum));
    v.gradient = m.divide(sum, m.number(sum, every));
  }
  return {m.add(updatesUntil(m.subtract(count, 1.0)), 1.0), isUpdate};
}

/// The moving average of a variable, which starts as a copy. The value that the
/// variable gets: the average at every so many updates, else its own.
static Value average(const Math &m, const Config &config, OptimizerState &state,
                     Value number, StringRef path, Value value) {
  if (!config.flag("use_ema"))
    return value;
  std::string slot = ("optimizer/" + path + "/average").str();
  Value count = m.convert(number, m.builder.getF64Type());
  Value first = m.compare(nn::Predicate::eq, count, 1.0);
  Value momentum =
      m.select(first, m.number(value, 0),
               m.number(value, config.number("ema_momentum", 0.99)));
  Value old = state.read(slot, nn::tensorType(value));
  Value mean =
      m.add(m.multiply(old, momentum),
            m.multiply(value, m.subtract(m.number(value, 1), momentum)));
  state.assign(slot, mean);
  double every = config.number("ema_overwrite_frequency", 0);
  if (every < 1)
    return value;
  Value periods = m.floor(m.divide(count, m.number(count, every)));
  return m.select(
      m.compare(nn::Predicate::eq, m.multiply(periods, every), count), mean,
      value);
}

//===----------------------------------------------------------------------===//
// The step
//===----------------------------------------------------------------------===//

static SmallVector<const OptimizerEntry *> allOptimizers() {
  SmallVector<const OptimizerEntry *> all;
  for (ArrayRef<OptimizerEntry> table :
       {momentumOptimizers(), adamOptimizers(), adaptiveOptimizers(),
        matrixOptimizers()})
    for (const OptimizerEntry &entry : table)
      all.push_back(&entry);
  return all;
}

static const OptimizerEntry *findOptimizer(StringRef name) {
  for (const OptimizerEntry *entry : allOptimizers())
    if (entry->name.equals_insensitive(name))
      return entry;
  return nullptr;
}

LogicalResult buildOptimizerStep(ModuleOp module, OpBuilder &builder,
                                 ArrayRef<Trained> trained) {
  auto attribute = module->getAttrOfType<DictionaryAttr>("nn.optimizer");
  if (!attribute)
    return module.emitError("has no nn.optimizer to train with");
  Config config(attribute);
  const OptimizerEntry *entry = findOptimizer(config.className());
  if (!entry) {
    InFlightDiagnostic error = module.emitError("optimizer '")
                               << config.className()
                               << "' is not supported; supported are ";
    SmallVector<StringRef> names;
    for (const OptimizerEntry *known : allOptimizers())
      names.push_back(known->name);
    return error << llvm::join(names, ", ");
  }

  Location loc = NameLoc::get(builder.getStringAttr("optimizer"));
  Math m(builder, loc);
  OptimizerState state(module, builder, loc);
  auto scalarOf = [](Type type) { return RankedTensorType::get({}, type); };
  // A model of float64 learns at a rate of float64.
  Type rateType = trained.empty() ? builder.getF32Type()
                                  : nn::elementType(trained.front().value);
  Value iteration =
      state.read("optimizer/iteration", scalarOf(builder.getI32Type()));
  Value learningRate;
  if (std::optional<Config> schedule = config.nested("learning_rate")) {
    learningRate = buildSchedule(m, *schedule, m.convert(iteration, rateType));
    if (!learningRate)
      return module.emitError("learning-rate schedule '")
             << schedule->className() << "' is not supported";
  } else {
    learningRate =
        state.read("optimizer/learning_rate", scalarOf(rateType),
                   config.number("learning_rate", entry->learningRate));
  }
  Value next = m.add(iteration, 1.0);

  SmallVector<Trained> variables(trained);
  Accumulation accumulation = accumulate(m, config, state, next, variables);
  clip(m, config, variables);
  for (const Trained &v : variables) {
    double decay = entry->decayOf
                       ? entry->decayOf(config, v)
                       : config.number("weight_decay", entry->weightDecay);
    Update update(builder,
                  NameLoc::get(builder.getStringAttr("optimizer/" + v.path)),
                  config, state, v.path);
    Type element = nn::elementType(v.value);
    update.variable = v.value;
    update.gradient = v.gradient;
    update.learningRate = m.convert(learningRate, element);
    update.step = m.convert(accumulation.number, element);
    if (decay != 0)
      update.variable = update.subtract(
          v.value, update.multiply(update.multiply(v.value, decay),
                                   update.learningRate));
    state.condition = accumulation.isUpdate;
    Value value = entry->rule(update);
    if (state.condition)
      value = m.select(state.condition, value, v.value);
    state.condition = {};
    value = average(m, config, state, accumulation.number, v.path, value);
    auto variable = module.lookupSymbol<nn::VariableOp>(v.path);
    if (auto constraint =
            variable->getAttrOfType<DictionaryAttr>("nn.constraint")) {
      value = constrain(m, Config(constraint), value);
      if (!value)
        return variable.emitError("its constraint is not supported");
    }
    state.assign(v.path, value);
  }
  state.assign("optimizer/iteration", next);
  return success();
}

} // namespace cornu::graph
