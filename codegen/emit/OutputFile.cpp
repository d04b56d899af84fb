//===- OutputFile.cpp - Files that are whole or not there -----------------===//

#include "codegen/emit/OutputFile.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

namespace fs = llvm::sys::fs;

namespace cornu::codegen {

namespace {

/// What a user can do about the commonest reasons.
llvm::StringRef remedy(std::error_code code) {
  if (code == std::errc::no_space_on_device)
    return "; free space there, or choose a file on another disk";
  if (code == std::errc::permission_denied ||
      code == std::errc::operation_not_permitted ||
      code == std::errc::read_only_file_system)
    return "; choose a file in a folder that you may write to";
  if (code == std::errc::no_such_file_or_directory ||
      code == std::errc::not_a_directory)
    return "; its folder does not exist: make it first";
  return "";
}

llvm::Error cannotWrite(llvm::StringRef path, std::error_code code) {
  return llvm::createStringError("cannot write '" + path +
                                 "': " + code.message() + remedy(code));
}

std::error_code writeBytes(int descriptor, llvm::StringRef bytes) {
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/false);
  stream << bytes;
  stream.flush();
  std::error_code code = stream.error();
  stream.clear_error();
  return code;
}

/// Something that is there and cannot be replaced by a file.
bool isSpecial(llvm::StringRef path) {
  fs::file_status status;
  return !fs::status(path, status) && fs::exists(status) &&
         !fs::is_regular_file(status);
}

llvm::Error writeStandardOutput(llvm::StringRef contents) {
  llvm::outs() << contents;
  llvm::outs().flush();
  std::error_code code = llvm::outs().error();
  llvm::outs().clear_error();
  if (code)
    return llvm::createStringError("cannot write to the standard output: " +
                                   code.message());
  return llvm::Error::success();
}

/// A device such as /dev/null is written to, not replaced.
llvm::Error writeSpecial(llvm::StringRef path, llvm::StringRef contents) {
  std::error_code code;
  llvm::raw_fd_ostream stream(path, code);
  if (!code) {
    stream << contents;
    stream.flush();
    code = stream.error();
    stream.clear_error();
  }
  return code ? cannotWrite(path, code) : llvm::Error::success();
}

} // namespace

llvm::Error writeFile(llvm::StringRef path, llvm::StringRef contents,
                      bool executable) {
  if (path == "-")
    return writeStandardOutput(contents);
  if (isSpecial(path))
    return writeSpecial(path, contents);
  auto file = Replacement::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error failure = file->write(contents))
    return llvm::joinErrors(std::move(failure), file->discard());
  return file->commit(executable);
}

//===----------------------------------------------------------------------===//
// Replacement
//===----------------------------------------------------------------------===//

llvm::Expected<Replacement> Replacement::create(llvm::StringRef path) {
  if (isSpecial(path))
    return llvm::createStringError(
        "'" + path + "' is not a regular file: choose another to write to");
  // A link that leads nowhere is replaced, as the compiled programs do.
  llvm::SmallString<128> target(path);
  if (fs::exists(path) && fs::is_symlink_file(path))
    if (std::error_code code = fs::real_path(path, target))
      return cannotWrite(path, code);
  // TempFile has the file removed if a signal ends the process.
  // Nobody else reads what may become a private file.
  auto file = fs::TempFile::create(target + ".%%%%%%.tmp", 0600);
  if (!file)
    return cannotWrite(path, llvm::errorToErrorCode(file.takeError()));
  return Replacement(target, std::move(*file));
}

llvm::Error Replacement::write(llvm::StringRef bytes) {
  if (std::error_code code = writeBytes(file.FD, bytes))
    return cannotWrite(path, code);
  return llvm::Error::success();
}

llvm::Error Replacement::commit(bool executable) {
  // The modes of a file that open(2) makes: what the user's umask leaves.
  unsigned mode = 0666u & ~fs::getUmask();
  if (fs::file_status old; !fs::status(path, old))
    mode = old.permissions() & 0777u;
  if (executable)
    mode |= (mode & 0444u) >> 2;
  if (std::error_code code =
          fs::setPermissions(file.TmpName, static_cast<fs::perms>(mode)))
    return llvm::joinErrors(cannotWrite(path, code), file.discard());
  if (llvm::Error failure = file.keep(path))
    return cannotWrite(path, llvm::errorToErrorCode(std::move(failure)));
  return llvm::Error::success();
}

//===----------------------------------------------------------------------===//
// TemporaryFile
//===----------------------------------------------------------------------===//

llvm::Expected<TemporaryFile> TemporaryFile::create(llvm::StringRef prefix,
                                                    llvm::StringRef suffix,
                                                    llvm::StringRef contents) {
  int descriptor;
  llvm::SmallString<128> path;
  auto cannot = [](std::error_code code) {
    llvm::SmallString<128> folder;
    llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, folder);
    return llvm::createStringError(
        "cannot write a temporary file in '" + folder + "': " + code.message() +
        "; name another folder in the environment as TMPDIR");
  };
  if (std::error_code code =
          fs::createTemporaryFile(prefix, suffix, descriptor, path))
    return cannot(code);
  TemporaryFile file(path);
  llvm::sys::RemoveFileOnSignal(path);
  std::error_code code = writeBytes(descriptor, contents);
  llvm::sys::Process::SafelyCloseFileDescriptor(descriptor);
  if (code)
    return cannot(code);
  return file;
}

TemporaryFile::~TemporaryFile() {
  if (name.empty())
    return;
  fs::remove(name);
  llvm::sys::DontRemoveFileOnSignal(name);
}

} // namespace cornu::codegen
