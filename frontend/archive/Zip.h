//===- Zip.h - Members of a .keras archive ----------------------*- C++ -*-===//
//
// Reads members of a ZIP file into memory, with bounds on what a compressed
// member may grow to, and writes archives of stored members atomically.
//
//   ZipReader zip;
//   if (std::string error = zip.open("m.keras"); !error.empty()) ...
//   std::unique_ptr<llvm::MemoryBuffer> config = zip.read("config.json",
//   error);
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_ARCHIVE_ZIP_H
#define CORNU_FRONTEND_ARCHIVE_ZIP_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>
#include <vector>

struct zip;

namespace cornu::frontend {

class ZipReader {
public:
  ZipReader() = default;
  ~ZipReader();
  ZipReader(const ZipReader &) = delete;
  ZipReader &operator=(const ZipReader &) = delete;

  /// Returns the error, "" on success.
  std::string open(llvm::StringRef path);
  bool has(llvm::StringRef member) const;
  std::vector<std::string> members() const;
  /// Null with `error` set if the member is absent, damaged, or expands
  /// suspiciously. The buffer is followed by a zero byte.
  std::unique_ptr<llvm::MemoryBuffer> read(llvm::StringRef member,
                                           std::string &error);

private:
  struct zip *archive = nullptr;
};

struct ZipMember {
  std::string name;
  llvm::StringRef content;
};

/// Writes an archive of stored members. Returns the error, "" on success; then
/// libzip has renamed a file of its own into place: there is never half a file.
std::string writeZip(llvm::StringRef path, llvm::ArrayRef<ZipMember> members);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_ARCHIVE_ZIP_H
