//===- Json.cpp - The configuration tree ----------------------------------===//

#include "frontend/archive/Json.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

#define JSON_NOEXCEPTION
#include <nlohmann/json.hpp>

using namespace cornu::frontend;

static const Json kNull;

llvm::StringRef Json::kindName() const {
  switch (kindOf) {
  case Kind::Null:
    return "null";
  case Kind::Bool:
    return "a boolean";
  case Kind::Integer:
    return "an integer";
  case Kind::Float:
    return "a number";
  case Kind::String:
    return "a string";
  case Kind::Array:
    return "a list";
  case Kind::Object:
    return "an object";
  }
  return "";
}

std::optional<bool> Json::asBool() const {
  if (isBool())
    return boolean;
  return std::nullopt;
}

std::optional<int64_t> Json::asInteger() const {
  if (isInteger())
    return integer;
  // 2^53: beyond it a double no longer names one integer.
  if (kindOf == Kind::Float && std::floor(number) == number &&
      std::fabs(number) <= 9007199254740992.0)
    return static_cast<int64_t>(number);
  return std::nullopt;
}

std::optional<double> Json::asNumber() const {
  if (isInteger())
    return static_cast<double>(integer);
  if (kindOf == Kind::Float)
    return number;
  return std::nullopt;
}

std::optional<llvm::StringRef> Json::asString() const {
  if (isString())
    return llvm::StringRef(text);
  return std::nullopt;
}

const Json *Json::find(llvm::StringRef key) const {
  for (size_t i = names.size(); i-- > 0;)
    if (names[i] == key)
      return children[i];
  return nullptr;
}

const Json &Json::at(llvm::StringRef key) const {
  const Json *member = find(key);
  return member ? *member : kNull;
}

const Json &Json::at(size_t index) const {
  return index < children.size() ? *children[index] : kNull;
}

std::string Json::pointer() const {
  llvm::SmallVector<std::string, 8> steps;
  for (const Json *node = origin ? origin : this; node->parent;) {
    const Json *above = node->parent;
    size_t index = 0;
    while (index < above->children.size() && above->children[index] != node)
      ++index;
    if (above->isObject() && index < above->names.size()) {
      std::string step;
      for (char c : above->names[index])
        step += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
      steps.push_back(step);
    } else {
      steps.push_back(std::to_string(index));
    }
    node = above->origin ? above->origin : above;
  }
  std::string out;
  for (size_t i = steps.size(); i-- > 0;)
    out += "/" + steps[i];
  return out;
}

static void dumpString(llvm::raw_ostream &os, llvm::StringRef text) {
  os << '"';
  for (char c : text) {
    if (c == '"' || c == '\\')
      os << '\\' << c;
    else if (static_cast<unsigned char>(c) < 0x20)
      os << llvm::format("\\u%04x", c);
    else
      os << c;
  }
  os << '"';
}

static void dumpNode(llvm::raw_ostream &os, const Json &node) {
  switch (node.kind()) {
  case Json::Kind::Null:
    os << "null";
    return;
  case Json::Kind::Bool:
    os << (*node.asBool() ? "true" : "false");
    return;
  case Json::Kind::Integer:
    os << *node.asInteger();
    return;
  case Json::Kind::Float:
    os << llvm::format("%.17g", *node.asNumber());
    return;
  case Json::Kind::String:
    dumpString(os, node.str());
    return;
  case Json::Kind::Array:
    os << '[';
    for (auto [i, item] : llvm::enumerate(node.items())) {
      if (i)
        os << ", ";
      dumpNode(os, *item);
    }
    os << ']';
    return;
  case Json::Kind::Object:
    os << '{';
    for (auto [i, item] : llvm::enumerate(node.items())) {
      if (i)
        os << ", ";
      dumpString(os, node.keys()[i]);
      os << ": ";
      dumpNode(os, *item);
    }
    os << '}';
    return;
  }
}

std::string Json::dump() const {
  std::string out;
  llvm::raw_string_ostream os(out);
  dumpNode(os, *this);
  return out;
}

Json &JsonDocument::create(Json::Kind kind, const Json *origin) {
  nodes.emplace_back();
  nodes.back().kindOf = kind;
  nodes.back().origin = origin;
  return nodes.back();
}

const Json *JsonDocument::makeNull(const Json *origin) {
  return &create(Json::Kind::Null, origin);
}

const Json *JsonDocument::makeBool(bool value, const Json *origin) {
  Json &node = create(Json::Kind::Bool, origin);
  node.boolean = value;
  return &node;
}

const Json *JsonDocument::makeInteger(int64_t value, const Json *origin) {
  Json &node = create(Json::Kind::Integer, origin);
  node.integer = value;
  return &node;
}

const Json *JsonDocument::makeNumber(double value, const Json *origin) {
  Json &node = create(Json::Kind::Float, origin);
  node.number = value;
  return &node;
}

const Json *JsonDocument::makeString(llvm::StringRef value,
                                     const Json *origin) {
  Json &node = create(Json::Kind::String, origin);
  node.text = value.str();
  return &node;
}

const Json *JsonDocument::makeArray(llvm::ArrayRef<const Json *> elements,
                                    const Json *origin) {
  Json &node = create(Json::Kind::Array, origin);
  node.children.assign(elements.begin(), elements.end());
  return &node;
}

const Json *JsonDocument::makeObject(const Members &members,
                                     const Json *origin) {
  Json &node = create(Json::Kind::Object, origin);
  for (const auto &[key, value] : members) {
    node.names.push_back(key);
    node.children.push_back(value);
  }
  return &node;
}

const Json *JsonDocument::with(const Json &object, const Members &changes) {
  Json &node =
      create(Json::Kind::Object, object.origin ? object.origin : &object);
  auto changed = [&](llvm::StringRef key) {
    for (const auto &[name, value] : changes)
      if (key == name)
        return true;
    return false;
  };
  for (size_t i = 0; i < object.names.size(); ++i)
    if (!changed(object.names[i])) {
      node.names.push_back(object.names[i]);
      node.children.push_back(object.children[i]);
    }
  for (const auto &[name, value] : changes)
    if (value) {
      node.names.push_back(name);
      node.children.push_back(value);
    }
  return &node;
}

namespace cornu::frontend {

/// Receives nlohmann's parse events and builds the tree under the limits.
class JsonBuilder {
public:
  JsonBuilder(JsonDocument &document, std::string &error)
      : document(document), error(error) {}

  const Json *root = nullptr;

  bool null() { return add(Json::Kind::Null) != nullptr; }
  bool boolean(bool value) {
    Json *node = add(Json::Kind::Bool);
    if (node)
      node->boolean = value;
    return node;
  }
  bool number_integer(int64_t value) {
    Json *node = add(Json::Kind::Integer);
    if (node)
      node->integer = value;
    return node;
  }
  bool number_unsigned(uint64_t value) {
    if (value <= static_cast<uint64_t>(INT64_MAX))
      return number_integer(static_cast<int64_t>(value));
    return number_float(static_cast<double>(value), {});
  }
  bool number_float(double value, const std::string &) {
    Json *node = add(Json::Kind::Float);
    if (node)
      node->number = value;
    return node;
  }
  bool string(std::string &value) {
    Json *node = add(Json::Kind::String);
    if (node)
      node->text = std::move(value);
    return node;
  }
  bool binary(std::vector<uint8_t> &) { return false; }
  bool start_object(size_t) { return open(Json::Kind::Object); }
  bool key(std::string &value) {
    stack.back()->names.push_back(std::move(value));
    return true;
  }
  bool end_object() { return close(); }
  bool start_array(size_t) { return open(Json::Kind::Array); }
  bool end_array() { return close(); }
  bool parse_error(size_t position, const std::string &token,
                   const nlohmann::detail::exception &) {
    error = ("not valid JSON at byte " + llvm::Twine(position) + ", near '" +
             llvm::StringRef(token).take_back(40) + "'")
                .str();
    return false;
  }

private:
  Json *add(Json::Kind kind) {
    if (count++ >= JsonDocument::kMaxNodes) {
      error = "more than " + std::to_string(JsonDocument::kMaxNodes) +
              " JSON values";
      return nullptr;
    }
    Json &node = document.create(kind, nullptr);
    if (stack.empty()) {
      root = &node;
    } else {
      node.parent = stack.back();
      stack.back()->children.push_back(&node);
    }
    return &node;
  }
  bool open(Json::Kind kind) {
    if (stack.size() >= JsonDocument::kMaxDepth) {
      error = "JSON nested deeper than " +
              std::to_string(JsonDocument::kMaxDepth) + " levels";
      return false;
    }
    Json *node = add(kind);
    if (node)
      stack.push_back(node);
    return node;
  }
  bool close() {
    stack.pop_back();
    return true;
  }

  JsonDocument &document;
  std::string &error;
  std::vector<Json *> stack;
  size_t count = 0;
};

} // namespace cornu::frontend

const Json *JsonDocument::parse(llvm::StringRef text, std::string &error) {
  if (text.size() > kMaxBytes) {
    error = "more than " + std::to_string(kMaxBytes >> 20) + " MiB of JSON";
    return nullptr;
  }
  JsonBuilder builder(*this, error);
  bool ok = nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  if (!ok || !builder.root) {
    if (error.empty())
      error = "not valid JSON";
    return nullptr;
  }
  return builder.root;
}
