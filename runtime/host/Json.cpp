//===- Json.cpp - Writing lines of JSON, reading headers ------------------===//
#include "runtime/host/Json.h"

namespace cornu::runtime {

String jsonString(std::string_view text) {
  String result("\"");
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      result.appendFormat("\\u%04x", unsigned(c));
    else
      result += c;
  }
  result += '"';
  return result;
}

String jsonNumber(double value) {
  bool finite = value - value == 0;
  return finite ? format("%.9g", value) : String("null");
}

JsonObject &JsonObject::addRaw(std::string_view key, std::string_view json) {
  if (!members.empty())
    members += ", ";
  members += jsonString(key);
  members += ": ";
  members += json;
  return *this;
}

JsonObject &JsonObject::add(std::string_view key, double value) {
  return addRaw(key, jsonNumber(value));
}
JsonObject &JsonObject::add(std::string_view key, int64_t value) {
  return addRaw(key, format("%lld", static_cast<long long>(value)));
}
JsonObject &JsonObject::add(std::string_view key, std::string_view text) {
  return addRaw(key, jsonString(text));
}

String JsonObject::text() const {
  String result("{");
  result += members;
  result += "}";
  return result;
}

void JsonReader::skipSpace() {
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == '\n' ||
                           rest[0] == '\t' || rest[0] == '\r'))
    rest.remove_prefix(1);
}

bool JsonReader::consume(char mark) {
  skipSpace();
  if (rest.empty() || rest[0] != mark)
    return false;
  rest.remove_prefix(1);
  return true;
}

static bool hexDigits(std::string_view text, uint32_t &value) {
  value = 0;
  if (text.size() < 4)
    return false;
  for (int i = 0; i < 4; ++i) {
    char c = text[i];
    uint32_t digit = c >= '0' && c <= '9'   ? uint32_t(c - '0')
                     : c >= 'a' && c <= 'f' ? uint32_t(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? uint32_t(c - 'A' + 10)
                                            : 16;
    if (digit == 16)
      return false;
    value = value * 16 + digit;
  }
  return true;
}

static void appendUtf8(String &text, uint32_t code) {
  if (code < 0x80) {
    text += char(code);
  } else if (code < 0x800) {
    text += char(0xC0 | code >> 6);
    text += char(0x80 | (code & 63));
  } else {
    text += char(0xE0 | code >> 12);
    text += char(0x80 | (code >> 6 & 63));
    text += char(0x80 | (code & 63));
  }
}

bool JsonReader::string(String &value) {
  if (!consume('"'))
    return false;
  value.clear();
  while (!rest.empty()) {
    size_t plain = 0;
    while (plain < rest.size() && rest[plain] != '"' && rest[plain] != '\\')
      ++plain;
    value += slice(rest, 0, plain);
    rest.remove_prefix(plain);
    if (consume('"'))
      return true;
    if (rest.size() < 2)
      return false;
    char escaped = rest[1];
    rest.remove_prefix(2);
    uint32_t code;
    switch (escaped) {
    case 'n':
      value += '\n';
      break;
    case 't':
      value += '\t';
      break;
    case 'r':
      value += '\r';
      break;
    case 'b':
      value += '\b';
      break;
    case 'f':
      value += '\f';
      break;
    case '"':
    case '\\':
    case '/':
      value += escaped;
      break;
    case 'u':
      if (!hexDigits(rest, code))
        return false;
      rest.remove_prefix(4);
      appendUtf8(value, code);
      break;
    default:
      return false;
    }
  }
  return false;
}

bool JsonReader::integer(int64_t &value) {
  skipSpace();
  size_t length = 0;
  while (length < rest.size() &&
         (rest[length] == '-' || (rest[length] >= '0' && rest[length] <= '9')))
    ++length;
  if (!parseInteger(slice(rest, 0, length), value))
    return false;
  rest.remove_prefix(length);
  return true;
}

bool JsonReader::integers(Vector<int64_t> &values) {
  if (!consume('['))
    return false;
  if (consume(']'))
    return true;
  do {
    int64_t value;
    if (!integer(value))
      return false;
    values.push_back(value);
  } while (consume(','));
  return consume(']');
}

bool JsonReader::skip(int depth) {
  skipSpace();
  if (rest.empty() || depth > 64)
    return false;
  String ignored;
  if (rest[0] == '"')
    return string(ignored);
  if (rest[0] == '{')
    return object([&](const String &) { return skip(depth + 1); });
  if (consume('[')) {
    if (consume(']'))
      return true;
    do {
      if (!skip(depth + 1))
        return false;
    } while (consume(','));
    return consume(']');
  }
  size_t length = 0; // a number, true, false, null
  while (length < rest.size() && rest[length] != ',' && rest[length] != '}' &&
         rest[length] != ']' && rest[length] != ' ' && rest[length] != '\n')
    ++length;
  rest.remove_prefix(length);
  return length > 0;
}

} // namespace cornu::runtime
