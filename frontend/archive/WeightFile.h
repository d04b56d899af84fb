//===- WeightFile.h - Named tensors in a file -------------------*- C++ -*-===//
//
// What HDF5 and safetensors files have in common: a table of tensors whose
// contents are read on demand. Names are dataset paths without the leading
// slash (`layers/dense/vars/0`) or variable paths (`dense/kernel`).
//
//   std::string error;
//   auto file = openHdf5("m.weights.h5", error);
//   if (const WeightEntry *entry = file->find("layers/dense/vars/0"))
//     error = file->read(*entry, DType::F32, bytes);
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_ARCHIVE_WEIGHTFILE_H
#define CORNU_FRONTEND_ARCHIVE_WEIGHTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace cornu::frontend {

enum class DType {
  Bool,
  I8,
  U8,
  I16,
  U16,
  I32,
  U32,
  I64,
  U64,
  F16,
  BF16,
  F32,
  F64
};

/// Bytes of one element.
unsigned sizeOf(DType type);
/// Keras's name: "float32", "int32", ...
llvm::StringRef nameOf(DType type);
std::optional<DType> parseDType(llvm::StringRef kerasName);

/// Number of elements, or nothing if a size is negative or the product of the
/// sizes exceeds 2^40, which no machine that compiles holds.
std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> shape);

/// "(3, 3, 8)".
std::string formatShape(llvm::ArrayRef<int64_t> shape);

struct WeightEntry {
  std::string name;
  DType type = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  uint64_t begin = 0; // safetensors: where the bytes start in the file
};

class WeightFile {
public:
  virtual ~WeightFile();

  llvm::StringRef getFile() const { return file; }
  /// In file order (HDF5: order of names).
  llvm::ArrayRef<WeightEntry> getEntries() const { return entries; }
  const WeightEntry *find(llvm::StringRef name) const;

  /// Reads a tensor, converted to `type`, into `out`, whose size must be the
  /// element count times the type's size. Returns the error, "" on success.
  virtual std::string read(const WeightEntry &entry, DType type,
                           llvm::MutableArrayRef<char> out) = 0;

  /// A string attribute of a group of an HDF5 file ("" is the root).
  virtual std::optional<std::string> attribute(llvm::StringRef group,
                                               llvm::StringRef name);
  /// A list of strings, also if split into NAME0, NAME1, ... as Keras does.
  virtual std::optional<std::vector<std::string>>
  listAttribute(llvm::StringRef group, llvm::StringRef name);
  virtual bool hasGroup(llvm::StringRef group);

protected:
  void add(WeightEntry entry);

  std::string file;
  std::vector<WeightEntry> entries;
  llvm::StringMap<size_t> index;
};

/// Converts `count` elements between types; a float becomes an integer by
/// truncation. Sizes of the arrays are count times the types' sizes.
void convertElements(DType from, const char *in, DType to, char *out,
                     int64_t count);

/// The bytes of a file, null with `error` set if there is none. A device or
/// pipe is none: it may never end.
std::unique_ptr<llvm::MemoryBuffer> readWholeFile(llvm::StringRef path,
                                                  std::string &error);

/// Opens an HDF5 file. External and soft links, external and virtual datasets
/// and cycles are errors. Null with `error` set on an error.
std::unique_ptr<WeightFile> openHdf5(llvm::StringRef path, std::string &error);
/// The same for a file in memory, which is kept.
std::unique_ptr<WeightFile> openHdf5(std::unique_ptr<llvm::MemoryBuffer> image,
                                     llvm::StringRef name, std::string &error);

std::unique_ptr<WeightFile> openSafetensors(llvm::StringRef path,
                                            std::string &error);

/// A tensor to store in an HDF5 file under `group`/`key`.
struct Hdf5Dataset {
  std::string group;     // "layers/dense/vars"
  std::string key;       // "0"
  std::string groupName; // the attribute `name` of the group: the layer's name
  DType type = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<char> bytes;
};

/// Returns the bytes of an HDF5 file: `base` (may be empty) with the datasets
/// replaced or added.
std::vector<char> writeHdf5(llvm::StringRef base,
                            llvm::ArrayRef<Hdf5Dataset> datasets,
                            std::string &error);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_ARCHIVE_WEIGHTFILE_H
