//===- Csv.h - Tables of numbers in text ----------------------------------===//
//
// A mapped file with commas, semicolons or tabs. Opening it finds the header
// and every eighth row; rows are parsed when a batch needs them, so the table
// may be larger than memory.
//
//   CsvTable table;
//   if (Error error = table.open("data.csv", file.bytes())) return error;
//   int column = table.column("label");
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_CSV_H
#define CORNU_RUNTIME_HOST_CSV_H

#include "runtime/host/Cold.h"
#include "runtime/host/File.h"

namespace cornu::runtime {

class CsvTable {
public:
  Error open(const char *path, Bytes file);

  uint64_t rows() const { return numRows; }
  /// Names from the header, or none.
  const Vector<String> &names() const { return header; }
  size_t columns() const { return numColumns; }
  /// Index of the column with that name (or that number from 0), or -1.
  int column(std::string_view name) const;
  /// What the user calls it: its name, or its number.
  String columnName(size_t column) const;

  /// "line 2, column 'label'"
  CORNU_COLD String place(uint64_t row, size_t column) const;

  /// Parses the chosen columns of a row; slots[c] is the position in `values`
  /// of column c, or -1.
  Error parseRow(const char *path, uint64_t row, const int32_t *slots,
                 double *values);

private:
  std::string_view line(uint64_t row);
  void splitLine(std::string_view line, Vector<std::string_view> &fields);

  Bytes text;
  char delimiter = ',';
  Vector<String> header;
  size_t numColumns = 0;
  uint64_t numRows = 0;
  Vector<uint64_t> starts; ///< offset of every kStride-th row
  // The row after the last one parsed, where consecutive reads go on.
  uint64_t cursorRow = 0;
  uint64_t cursorOffset = 0;
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_CSV_H
