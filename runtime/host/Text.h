//===- Text.h - Strings, errors, numbers ----------------------------------===//
//
//   String line = format("%s: %lld rows", path, rows);
//   if (Error error = file.open(path))
//     return error;
//   return failure("%s: it has no rows", path);
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_TEXT_H
#define CORNU_RUNTIME_HOST_TEXT_H

#include "runtime/host/Cold.h"
#include "runtime/host/Vector.h"

#include <string_view>

namespace cornu::runtime {

/// Text that is always terminated, so that it can go to the operating system.
class String {
public:
  String() = default;
  String(std::string_view text);
  String(const char *text);
  String(const String &other);
  String(String &&other) noexcept { swap(other); }
  String &operator=(const String &other);
  String &operator=(String &&other) noexcept {
    swap(other);
    return *this;
  }
  ~String(); // out of line: there are hundreds of temporaries

  const char *c_str() const { return text ? text : ""; }
  size_t size() const { return length; }
  bool empty() const { return length == 0; }
  operator std::string_view() const { return {c_str(), length}; }

  String &append(std::string_view more);
  String &operator+=(std::string_view more) { return append(more); }
  String &operator+=(char c) { return append({&c, 1}); }
  String &appendFormat(const char *pattern, ...)
      __attribute__((format(printf, 2, 3)));
  void clear();

private:
  void swap(String &other) noexcept {
    std::swap(text, other.text);
    std::swap(length, other.length);
    std::swap(capacity, other.capacity);
  }
  char *text = nullptr; ///< null, or with a terminator
  size_t length = 0;
  size_t capacity = 0; ///< bytes at `text`
};

String format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

/// Success, or what went wrong: one sentence that names the file and says what
/// would work. `if (Error error = ...) return error;`
class [[nodiscard]] Error {
public:
  Error() = default;
  explicit Error(String message) : text(std::move(message)), failed(true) {}
  explicit operator bool() const { return failed; }
  const String &message() const { return text; }

private:
  String text;
  bool failed = false;
};

inline Error success() { return {}; }
Error failure(const char *pattern, ...)
    __attribute__((format(printf, 1, 2))) CORNU_COLD;

/// text[begin, end), clamped. (std::string_view::substr can throw.)
std::string_view slice(std::string_view text, size_t begin,
                       size_t end = size_t(-1));
std::string_view trim(std::string_view text);
bool startsWith(std::string_view text, std::string_view prefix);
bool endsWith(std::string_view text, std::string_view suffix);
/// The pieces between separators; one piece if there is none.
Vector<std::string_view> split(std::string_view text, char separator);
/// "a, b, c"
CORNU_COLD String join(const Vector<String> &parts,
                       std::string_view separator = ", ");

/// The whole of `text` as a number; false if it is none. Correctly rounded;
/// "nan" and "inf" are numbers.
bool parseDouble(std::string_view text, double &value);
bool parseInteger(std::string_view text, int64_t &value);
/// "true", "false", "1", "0"
bool parseBool(std::string_view text, bool &value);

/// The candidate that `word` is probably a misspelling of, or "".
CORNU_COLD String closest(std::string_view word,
                          const Vector<String> &candidates);
/// "; did you mean 'X'?" or "".
CORNU_COLD String suggestion(std::string_view word,
                             const Vector<String> &candidates);

/// "(32, None, 8)" is written "(32, ?, 8)"; `first` is an extra leading size.
CORNU_COLD String shapeText(const int64_t *shape, size_t rank);
CORNU_COLD String shapeText(const char *first, const int64_t *shape,
                            size_t rank);
/// "1.5 MB"
CORNU_COLD String bytesText(uint64_t bytes);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_TEXT_H
