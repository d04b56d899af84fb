//===- OutputFile.h - Files that are whole or not there -------------------===//
//
// A file is written beside its place and then renamed: a reader sees the old
// file or the new one, never half of it, also if a signal ends the compiler.
//
//   auto file = Replacement::create("m");
//   ... write file->temporary() ...
//   return file->commit(/*executable=*/true);
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_OUTPUTFILE_H
#define CORNU_CODEGEN_EMIT_OUTPUTFILE_H

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include <csignal>

namespace cornu::codegen {

/// By which a user ends the compiler. The files that it is writing vanish.
inline constexpr int endingSignals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

/// Writes the bytes; `-` is the standard output, a device or pipe is written
/// to.
llvm::Error writeFile(llvm::StringRef path, llvm::StringRef contents,
                      bool executable = false);

/// A file beside `path` that takes its place when it is complete, and vanishes
/// if it does not get there. Where `path` is a symbolic link, the file that it
/// leads to is replaced; a device or pipe is refused.
class Replacement {
public:
  static llvm::Expected<Replacement> create(llvm::StringRef path);
  llvm::StringRef temporary() const { return file.TmpName; }
  llvm::Error write(llvm::StringRef bytes);
  /// The modes are those of the file that was there, if any.
  llvm::Error commit(bool executable = false);
  llvm::Error discard() { return file.discard(); }

private:
  Replacement(llvm::StringRef path, llvm::sys::fs::TempFile file)
      : path(path.str()), file(std::move(file)) {}
  std::string path;
  llvm::sys::fs::TempFile file;
};

/// A file in the system's folder for temporary ones (TMPDIR). It goes with
/// this object, and with the process if a signal ends that.
class TemporaryFile {
public:
  static llvm::Expected<TemporaryFile> create(llvm::StringRef prefix,
                                              llvm::StringRef suffix,
                                              llvm::StringRef contents = "");
  TemporaryFile(TemporaryFile &&other) : name(other.name) {
    other.name.clear();
  }
  TemporaryFile &operator=(TemporaryFile &&) = delete;
  ~TemporaryFile();
  llvm::StringRef path() const { return name; }

private:
  explicit TemporaryFile(llvm::StringRef path) : name(path) {}
  llvm::SmallString<128> name;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_OUTPUTFILE_H
