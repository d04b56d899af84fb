//===- Source.h - The rows of one array or table --------------------------===//
//
// What `--input FILE` names becomes a Source: rows of numbers of one shape,
// which are converted into a model's tensor when a batch asks for them.
//
//   Source source;
//   if (Error error = files.open("x.npz:images", "x", source)) return error;
//   if (Error error = source.fit(model.inputs[0], "input")) return error;
//   if (Error error = source.gather({order, first, 32}, staging)) return error;
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_SOURCE_H
#define CORNU_RUNTIME_HOST_SOURCE_H

#include "runtime/host/Array.h"
#include "runtime/host/Cold.h"
#include "runtime/host/Csv.h"
#include "runtime/host/Png.h"
#include "runtime/host/Zip.h"

namespace cornu::runtime {

/// Which rows: order[first .. first + count), or, without an order, the
/// consecutive ones.
struct RowRange {
  const uint32_t *order = nullptr;
  int64_t first = 0;
  int64_t count = 0;

  int64_t operator[](int64_t i) const {
    return order ? int64_t(order[first + i]) : first + i;
  }
};

class Source {
public:
  /// How messages call it: "data.csv:label".
  String label;

  int64_t rows() const { return numRows; }
  /// Without the leading dimension.
  const Vector<int64_t> &shape() const { return sampleShape; }
  bool integers() const { return !table && !isFloat(array.type.element); }

  CORNU_COLD Error setArray(String label, Array contents);
  CORNU_COLD Error setTable(String label, CsvTable *contents,
                            Vector<int> columns);
  /// A sample for each .png file, all of the first one's size.
  CORNU_COLD Error setImages(String label, Vector<String> paths);

  /// Checks that rows can become samples of `tensor`, with Keras's rank
  /// repair: one trailing dimension of size 1 may be missing or too many. A
  /// table's rows take any shape of as many numbers; an image becomes grey, RGB
  /// or RGBA, channels last or first, or without channels. `role` is "input".
  CORNU_COLD Error fit(const cornu_tensor &tensor, const char *role);

  /// Converts the rows into `out`, as the tensor given to fit.
  Error gather(const RowRange &range, void *out);

  /// The error for element `misfit.index` of the rows from range[firstRow] on.
  CORNU_COLD Error badNumber(const RowRange &range, int64_t firstRow,
                             const Misfit &misfit) const;

private:
  Error gatherArray(const RowRange &range, char *out);
  Error gatherTable(const RowRange &range, char *out);
  Error gatherImages(const RowRange &range, char *out);
  CORNU_COLD bool fitImages(const cornu_tensor &tensor);
  int64_t numRows = 0;
  Vector<int64_t> sampleShape;
  cornu_tensor target = {};
  uint64_t elements = 0; ///< of a sample
  // An array...
  Array array;
  uint64_t rowStride = 0;          ///< bytes
  Vector<uint64_t> elementOffsets; ///< of a column-major sample, row-major
  Vector<char> rowBuffer;          ///< one such sample, gathered
  // ... or columns of a table.
  CsvTable *table = nullptr;
  Vector<int> columns;
  Vector<int32_t> slots;
  Vector<double> values;
  // ... or images.
  Vector<String> images;
  PngHeader imageSize;
  Pixels pixels = Pixels::Numbers;
  bool channelsFirst = false;
};

/// The files of a command line, each opened once.
class Files {
public:
  struct Location {
    String path;
    String part;
  };
  /// Splits FILE:PART.
  static Location locate(const char *spec);

  /// Opens FILE, FILE:PART or a folder of images. PART is a member of a .npz or
  /// columns of a .csv, "a,b". Without it: the member called `name` or `role`
  /// ("x", "y") or the only one; all columns but those that `taken` lists.
  Error open(const char *spec, const char *name, const char *role,
             Source &source);

  /// Notes the columns that FILE:PART names, so that a later FILE without a
  /// part means the others.
  Error reserveColumns(const char *spec);

  /// `name` becomes FILE:NAME if the file of `spec` has a part of that name; an
  /// error if it has only others, nothing if it has no parts.
  Error findPart(const char *spec, String &name);

  /// "a, b, c" if the file is a table.
  Error columnsOf(const char *spec, String &columns);

private:
  enum class Kind { Npy, Npz, Idx, Csv, Png };
  struct Entry {
    String path;
    Kind kind = Kind::Npy;
    MappedFile file;
    Vector<ZipMember> members;
    CsvTable table;
    Vector<int> taken; ///< columns of the table named by a part
    Vector<String> images;
  };

  static Vector<String> partsOf(const Entry &entry);
  Error entryOf(const String &path, Entry *&entry);
  Error openMember(Entry &entry, const String &part, const char *name,
                   const char *role, Source &source);
  Error openColumns(Entry &entry, const String &part, Source &source);
  Error findColumns(Entry &entry, const String &part, Vector<int> &columns);

  Vector<Owned<Entry>> entries;
  Vector<Vector<char>> memory; ///< decompressed members
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_SOURCE_H
