//===- Text.cpp - Strings, errors, numbers --------------------------------===//
#include "runtime/host/Text.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

namespace cornu::runtime {

void outOfMemory(uint64_t bytes) {
  // No allocation here: the text is formatted on the stack.
  char line[128];
  int length =
      snprintf(line, sizeof(line),
               "error: out of memory: %llu bytes more were needed; try a "
               "smaller --batch-size\n",
               static_cast<unsigned long long>(bytes));
  if (write(STDERR_FILENO, line, size_t(length)) < 0)
    _exit(1);
  _exit(1);
}

void *allocate(uint64_t bytes) {
  void *memory = bytes == size_t(bytes) ? malloc(bytes ? bytes : 1) : nullptr;
  if (!memory)
    outOfMemory(bytes);
  return memory;
}

String::String(std::string_view text) { append(text); }
String::String(const char *text) { append(text); }
String::String(const String &other) { append(other); }
String::~String() { free(text); }

String &String::operator=(const String &other) {
  if (this != &other) {
    clear();
    append(other);
  }
  return *this;
}

void String::clear() {
  length = 0;
  if (text)
    text[0] = '\0';
}

String &String::append(std::string_view more) {
  if (more.empty())
    return *this;
  size_t needed = length + more.size() + 1;
  if (capacity < needed) {
    capacity = needed > 64 ? needed + needed / 2 : 64;
    char *larger = static_cast<char *>(allocate(capacity));
    memcpy(larger, c_str(), length);
    memcpy(larger + length, more.data(), more.size());
    free(text); // only now: `more` may be a part of it
    text = larger;
  } else {
    memmove(text + length, more.data(), more.size());
  }
  length += more.size();
  text[length] = '\0';
  return *this;
}

static void appendList(String &text, const char *pattern, va_list list) {
  va_list again;
  va_copy(again, list);
  char small[256];
  int length = vsnprintf(small, sizeof(small), pattern, list);
  if (length >= 0 && size_t(length) < sizeof(small)) {
    text.append({small, size_t(length)});
  } else if (length >= 0) {
    char *large = static_cast<char *>(allocate(size_t(length) + 1));
    vsnprintf(large, size_t(length) + 1, pattern, again);
    text.append({large, size_t(length)});
    free(large);
  }
  va_end(again);
}

String &String::appendFormat(const char *pattern, ...) {
  va_list list;
  va_start(list, pattern);
  appendList(*this, pattern, list);
  va_end(list);
  return *this;
}

String format(const char *pattern, ...) {
  String text;
  va_list list;
  va_start(list, pattern);
  appendList(text, pattern, list);
  va_end(list);
  return text;
}

Error failure(const char *pattern, ...) {
  String text;
  va_list list;
  va_start(list, pattern);
  appendList(text, pattern, list);
  va_end(list);
  return Error(std::move(text));
}

std::string_view slice(std::string_view text, size_t begin, size_t end) {
  end = end < text.size() ? end : text.size();
  begin = begin < end ? begin : end;
  return {text.data() + begin, end - begin};
}

static bool isSpace(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && isSpace(text.front()))
    text.remove_prefix(1);
  while (!text.empty() && isSpace(text.back()))
    text.remove_suffix(1);
  return text;
}

bool startsWith(std::string_view text, std::string_view prefix) {
  return slice(text, 0, prefix.size()) == prefix;
}

bool endsWith(std::string_view text, std::string_view suffix) {
  return text.size() >= suffix.size() &&
         slice(text, text.size() - suffix.size()) == suffix;
}

Vector<std::string_view> split(std::string_view text, char separator) {
  Vector<std::string_view> parts;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i)
    if (i == text.size() || text[i] == separator) {
      parts.push_back(slice(text, begin, i));
      begin = i + 1;
    }
  return parts;
}

String join(const Vector<String> &parts, std::string_view separator) {
  String text;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i)
      text += separator;
    text += parts[i];
  }
  return text;
}

// Decimal digits with an optional point and exponent, if mantissa and power of
// ten are both exact in double precision: then one rounding is the correct one
// (Clinger, "How to read floating point numbers accurately", 1990). That is
// nearly every number in a data file, at a fifth of strtod's time.
static bool parseExactly(std::string_view text, double &value) {
  static constexpr double kPowers[] = {
      1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  size_t i = 0;
  bool negative = text[0] == '-';
  if (negative || text[0] == '+')
    ++i;
  uint64_t mantissa = 0;
  int digits = 0, exponent = 0;
  bool point = false;
  for (; i < text.size(); ++i) {
    char c = text[i];
    if (c >= '0' && c <= '9') {
      mantissa = mantissa * 10 + uint64_t(c - '0');
      ++digits;
      exponent -= point;
    } else if (c == '.' && !point) {
      point = true;
    } else {
      break;
    }
  }
  // 18 digits fit into 64 bits whatever they are.
  if (digits == 0 || digits > 18 || mantissa > (uint64_t(1) << 53))
    return false;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E')
      return false;
    int64_t written;
    std::string_view rest = slice(text, i + 1);
    if (!parseInteger(rest, written) || written < -100 || written > 100)
      return false;
    exponent += int(written);
  }
  if (exponent < -22 || exponent > 22)
    return false;
  double result = double(mantissa);
  result =
      exponent < 0 ? result / kPowers[-exponent] : result * kPowers[exponent];
  value = negative ? -result : result;
  return true;
}

bool parseDouble(std::string_view text, double &value) {
  if (text.empty())
    return false;
  if (parseExactly(text, value))
    return true;
  char buffer[512];
  if (text.size() >= sizeof(buffer) || isSpace(text[0]))
    return false;
  for (char c : text)
    if (c == 'x' || c == 'X' || c == '(' || c == '\0') // hexadecimal, nan(...)
      return false;
  memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  char *end;
  value = strtod(buffer, &end); // "C" locale: nobody calls setlocale
  return end == buffer + text.size();
}

bool parseInteger(std::string_view text, int64_t &value) {
  size_t i = 0;
  bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+'))
    ++i;
  if (i == text.size())
    return false;
  int64_t result = 0;
  for (; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9')
      return false;
    int64_t digit = text[i] - '0';
    if (__builtin_mul_overflow(result, int64_t(10), &result) ||
        __builtin_add_overflow(result, negative ? -digit : digit, &result))
      return false;
  }
  value = result;
  return true;
}

bool parseBool(std::string_view text, bool &value) {
  value = text == "true" || text == "1";
  return value || text == "false" || text == "0";
}

// Levenshtein's distance, rows of at most 64 characters.
static unsigned editDistance(std::string_view a, std::string_view b) {
  unsigned row[65];
  if (b.size() > 64)
    return unsigned(-1);
  for (unsigned j = 0; j <= b.size(); ++j)
    row[j] = j;
  for (unsigned i = 1; i <= a.size(); ++i) {
    unsigned diagonal = row[0];
    row[0] = i;
    for (unsigned j = 1; j <= b.size(); ++j) {
      unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      unsigned moved = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
      row[j] = replaced < moved ? replaced : moved;
    }
  }
  return row[b.size()];
}

String closest(std::string_view word, const Vector<String> &candidates) {
  String best;
  unsigned least = unsigned(word.size()) / 3 + 2; // further off is another word
  for (const String &candidate : candidates) {
    unsigned distance = editDistance(word, candidate);
    if (startsWith(candidate, word) && word.size() >= 3)
      distance = 1;
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

String suggestion(std::string_view word, const Vector<String> &candidates) {
  String best = closest(word, candidates);
  return best.empty() ? best : format("; did you mean '%s'?", best.c_str());
}

String shapeText(const int64_t *shape, size_t rank) {
  return shapeText(nullptr, shape, rank);
}

String shapeText(const char *first, const int64_t *shape, size_t rank) {
  String text("(");
  if (first)
    text += first;
  for (size_t i = 0; i < rank; ++i) {
    if (i || first)
      text += ", ";
    text.appendFormat("%lld", static_cast<long long>(shape[i]));
  }
  if (rank + (first != nullptr) == 1)
    text += ",";
  text += ")";
  return text;
}

String bytesText(uint64_t bytes) {
  static constexpr const char *kUnits[] = {"B",  "KB", "MB", "GB",
                                           "TB", "PB", "EB"};
  double value = double(bytes);
  int unit = 0;
  while (value >= 1024 && unit < 6) {
    value /= 1024;
    ++unit;
  }
  return unit ? format("%.1f %s", value, kUnits[unit])
              : format("%llu B", static_cast<unsigned long long>(bytes));
}

} // namespace cornu::runtime
