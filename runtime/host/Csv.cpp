//===- Csv.cpp - Tables of numbers in text --------------------------------===//
#include "runtime/host/Csv.h"

namespace cornu::runtime {

// An offset for each eighth row is one byte of index per row; finding a row
// scans seven others at most.
static constexpr uint64_t kStride = 8;

static uint64_t lineEnd(Bytes text, uint64_t offset) {
  const void *found = memchr(text.data + offset, '\n', text.size - offset);
  return found ? uint64_t(static_cast<const char *>(found) - text.data)
               : text.size;
}

static std::string_view unquote(std::string_view field) {
  field = trim(field);
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"')
    field = trim(slice(field, 1, field.size() - 1));
  return field;
}

void CsvTable::splitLine(std::string_view line,
                         Vector<std::string_view> &fields) {
  fields.clear();
  bool quoted = false;
  size_t begin = 0;
  for (size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"')
      quoted = !quoted;
    if (i == line.size() || (line[i] == delimiter && !quoted)) {
      fields.push_back(unquote(slice(line, begin, i)));
      begin = i + 1;
    }
  }
}

static char findDelimiter(std::string_view line) {
  for (char candidate : {',', ';', '\t'})
    for (char c : line)
      if (c == candidate)
        return candidate;
  return ',';
}

Error CsvTable::open(const char *path, Bytes file) {
  text = file;
  if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
    text.data += 3; // a byte order mark
    text.size -= 3;
  }
  if (text.size == 0)
    return failure("%s: the table is empty", path);
  uint64_t end = lineEnd(text, 0);
  std::string_view first(text.data, end);
  for (char c : slice(first, 0, 4096))
    if (c == '\0')
      return failure("%s: this is no text, and its format is not known; data "
                     "are .npy, .npz, .csv, .png or IDX",
                     path);
  delimiter = findDelimiter(first);
  Vector<std::string_view> fields;
  splitLine(first, fields);
  numColumns = fields.size();
  bool named = false;
  for (std::string_view field : fields) {
    double ignored;
    named |= !parseDouble(field, ignored);
  }
  uint64_t offset = 0;
  if (named) {
    for (std::string_view field : fields)
      header.push_back(field);
    offset = end + 1;
  }
  // Empty lines at the end of the file are no rows.
  while (text.size > offset &&
         (text.data[text.size - 1] == '\n' || text.data[text.size - 1] == '\r'))
    --text.size;
  while (offset < text.size) {
    if (numRows % kStride == 0)
      starts.push_back(offset);
    ++numRows;
    offset = lineEnd(text, offset) + 1;
  }
  return success();
}

int CsvTable::column(std::string_view name) const {
  for (size_t i = 0; i < header.size(); ++i)
    if (header[i] == name)
      return int(i);
  int64_t number;
  if (parseInteger(name, number) && number >= 0 &&
      uint64_t(number) < numColumns)
    return int(number);
  return -1;
}

String CsvTable::columnName(size_t column) const {
  return header.empty() ? format("%zu", column) : header[column];
}

String CsvTable::place(uint64_t row, size_t column) const {
  return format("line %llu, column '%s'",
                static_cast<unsigned long long>(row + 1 + !header.empty()),
                columnName(column).c_str());
}

std::string_view CsvTable::line(uint64_t row) {
  if (row != cursorRow || row == 0) {
    cursorOffset = starts[row / kStride];
    for (uint64_t skip = row % kStride; skip; --skip)
      cursorOffset = lineEnd(text, cursorOffset) + 1;
  }
  uint64_t end = lineEnd(text, cursorOffset);
  std::string_view line(text.data + cursorOffset, end - cursorOffset);
  cursorRow = row + 1;
  cursorOffset = end + 1;
  return line;
}

Error CsvTable::parseRow(const char *path, uint64_t row, const int32_t *slots,
                         double *values) {
  std::string_view rest = line(row);
  unsigned long long number = row + 1 + !header.empty();
  size_t column = 0;
  for (bool more = true; more; ++column) {
    size_t end = 0;
    bool quoted = false;
    while (end < rest.size() && (quoted || rest[end] != delimiter)) {
      quoted ^= rest[end] == '"';
      ++end;
    }
    more = end < rest.size();
    std::string_view field = slice(rest, 0, end);
    if (column < numColumns && slots[column] >= 0) {
      field = unquote(field);
      if (!parseDouble(field, values[slots[column]])) {
        String shown(slice(field, 0, 40));
        return failure("%s: %s: %s%s%s is not a number", path,
                       place(row, column).c_str(), field.empty() ? "" : "'",
                       field.empty() ? "an empty cell" : shown.c_str(),
                       field.empty() ? "" : "'");
      }
    }
    if (more)
      rest.remove_prefix(end + 1);
  }
  if (column != numColumns)
    return failure("%s: line %llu has %zu columns, the first line has %zu",
                   path, number, column, numColumns);
  return success();
}

} // namespace cornu::runtime
