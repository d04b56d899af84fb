//===- Json.h - Writing lines of JSON, reading headers --------------------===//
#ifndef CORNU_RUNTIME_HOST_JSON_H
#define CORNU_RUNTIME_HOST_JSON_H

#include "runtime/host/Text.h"

namespace cornu::runtime {

/// Builds one object, key by key: JsonObject().add("loss", 0.5).text().
class JsonObject {
public:
  JsonObject &add(std::string_view key, double value);
  JsonObject &add(std::string_view key, int64_t value);
  JsonObject &add(std::string_view key, std::string_view text);
  /// A value that is JSON already.
  JsonObject &addRaw(std::string_view key, std::string_view json);
  String text() const;

private:
  String members;
};

/// "text" with quotes and escapes.
String jsonString(std::string_view text);
/// Nine digits, which a float needs to be read back exactly; null for what
/// JSON has no number for.
String jsonNumber(double value);

/// Reads JSON from hostile files: a cursor over the text, without recursion in
/// what it keeps. Each method returns false when the text is not as asked.
class JsonReader {
public:
  explicit JsonReader(std::string_view text) : rest(text) {}

  /// Consumes a punctuation mark.
  bool consume(char mark);
  bool string(String &value);
  bool integer(int64_t &value);
  bool integers(Vector<int64_t> &values);
  /// Skips any value, nested to at most 64 levels.
  bool skip(int depth = 0);
  /// For `{...}`: calls `member(key)` before each value, which must consume
  /// it.
  template <typename Member> bool object(Member member) {
    if (!consume('{'))
      return false;
    if (consume('}'))
      return true;
    do {
      String key;
      if (!string(key) || !consume(':') || !member(key))
        return false;
    } while (consume(','));
    return consume('}');
  }

private:
  void skipSpace();
  std::string_view rest;
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_JSON_H
