//===- ModelBuilder.cpp - The module under construction -------------------===//

#include "frontend/import/ModelBuilder.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

ModelBuilder::ModelBuilder(MLIRContext &context, ModelArchive &archive,
                           const ImportOptions &options,
                           Diagnostics &diagnostics)
    : context(context), archive(archive), options(options),
      diagnostics(diagnostics),
      module(ModuleOp::create(UnknownLoc::get(&context))), builder(&context) {}

bool cornu::frontend::comesBefore(const Variable &a, const Variable &b) {
  if (a.order != b.order)
    return std::lexicographical_compare(a.order.begin(), a.order.end(),
                                        b.order.begin(), b.order.end());
  return a.sequence < b.sequence;
}

Variable *ModelBuilder::findVariable(StringRef path) {
  auto it = byPath.find(path.str());
  return it == byPath.end() ? nullptr : it->second;
}

Variable *ModelBuilder::addVariable(Variable variable) {
  variable.index = groupSizes[variable.group]++;
  variable.sequence = variables.size();
  variables.push_back(std::make_unique<Variable>(std::move(variable)));
  byPath[variables.back()->path] = variables.back().get();
  return variables.back().get();
}

Variable *ModelBuilder::addState(Variable variable) {
  states.push_back(std::make_unique<Variable>(std::move(variable)));
  byPath[states.back()->path] = states.back().get();
  return states.back().get();
}

std::vector<Variable *> ModelBuilder::sortedVariables() const {
  std::vector<Variable *> sorted;
  for (const auto &variable : variables)
    sorted.push_back(variable.get());
  llvm::sort(sorted, [](Variable *a, Variable *b) {
    bool aLater = a->kind != nn::VariableKind::trainable;
    bool bLater = b->kind != nn::VariableKind::trainable;
    return aLater != bLater ? bLater : comesBefore(*a, *b);
  });
  return sorted;
}

Value ModelBuilder::randomState(Location location) {
  auto type = RankedTensorType::get({4}, builder.getI32Type());
  return nn::ReadOp::create(builder, location, type, "random/state");
}

/// True if the op only moves its operands' elements, and drops none: if a part
/// of an input is cut out, the bound is not one of the other parts.
static bool keepsValues(Operation *op) {
  if (auto convert = dyn_cast<nn::ConvertOp>(op)) {
    Type to = nn::elementType(convert.getResult());
    return to.getIntOrFloatBitWidth() >= 32; // a bool or a byte cuts off
  }
  return isa<nn::ReshapeOp, nn::TransposeOp, nn::BroadcastOp, nn::ConcatenateOp,
             nn::ReverseOp, nn::StopGradientOp>(op);
}

void ModelBuilder::boundInputs(Value values, int64_t bound) {
  SmallVector<Value> pending{values};
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (Operation *op = value.getDefiningOp()) {
      if (keepsValues(op))
        llvm::append_range(pending, op->getOperands());
      continue;
    }
    auto argument = cast<BlockArgument>(value);
    auto forward = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    if (!forward)
      continue;
    unsigned i = argument.getArgNumber();
    auto known = forward.getArgAttrOfType<IntegerAttr>(i, "nn.upper_bound");
    if (!known || known.getInt() > bound)
      forward.setArgAttr(i, "nn.upper_bound", builder.getI64IntegerAttr(bound));
  }
}

Location ModelBuilder::locationOf(StringRef path) const {
  return NameLoc::get(StringAttr::get(&context, path));
}

Attribute cornu::frontend::toAttribute(MLIRContext &context, const Json &json) {
  Builder b(&context);
  switch (json.kind()) {
  case Json::Kind::Null:
    return {};
  case Json::Kind::Bool:
    return b.getBoolAttr(*json.asBool());
  case Json::Kind::Integer:
  case Json::Kind::Float:
    return b.getF64FloatAttr(*json.asNumber());
  case Json::Kind::String:
    return b.getStringAttr(json.str());
  case Json::Kind::Array: {
    SmallVector<Attribute> items;
    for (const Json *item : json.items())
      if (Attribute attribute = toAttribute(context, *item))
        items.push_back(attribute);
    return b.getArrayAttr(items);
  }
  case Json::Kind::Object: {
    NamedAttrList members;
    for (size_t i = 0; i < json.size(); ++i)
      if (!json.keys()[i].empty())
        if (Attribute attribute = toAttribute(context, json.at(i)))
          members.set(json.keys()[i], attribute);
    return members.getDictionary(&context);
  }
  }
  return {};
}

NamedObject cornu::frontend::namedObject(const Json &spec) {
  static const Json none;
  if (spec.isString())
    return {spec.str().str(), &none};
  if (!spec.isObject())
    return {"", &none};
  const Json &config = spec.at("config");
  // {"class_name": "function", "config": "mean_squared_error"}
  if (spec.at("class_name").str() == "function" && config.isString())
    return {config.str().str(), &none};
  return {spec.at("class_name").str().str(), &config};
}

// "_" before an upper-case letter that starts a word, then lower case: format
// of Keras's naming.to_snake_case.
std::string cornu::frontend::snakeCase(StringRef name) {
  std::string separated;
  for (size_t i = 0; i < name.size(); ++i) {
    if (!llvm::isAlnum(name[i]) && name[i] != '_')
      continue;
    bool wordStart = i + 1 < name.size() && llvm::isUpper(name[i]) &&
                     llvm::isLower(name[i + 1]);
    if (wordStart && !separated.empty())
      separated += '_';
    separated += name[i];
  }
  std::string out;
  for (size_t i = 0; i < separated.size(); ++i) {
    if (i > 0 && llvm::isUpper(separated[i]) && llvm::isLower(separated[i - 1]))
      out += '_';
    out += llvm::toLower(separated[i]);
  }
  return out;
}
