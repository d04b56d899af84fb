//===- File.h - Mapped input files, output files written at once ----------===//
//
//   MappedFile in;
//   if (Error error = in.open("x.npy")) return error;
//   in.bytes();                              // the whole file, not read yet
//
//   OutputFile out;                          // a temporary file beside y.npy
//   if (Error error = out.create("y.npy")) return error;
//   if (Error error = out.write(data, size)) return error;
//   return out.commit();                     // fsync, then rename
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_FILE_H
#define CORNU_RUNTIME_HOST_FILE_H

#include "runtime/host/Text.h"

namespace cornu::runtime {

/// Bytes of a file. Reading them can raise SIGBUS if another process truncates
/// the file meanwhile; see handleFileSignals.
struct Bytes {
  const char *data = nullptr;
  uint64_t size = 0;
};

/// A file mapped for reading, so that one larger than memory works.
class MappedFile {
public:
  MappedFile() = default;
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;
  ~MappedFile();

  Error open(const char *path);
  Bytes bytes() const { return {static_cast<const char *>(address), size}; }

  /// Whether a MappedFile of this process has the file, under any name.
  static bool holds(const char *path);

private:
  void *address = nullptr;
  uint64_t size = 0;
  String path;                    ///< for the message when it shrinks
  uint64_t device = 0, inode = 0; ///< which file it is
  MappedFile *next = nullptr;     ///< of those that are mapped

  static MappedFile *first;
  friend struct BusError;
};

/// A file that appears under its name only when it is complete: it is written
/// under a temporary name, synchronized and renamed. What is not a regular
/// file (a pipe, /dev/stdout) is written to directly; when nobody reads it any
/// more, writing succeeds and notes an interrupt. A file that is mapped is
/// refused: `--output x.npy` of `--input x.npy` would replace the data.
class OutputFile {
public:
  OutputFile() = default;
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;
  /// Removes the temporary file, unless committed.
  ~OutputFile();

  Error create(const char *path);
  Error write(const void *data, uint64_t size);
  /// Writes at a position; only for regular files.
  Error writeAt(uint64_t offset, const void *data, uint64_t size);
  Error commit();
  bool seekable() const { return !temporary.empty(); }

private:
  Error failed(const char *what);
  Error createTemporary();

  int descriptor = -1;
  String path;      ///< as the user wrote it
  String target;    ///< what is replaced: `path` with symbolic links resolved
  String temporary; ///< empty: written directly
  OutputFile *next = nullptr; ///< of those with a temporary file

  static OutputFile *first;
  friend struct BusError;
};

/// A log: lines are appended, each whole or not at all; a file is made anew or
/// goes on. A pipe that nobody reads is an interrupt, as for an OutputFile.
class AppendFile {
public:
  AppendFile() = default;
  AppendFile(const AppendFile &) = delete;
  AppendFile &operator=(const AppendFile &) = delete;
  ~AppendFile();

  /// Whether `open` would succeed; leaves everything as it is.
  static Error check(const char *path);
  Error open(const char *path);
  Error append(std::string_view line);
  Error close();

private:
  int descriptor = -1;
  String path;
};

bool fileExists(const char *path);
bool isFolder(const char *path);

/// Whether writing one would replace the other: regular files, or names where
/// there is no file yet.
bool isSameFile(const char *one, const char *other);

/// Whether an OutputFile could be created there: found out before hours of
/// training, not after. Leaves nothing behind.
Error checkWritable(const char *path);

/// Turns the SIGBUS of a mapped file that shrinks into a message and exit
/// code 1, without temporary files left behind, and the SIGXFSZ of a file that
/// grows beyond a limit into a failing write.
void handleFileSignals();

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_FILE_H
