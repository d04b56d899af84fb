//===- Npy.cpp - NumPy's array format -------------------------------------===//
#include "runtime/core/Layout.h"
#include "runtime/host/Array.h"

namespace cornu::runtime {

uint64_t Array::count() const {
  uint64_t product = 1;
  for (int64_t size : shape)
    product *= uint64_t(size);
  return product;
}

Error checkedCount(const char *path, const Vector<int64_t> &shape,
                   uint64_t element_bytes, uint64_t &count) {
  uint64_t bytes;
  if (!elementCount(shape.data(), int32_t(shape.size()), count) ||
      __builtin_mul_overflow(count, element_bytes, &bytes) ||
      bytes > uint64_t(INT64_MAX))
    return failure("%s: its header claims an impossible shape %s; the file is "
                   "damaged",
                   path, shapeText(shape.data(), shape.size()).c_str());
  return success();
}

namespace {
/// Reads the header's Python literal: a dict of strings, booleans and tuples
/// of integers.
class HeaderReader {
public:
  explicit HeaderReader(std::string_view text) : text(text) {}

  bool consume(char c) {
    skipSpace();
    if (text.empty() || text.front() != c)
      return false;
    text.remove_prefix(1);
    return true;
  }
  bool string(std::string_view &value) {
    skipSpace();
    if (text.empty() || (text.front() != '\'' && text.front() != '"'))
      return false;
    size_t end = text.find(text.front(), 1);
    if (end == std::string_view::npos)
      return false;
    value = slice(text, 1, end);
    text.remove_prefix(end + 1);
    return true;
  }
  bool boolean(bool &value) {
    skipSpace();
    value = startsWith(text, "True");
    if (!value && !startsWith(text, "False"))
      return false;
    text.remove_prefix(value ? 4 : 5);
    return true;
  }
  bool tuple(Vector<int64_t> &values) {
    if (!consume('('))
      return false;
    while (!consume(')')) {
      skipSpace();
      size_t digits = 0;
      while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9')
        ++digits;
      int64_t value;
      if (values.size() == 64 || !parseInteger(slice(text, 0, digits), value))
        return false;
      values.push_back(value);
      text.remove_prefix(digits);
      consume('L'); // Python 2 wrote (3L,)
      if (!consume(',')) {
        if (!consume(')'))
          return false;
        break;
      }
    }
    return true;
  }

private:
  void skipSpace() {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n'))
      text.remove_prefix(1);
  }
  std::string_view text;
};

struct Descr {
  const char *code;
  Element element;
};
constexpr Descr kDescrs[] = {{"b1", Element::Bool},    {"i1", Element::Int8},
                             {"i2", Element::Int16},   {"i4", Element::Int32},
                             {"i8", Element::Int64},   {"u1", Element::UInt8},
                             {"u2", Element::UInt16},  {"u4", Element::UInt32},
                             {"u8", Element::UInt64},  {"f2", Element::Float16},
                             {"f4", Element::Float32}, {"f8", Element::Float64},
                             {"?", Element::Bool}};
} // namespace

static bool parseDescr(std::string_view descr, ElementType &type) {
  type.swapped = startsWith(descr, ">");
  if (!descr.empty() && (descr[0] == '<' || descr[0] == '>' ||
                         descr[0] == '|' || descr[0] == '='))
    descr.remove_prefix(1);
  for (const Descr &row : kDescrs)
    if (descr == row.code) {
      type.element = row.element;
      return true;
    }
  return false;
}

static bool parseHeader(std::string_view header, std::string_view &descr,
                        Array &array) {
  HeaderReader reader(header);
  if (!reader.consume('{'))
    return false;
  bool seen[3] = {};
  while (!reader.consume('}')) {
    std::string_view key;
    if (!reader.string(key) || !reader.consume(':'))
      return false;
    if (key == "descr") {
      seen[0] = true;
      if (!reader.string(descr)) { // a list: a structured type
        descr = "a structured type";
        return true;
      }
    } else if (key == "fortran_order") {
      seen[1] = reader.boolean(array.column_major);
    } else if (key == "shape") {
      seen[2] = reader.tuple(array.shape);
    } else {
      return false;
    }
    if (!reader.consume(',')) {
      if (!reader.consume('}'))
        return false;
      break;
    }
  }
  return seen[0] && seen[1] && seen[2];
}

Error parseNpy(const char *path, Bytes file, Array &array) {
  // \x93NUMPY, major, minor, then 2 (version 1) or 4 bytes of header length.
  const unsigned char *bytes =
      reinterpret_cast<const unsigned char *>(file.data);
  if (file.size < 12 || memcmp(bytes, "\x93NUMPY", 6) != 0)
    return failure("%s: this is not a .npy file, or it is truncated; write it "
                   "again with numpy.save",
                   path);
  unsigned major = bytes[6];
  if (major < 1 || major > 3)
    return failure("%s: version %u of the .npy format is not known; versions "
                   "1 to 3 are",
                   path, major);
  uint64_t start = major == 1 ? 10 : 12;
  uint64_t length = bytes[8] | unsigned(bytes[9]) << 8;
  if (major > 1)
    length |= uint64_t(bytes[10]) << 16 | uint64_t(bytes[11]) << 24;
  if (length > file.size - start)
    return failure("%s: the file is truncated in its header", path);
  std::string_view descr;
  array = Array();
  if (!parseHeader({file.data + start, length}, descr, array))
    return failure("%s: the .npy header is damaged", path);
  if (!parseDescr(descr, array.type))
    return failure("%s: numbers of type '%s' cannot be read; convert them "
                   "first, for example with x.astype('float32')",
                   path, String(descr).c_str());
  uint64_t count, size = elementBytes(array.type.element);
  if (Error error = checkedCount(path, array.shape, size, count))
    return error;
  uint64_t there = file.size - start - length;
  if (there < count * size)
    return failure("%s: the file is truncated: shape %s of %s takes %llu "
                   "bytes, %llu are there",
                   path,
                   shapeText(array.shape.data(), array.shape.size()).c_str(),
                   elementName(array.type.element),
                   static_cast<unsigned long long>(count * size),
                   static_cast<unsigned long long>(there));
  array.data = file.data + start + length;
  return success();
}

String npyHeader(cornu_dtype dtype, const Vector<int64_t> &shape) {
  String descr;
  for (const Descr &row : kDescrs)
    if (descr.empty() && row.element == elementOf(dtype))
      descr = format("%c%s", elementBytes(dtype) == 1 ? '|' : '<', row.code);
  String dict =
      format("{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
             descr.c_str(), shapeText(shape.data(), shape.size()).c_str());
  // The data start at a multiple of 64.
  uint64_t length = (10 + dict.size() + 1 + 63) / 64 * 64 - 10;
  while (dict.size() + 1 < length)
    dict += " ";
  dict += "\n";
  const char prefix[10] = {
      '\x93',           'N', 'U', 'M', 'P', 'Y', 1, 0, char(length & 255),
      char(length >> 8)};
  String header(std::string_view(prefix, sizeof(prefix)));
  header += dict;
  return header;
}

} // namespace cornu::runtime
