//===- Json.h - The configuration tree --------------------------*- C++ -*-===//
//
// A read-only JSON tree whose nodes know their place, so that a diagnostic can
// name it (`/config/layers/3/config/units`). The parser is nlohmann's,
// event-driven: nesting, size and node count are limited, whatever the input.
//
//   JsonDocument document;
//   std::string error;
//   const Json *root = document.parse(text, error);   // null on an error
//   root->at("config").at("units").asInteger()        // std::optional
//
// Missing members read as null, so that a chain of at() never fails.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_ARCHIVE_JSON_H
#define CORNU_FRONTEND_ARCHIVE_JSON_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace cornu::frontend {

class JsonDocument;

class Json {
public:
  enum class Kind { Null, Bool, Integer, Float, String, Array, Object };

  Kind kind() const { return kindOf; }
  bool isNull() const { return kindOf == Kind::Null; }
  bool isBool() const { return kindOf == Kind::Bool; }
  bool isInteger() const { return kindOf == Kind::Integer; }
  bool isNumber() const {
    return kindOf == Kind::Integer || kindOf == Kind::Float;
  }
  bool isString() const { return kindOf == Kind::String; }
  bool isArray() const { return kindOf == Kind::Array; }
  bool isObject() const { return kindOf == Kind::Object; }
  llvm::StringRef kindName() const;

  std::optional<bool> asBool() const;
  /// An integer, or a float that is one (Keras writes 2.0 for some counts).
  std::optional<int64_t> asInteger() const;
  std::optional<double> asNumber() const;
  std::optional<llvm::StringRef> asString() const;
  /// The string, or "" if the node is something else.
  llvm::StringRef str() const { return text; }

  /// Elements of an array, values of an object, in file order.
  llvm::ArrayRef<const Json *> items() const { return children; }
  llvm::ArrayRef<std::string> keys() const { return names; }
  size_t size() const { return children.size(); }

  /// The member, or null (a C++ null pointer) if absent or not an object. The
  /// last of several equal keys counts, as in Python.
  const Json *find(llvm::StringRef key) const;
  /// The member or element, or the null node.
  const Json &at(llvm::StringRef key) const;
  const Json &at(size_t index) const;
  bool has(llvm::StringRef key) const { return find(key) != nullptr; }

  /// The place in the file: "/config/layers/3"; "" for the root.
  std::string pointer() const;
  /// Compact JSON text.
  std::string dump() const;

private:
  friend class JsonDocument;
  friend class JsonBuilder;
  Kind kindOf = Kind::Null;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;
  std::string text;
  std::vector<const Json *> children;
  std::vector<std::string> names;
  const Json *parent = nullptr;
  // For a node that normalization made: the node of the file it stands for.
  const Json *origin = nullptr;
};

/// Owns the nodes of one or several trees.
class JsonDocument {
public:
  static constexpr unsigned kMaxDepth = 512;
  static constexpr size_t kMaxNodes = 4u << 20;
  static constexpr size_t kMaxBytes = 64u << 20;

  /// Null on an error, described in `error` with line or offset.
  const Json *parse(llvm::StringRef text, std::string &error);

  // Construction of trees, for normalization. `origin` is the node that errors
  // should point to.
  const Json *makeNull(const Json *origin = nullptr);
  const Json *makeBool(bool value, const Json *origin = nullptr);
  const Json *makeInteger(int64_t value, const Json *origin = nullptr);
  const Json *makeNumber(double value, const Json *origin = nullptr);
  const Json *makeString(llvm::StringRef value, const Json *origin = nullptr);
  const Json *makeArray(llvm::ArrayRef<const Json *> elements,
                        const Json *origin = nullptr);
  using Members = std::vector<std::pair<std::string, const Json *>>;
  const Json *makeObject(const Members &members, const Json *origin = nullptr);
  /// The object with some members replaced or added; a null pointer removes.
  const Json *with(const Json &object, const Members &changes);

private:
  friend class JsonBuilder;
  Json &create(Json::Kind kind, const Json *origin);
  std::deque<Json> nodes;
};

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_ARCHIVE_JSON_H
