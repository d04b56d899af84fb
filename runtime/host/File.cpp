//===- File.cpp - Mapped input files, output files written at once --------===//
#include "runtime/host/File.h"
#include "runtime/host/Interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cornu::runtime {

static Error cannot(const char *verb, const String &path) {
  int code = errno;
  const char *remedy = "";
  if (code == ENOENT)
    remedy = "; check the path";
  if (code == ENOSPC || code == EDQUOT)
    remedy = "; free some space or choose another folder";
  if (code == EACCES || code == EPERM)
    remedy = "; check the permissions";
  if (code == EISDIR)
    remedy = "; name a file in it";
  if (code == ENOTDIR)
    remedy = "; a part of the path is a file, check it";
  if (code == EROFS)
    remedy = "; choose another folder";
  return failure("cannot %s '%s': %s%s", verb, path.c_str(), strerror(code),
                 remedy);
}

bool fileExists(const char *path) {
  struct stat info;
  return stat(path, &info) == 0;
}

bool isFolder(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

// The last part of the path, and what lies before it.
static const char *nameOf(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

static String folderOf(const char *path) {
  String folder(slice(path, 0, size_t(nameOf(path) - path)));
  return folder.empty() ? "." : folder;
}

bool isSameFile(const char *one, const char *other) {
  struct stat a, b;
  int missing = (stat(one, &a) != 0) + (stat(other, &b) != 0);
  if (missing == 0 && !S_ISREG(a.st_mode))
    return false; // two pipes do not replace each other
  if (missing == 2) {
    String folders[] = {folderOf(one), folderOf(other)};
    if (strcmp(nameOf(one), nameOf(other)) != 0 ||
        stat(folders[0].c_str(), &a) != 0 || stat(folders[1].c_str(), &b) != 0)
      return false;
  }
  return missing != 1 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

MappedFile *MappedFile::first = nullptr;

MappedFile::~MappedFile() {
  if (!address)
    return;
  munmap(address, size);
  MappedFile **link = &first;
  while (*link != this)
    link = &(*link)->next;
  *link = next;
}

bool MappedFile::holds(const char *path) {
  struct stat info;
  if (stat(path, &info) != 0)
    return false;
  for (const MappedFile *file = first; file; file = file->next)
    if (file->device == info.st_dev && file->inode == info.st_ino)
      return true;
  return false;
}

static Error refuseMapped(const char *path) {
  return MappedFile::holds(path)
             ? failure("cannot write '%s': it is being read; choose another "
                       "name",
                       path)
             : success();
}

Error MappedFile::open(const char *name) {
  path = String(name);
  // Without O_NONBLOCK a pipe would wait for its writer before it is refused.
  int descriptor = ::open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return cannot("open", path);
  struct stat info;
  Error error;
  if (fstat(descriptor, &info) != 0)
    error = cannot("read", path);
  else if (S_ISDIR(info.st_mode))
    error = failure("'%s' is a folder; name a file in it", name);
  else if (!S_ISREG(info.st_mode))
    error = failure("'%s' is not a regular file: it cannot be mapped; copy "
                    "the data into a file first",
                    name);
  else if (info.st_size == 0)
    error = failure("'%s' is empty", name);
  if (!error) {
    size = uint64_t(info.st_size);
    address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED) {
      address = nullptr;
      error = cannot("map", path);
    } else {
      device = info.st_dev;
      inode = info.st_ino;
      next = first;
      first = this;
    }
  }
  close(descriptor);
  return error;
}

OutputFile *OutputFile::first = nullptr;

OutputFile::~OutputFile() {
  if (descriptor >= 0)
    close(descriptor);
  if (!temporary.empty())
    unlink(temporary.c_str());
  for (OutputFile **link = &first; *link; link = &(*link)->next)
    if (*link == this) {
      *link = next;
      break;
    }
}

Error OutputFile::failed(const char *what) { return cannot(what, path); }

Error OutputFile::create(const char *name) {
  if (Error error = refuseMapped(name))
    return error;
  path = target = String(name);
  struct stat info;
  bool exists = stat(name, &info) == 0;
  if (exists && !S_ISREG(info.st_mode)) {
    descriptor = ::open(name, O_WRONLY | O_CLOEXEC);
    return descriptor < 0 ? failed("write") : success();
  }
  if (exists)
    if (char *resolved = realpath(name, nullptr)) {
      target = String(resolved);
      free(resolved);
    }
  if (Error error = createTemporary())
    return error;
  if (exists) // who may read the old file may read the new one, and no others
    (void)!fchmod(descriptor, info.st_mode & 0777);
  return success();
}

// A name that nobody has: in a container many programs are process 1, and one
// that was killed may have left its file.
Error OutputFile::createTemporary() {
  String beside = format("%s.tmp.%d", target.c_str(), int(getpid()));
  for (int attempt = 0; attempt < 100; ++attempt) {
    descriptor =
        ::open(beside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST)
      break;
    beside = format("%s.tmp.%d.%d", target.c_str(), int(getpid()), attempt);
  }
  if (descriptor < 0)
    return failed("create");
  temporary = std::move(beside);
  next = first;
  first = this;
  return success();
}

Error checkWritable(const char *path) {
  struct stat info;
  bool special = stat(path, &info) == 0 && !S_ISREG(info.st_mode) &&
                 !S_ISDIR(info.st_mode);
  // To open a pipe and close it again would end its reader.
  if (special)
    return access(path, W_OK) == 0 ? success() : cannot("write", path);
  OutputFile probe; // without commit() it removes its temporary file
  return probe.create(path);
}

// A pipe that nobody reads any more is an interrupt and no error: what is
// written to it is lost until the loop that writes notices the interrupt.
static bool writeAll(int descriptor, const char *data, uint64_t size) {
  while (size) {
    ssize_t written = write(descriptor, data, size);
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0 && errno == EPIPE) {
      noteInterrupt(SIGPIPE);
      return true;
    }
    if (written <= 0)
      return false;
    data += written;
    size -= uint64_t(written);
  }
  return true;
}

Error OutputFile::write(const void *data, uint64_t size) {
  if (writeAll(descriptor, static_cast<const char *>(data), size))
    return success();
  return failed("write");
}

Error OutputFile::writeAt(uint64_t offset, const void *data, uint64_t size) {
  const char *bytes = static_cast<const char *>(data);
  while (size) {
    ssize_t written = pwrite(descriptor, bytes, size, off_t(offset));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return failed("write");
    bytes += written;
    offset += uint64_t(written);
    size -= uint64_t(written);
  }
  return success();
}

Error OutputFile::commit() {
  // A pipe cannot be synchronized, which is no error.
  if (fsync(descriptor) != 0 && errno != EINVAL && errno != EROFS &&
      errno != ENOTSUP)
    return failed("write");
  int closing = descriptor;
  descriptor = -1;
  if (close(closing) != 0)
    return failed("write");
  if (temporary.empty())
    return success();
  if (rename(temporary.c_str(), target.c_str()) != 0)
    return failed("create");
  temporary.clear();
  // The new name itself must survive a power cut too.
  int directory = ::open(folderOf(target.c_str()).c_str(),
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return success();
}

AppendFile::~AppendFile() {
  if (descriptor >= 0)
    ::close(descriptor);
}

Error AppendFile::check(const char *path) {
  if (Error error = refuseMapped(path))
    return error;
  if (fileExists(path) && !isFolder(path) && access(path, W_OK) != 0)
    return cannot("write", path);
  return checkWritable(path);
}

Error AppendFile::open(const char *name) {
  if (Error error = refuseMapped(name))
    return error;
  path = String(name);
  descriptor = ::open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  return descriptor < 0 ? cannot("create", path) : success();
}

Error AppendFile::append(std::string_view line) {
  struct stat info;
  bool regular = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
  if (writeAll(descriptor, line.data(), line.size()))
    return success();
  Error error = cannot("write", path);
  if (regular && ftruncate(descriptor, info.st_size) != 0)
    return error;
  return error;
}

Error AppendFile::close() {
  int closing = descriptor;
  descriptor = -1;
  return closing >= 0 && ::close(closing) != 0 ? cannot("write", path)
                                               : success();
}

struct BusError {
  static void handle(int, siginfo_t *info, void *);
};

// In a signal's handler: system calls only, and no memory.
void BusError::handle(int, siginfo_t *info, void *) {
  for (OutputFile *file = OutputFile::first; file; file = file->next)
    if (!file->temporary.empty())
      unlink(file->temporary.c_str());
  const char *at = static_cast<const char *>(info->si_addr);
  for (MappedFile *file = MappedFile::first; file; file = file->next) {
    Bytes bytes = file->bytes();
    if (at < bytes.data || at >= bytes.data + bytes.size)
      continue;
    writeAll(STDERR_FILENO, "error: '", 8);
    writeAll(STDERR_FILENO, file->path.c_str(), file->path.size());
    static const char kRest[] = "' became shorter while it was being read; "
                                "another program has changed it\n";
    writeAll(STDERR_FILENO, kRest, sizeof(kRest) - 1);
    _exit(1);
  }
  // No file of ours: the fault comes again, and ends the program.
  signal(SIGBUS, SIG_DFL);
}

void handleFileSignals() {
  struct sigaction action = {};
  action.sa_sigaction = BusError::handle;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, nullptr);
  action.sa_handler = SIG_IGN;
  action.sa_flags = 0;
  sigaction(SIGXFSZ, &action, nullptr);
}

} // namespace cornu::runtime
