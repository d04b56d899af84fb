//===- LayerVariables.cpp - Weights and state of a layer ------------------===//
//
// A layer asks for a variable by name and shape; the first call adds it to the
// model, with the initializer, regularizer and constraint that stand in the
// configuration under the weight's prefix.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Layer.h"
#include "frontend/import/Training.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

Scope LayerCall::within(StringRef name, StringRef attribute) const {
  Scope inner = scope;
  inner.path += ("/" + name).str();
  inner.group += ("/" + attribute).str();
  return inner;
}

static constexpr StringLiteral kConstraints[] = {"MaxNorm", "NonNeg",
                                                 "UnitNorm", "MinMaxNorm"};

std::vector<std::string> cornu::frontend::constraintNames() {
  return {std::begin(kConstraints), std::end(kConstraints)};
}

/// The constraint on a weight of this rank, as buildOptimizerStep reads it.
static DictionaryAttr readConstraint(LayerCall &call, StringRef prefix,
                                     size_t rank) {
  std::string key = (prefix + "_constraint").str();
  const Json &spec = call.config.at(key);
  if (spec.isNull() || !hasLoss(call.model))
    return {};
  NamedObject object = namedObject(spec);
  const auto *name = llvm::find_if(kConstraints, [&](StringRef name) {
    return object.className == name || object.className == snakeCase(name);
  });
  if (name == std::end(kConstraints)) {
    call.errorAt(key,
                 "the constraint '" + object.className +
                     "' is not supported in training",
                 "MaxNorm, NonNeg, UnitNorm or MinMaxNorm, or compile with "
                 "--inference-only");
    return {};
  }
  const Json &axis = object.config->at("axis");
  auto isAxis = [&](const Json &json) {
    std::optional<int64_t> value = json.asInteger();
    int64_t limit = static_cast<int64_t>(rank);
    return value && *value >= -limit && *value < limit;
  };
  bool fits =
      axis.isArray()
          ? llvm::all_of(axis.items(),
                         [&](const Json *item) { return isAxis(*item); })
          : axis.isNull() || isAxis(axis);
  if (!fits || (axis.isNull() && rank == 0 && *name != "NonNeg"))
    call.errorAt(key,
                 "the constraint's axis is none of the weight's " +
                     Twine(rank) + " axes",
                 "give one that is less than " + Twine(rank));
  Builder &b = call.model.builder;
  Attribute config = toAttribute(call.model.context, *object.config);
  return b.getDictionaryAttr(
      {b.getNamedAttr("class_name", b.getStringAttr(*name)),
       b.getNamedAttr("config", isa_and_present<DictionaryAttr>(config)
                                    ? config
                                    : b.getDictionaryAttr({}))});
}

static Value readVariable(LayerCall &call, const Scope &scope, StringRef name,
                          ArrayRef<int64_t> shape, Type type,
                          DictionaryAttr initializer, bool trainable,
                          StringRef prefix) {
  for (int64_t size : shape)
    if (ShapedType::isDynamic(size)) {
      call.error("the shape of the weight '" + name +
                     "' is not known: " + nn::formatShape(shape),
                 "give the input a fixed size in every dimension but the "
                 "batch");
      return {};
    }
  if (!countElements(shape)) {
    call.error("the weight '" + name + "' of shape " + nn::formatShape(shape) +
               " is impossibly large");
    return {};
  }
  std::string path =
      scope.path.empty() ? name.str() : scope.path + "/" + name.str();
  Variable *variable = call.model.findVariable(path);
  if (!variable) {
    Variable fresh;
    fresh.path = path;
    fresh.built = scope.built;
    fresh.group = scope.group.empty() ? "vars" : scope.group + "/vars";
    StringRef owner = scope.path;
    fresh.ownerName = owner.substr(owner.rfind('/') + 1).str();
    fresh.shape = Shape(shape);
    fresh.type = type;
    fresh.trainableWeight = trainable;
    fresh.kind = trainable && scope.trainable ? nn::VariableKind::trainable
                                              : nn::VariableKind::non_trainable;
    fresh.order = scope.order;
    fresh.initializer = initializer;
    if (fresh.kind == nn::VariableKind::trainable) {
      const Json &regularizer = call.config.at((prefix + "_regularizer").str());
      if (!regularizer.isNull())
        fresh.regularizer = &regularizer;
      fresh.constraint = readConstraint(call, prefix, shape.size());
    }
    variable = call.model.addVariable(std::move(fresh));
  }
  auto wanted = RankedTensorType::get(shape, type);
  if (variable->shape != Shape(shape) || variable->type != type) {
    call.error("the weight '" + name + "' has shape " +
               nn::formatShape(variable->shape) + " in one call and " +
               nn::formatShape(shape) + " in another");
    return {};
  }
  return nn::ReadOp::create(call.model.builder, call.math.getLoc(), wanted,
                            path);
}

Value LayerCall::weightWith(StringRef name, ArrayRef<int64_t> shape,
                            DictionaryAttr initializer, StringRef prefix,
                            const Scope *where) {
  return readVariable(*this, where ? *where : scope, name, shape, floatType(),
                      initializer, /*trainable=*/true, prefix);
}

Value LayerCall::weight(StringRef name, ArrayRef<int64_t> shape,
                        StringRef prefix, const Scope *where) {
  if (prefix.empty())
    prefix = name;
  return weightWith(name, shape, initializer(prefix), prefix, where);
}

Value LayerCall::state(StringRef name, ArrayRef<int64_t> shape,
                       DictionaryAttr initializer, Type type) {
  return readVariable(*this, scope, name, shape, type ? type : floatType(),
                      initializer, /*trainable=*/false, "");
}

void LayerCall::assign(StringRef name, Value value) {
  if (value)
    nn::AssignOp::create(model.builder, math.getLoc(),
                         scope.path + "/" + name.str(), value);
}

// Keras's short names of initializers that are not the snake case of a class.
static StringRef initializerClass(StringRef name) {
  static constexpr std::pair<StringRef, StringRef> known[] = {
      {"zeros", "Zeros"},
      {"zero", "Zeros"},
      {"ones", "Ones"},
      {"one", "Ones"},
      {"constant", "Constant"},
      {"identity", "Identity"},
      {"random_normal", "RandomNormal"},
      {"normal", "RandomNormal"},
      {"truncated_normal", "TruncatedNormal"},
      {"random_uniform", "RandomUniform"},
      {"uniform", "RandomUniform"},
      {"variance_scaling", "VarianceScaling"},
      {"glorot_uniform", "GlorotUniform"},
      {"glorot_normal", "GlorotNormal"},
      {"he_uniform", "HeUniform"},
      {"he_normal", "HeNormal"},
      {"lecun_uniform", "LecunUniform"},
      {"lecun_normal", "LecunNormal"},
      {"orthogonal", "Orthogonal"},
  };
  for (auto [shortName, className] : known)
    if (name == shortName || name == className)
      return className;
  if (name == "IdentityInitializer")
    return "Identity";
  if (name == "OrthogonalInitializer")
    return "Orthogonal";
  return {};
}

// What the constructors of Keras's layers have: the same for a prefix in every
// class.
static StringRef defaultInitializer(StringRef prefix) {
  return llvm::StringSwitch<StringRef>(prefix)
      .Cases({"kernel", "depthwise", "pointwise"}, "GlorotUniform")
      .Case("recurrent", "Orthogonal")
      .Case("embeddings", "RandomUniform")
      .Cases({"gamma", "moving_variance"}, "Ones")
      .Default("Zeros");
}

DictionaryAttr LayerCall::initializerOf(StringRef className,
                                        ArrayRef<NamedAttribute> members) {
  Builder &b = model.builder;
  return b.getDictionaryAttr(
      {b.getNamedAttr("class_name", b.getStringAttr(className)),
       b.getNamedAttr("config", b.getDictionaryAttr(members))});
}

DictionaryAttr LayerCall::initializer(StringRef prefix) {
  std::string key = (prefix + "_initializer").str();
  if (!config.has(key))
    return initializerOf(defaultInitializer(prefix));
  NamedObject object = namedObject(config.at(key));
  // None has add_weight choose.
  if (object.className.empty())
    return initializerOf("GlorotUniform");
  StringRef className = initializerClass(object.className);
  if (className.empty()) {
    errorAt(key, "unknown initializer '" + object.className + "'",
            "one of Keras's built-in initializers");
    return initializerOf("Zeros");
  }
  auto members = dyn_cast_or_null<DictionaryAttr>(
      toAttribute(model.context, *object.config));
  return initializerOf(className, members ? members.getValue()
                                          : ArrayRef<NamedAttribute>());
}

DictionaryAttr LayerCall::initializer(StringRef prefix,
                                      ArrayRef<int64_t> inputAxes,
                                      ArrayRef<int64_t> outputAxes) {
  Builder &b = model.builder;
  DictionaryAttr plain = initializer(prefix);
  NamedAttrList members(plain.getAs<DictionaryAttr>("config"));
  if (members.get("input_axes") && members.get("output_axes"))
    return plain;
  auto numbers = [&](ArrayRef<int64_t> axes) {
    SmallVector<Attribute> list;
    for (int64_t axis : axes)
      list.push_back(b.getF64FloatAttr(static_cast<double>(axis)));
    return b.getArrayAttr(list);
  };
  members.set("input_axes", numbers(inputAxes));
  members.set("output_axes", numbers(outputAxes));
  return initializerOf(plain.getAs<StringAttr>("class_name"), members);
}
