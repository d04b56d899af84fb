//===- Link.cpp - Files from machine code ---------------------------------===//

#include "codegen/emit/Link.h"
#include "llvm/ObjCopy/CommonConfig.h"
#include "llvm/ObjCopy/ELF/ELFConfig.h"
#include "llvm/ObjCopy/ELF/ELFObjcopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/TargetParser/Host.h"

namespace cornu::codegen {

namespace {

llvm::Error error(const llvm::Twine &message) {
  return llvm::createStringError(message);
}

/// A file beside `path` that takes its place when it is complete, and vanishes
/// if it does not get there.
class Replacement {
public:
  static llvm::Expected<Replacement> create(llvm::StringRef path) {
    auto file = llvm::sys::fs::TempFile::create(path + ".%%%%%%.tmp", 0666);
    if (!file)
      return error("cannot write '" + path +
                   "': " + llvm::toString(file.takeError()));
    return Replacement(path, std::move(*file));
  }
  llvm::StringRef temporary() const { return file.TmpName; }
  int descriptor() const { return file.FD; }

  llvm::Error commit(bool executable) {
    namespace fs = llvm::sys::fs;
    // The modes of a file that open(2) makes: what the user's umask leaves.
    unsigned mask = fs::getUmask();
    unsigned mode = (executable ? 0777u : 0666u) & ~mask;
    if (std::error_code code =
            fs::setPermissions(file.TmpName, static_cast<fs::perms>(mode)))
      return llvm::joinErrors(
          error("cannot write '" + path + "': " + code.message()),
          file.discard());
    if (llvm::Error failure = file.keep(path))
      return error("cannot write '" + path +
                   "': " + llvm::toString(std::move(failure)));
    return llvm::Error::success();
  }
  llvm::Error discard() { return file.discard(); }

private:
  Replacement(llvm::StringRef path, llvm::sys::fs::TempFile file)
      : path(path.str()), file(std::move(file)) {}
  std::string path;
  llvm::sys::fs::TempFile file;
};

llvm::Error writeBytes(int descriptor, llvm::StringRef bytes,
                       llvm::StringRef path) {
  llvm::raw_fd_ostream stream(descriptor, /*shouldClose=*/false);
  stream << bytes;
  stream.flush();
  if (std::error_code code = stream.error()) {
    stream.clear_error();
    return error("cannot write '" + path + "': " + code.message());
  }
  return llvm::Error::success();
}

/// The compiler driver that links for the target: the user's choice, the
/// system's, or the cross compiler's.
llvm::Expected<std::string> findLinkDriver(const Target &target) {
  llvm::Triple host(llvm::sys::getProcessTriple());
  llvm::SmallVector<std::string> names;
  if (const char *chosen = std::getenv("CORNU_CC"))
    names.push_back(chosen);
  if (host.getArch() == target.triple.getArch())
    names.append({"cc", "gcc", "clang"});
  std::string cross = (target.triple.getArchName() + "-linux-gnu-gcc").str();
  names.push_back(cross);
  for (const std::string &name : names)
    if (auto path = llvm::sys::findProgramByName(name))
      return *path;
  return error("no linker for " + target.triple.str() +
               ": install a C compiler (" + names.front() +
               "), or name it in the environment as CORNU_CC; "
               "-c and --static-lib need none");
}

/// Runs the link driver; what it says becomes the error.
llvm::Error run(const std::string &program,
                llvm::ArrayRef<std::string> arguments) {
  llvm::SmallVector<llvm::StringRef> words = {program};
  words.append(arguments.begin(), arguments.end());
  llvm::SmallString<128> log;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("cornu-link", "log", log))
    return error("cannot make a temporary file: " + code.message());
  llvm::FileRemover remover(log);
  std::optional<llvm::StringRef> redirects[] = {
      llvm::StringRef(""), llvm::StringRef(log), llvm::StringRef(log)};
  std::string message;
  int code = llvm::sys::ExecuteAndWait(program, words, std::nullopt, redirects,
                                       /*SecondsToWait=*/0, /*MemoryLimit=*/0,
                                       &message);
  if (code == 0)
    return llvm::Error::success();
  if (auto text = llvm::MemoryBuffer::getFile(log))
    message += (*text)->getBuffer().rtrim().str();
  return error("linking with '" + program + "' failed: " + message);
}

/// Links the objects into `path`; `more` are the arguments that differ between
/// programs, libraries and objects.
llvm::Error link(llvm::StringRef path, Objects objects, const Target &target,
                 llvm::ArrayRef<std::string> more, bool executable) {
  auto driver = findLinkDriver(target);
  if (!driver)
    return driver.takeError();
  std::vector<std::string> arguments;
  std::vector<std::unique_ptr<llvm::FileRemover>> removers;
  for (const auto &object : objects) {
    int descriptor;
    llvm::SmallString<128> objectPath;
    if (std::error_code code = llvm::sys::fs::createTemporaryFile(
            "cornu", "o", descriptor, objectPath))
      return error("cannot make a temporary file: " + code.message());
    removers.push_back(std::make_unique<llvm::FileRemover>(objectPath));
    arguments.push_back(std::string(objectPath));
    llvm::Error failure = writeBytes(
        descriptor, llvm::StringRef(object.data(), object.size()), objectPath);
    llvm::sys::Process::SafelyCloseFileDescriptor(descriptor);
    if (failure)
      return failure;
  }
  auto output = Replacement::create(path);
  if (!output)
    return output.takeError();
  arguments.push_back("-o");
  arguments.push_back(output->temporary().str());
  arguments.insert(arguments.end(), more.begin(), more.end());
  if (llvm::Error failure = run(*driver, arguments))
    return llvm::joinErrors(std::move(failure), output->discard());
  return output->commit(executable);
}

/// Nothing unused, no symbols that only a debugger reads.
const std::string smallFlags[] = {"-Wl,--gc-sections", "-Wl,-s",
                                  "-Wl,--build-id=none", "-Wl,-z,relro"};

} // namespace

llvm::Error writeFile(llvm::StringRef path, llvm::StringRef contents,
                      bool executable) {
  if (path == "-") {
    llvm::outs() << contents;
    llvm::outs().flush();
    if (llvm::outs().has_error()) {
      std::error_code code = llvm::outs().error();
      llvm::outs().clear_error();
      return error("cannot write to the standard output: " + code.message());
    }
    return llvm::Error::success();
  }
  // A device such as /dev/null is written to, not replaced.
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(path, status) && llvm::sys::fs::exists(status) &&
      !llvm::sys::fs::is_regular_file(status)) {
    std::error_code code;
    llvm::raw_fd_ostream stream(path, code);
    if (code)
      return error("cannot write '" + path + "': " + code.message());
    stream << contents;
    stream.flush();
    if ((code = stream.error())) {
      stream.clear_error();
      return error("cannot write '" + path + "': " + code.message());
    }
    return llvm::Error::success();
  }
  auto file = Replacement::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error failure = writeBytes(file->descriptor(), contents, path))
    return llvm::joinErrors(std::move(failure), file->discard());
  return file->commit(executable);
}

bool canMergeObjects(const Target &target) {
  auto driver = findLinkDriver(target);
  if (driver)
    return true;
  llvm::consumeError(driver.takeError());
  return false;
}

llvm::Error writeObject(llvm::StringRef path, Objects objects,
                        const Target &target) {
  if (objects.size() == 1)
    return writeFile(path,
                     llvm::StringRef(objects[0].data(), objects[0].size()));
  llvm::SmallString<128> joined;
  if (std::error_code code =
          llvm::sys::fs::createTemporaryFile("cornu-joined", "o", joined))
    return error("cannot make a temporary file: " + code.message());
  llvm::FileRemover remover(joined);
  if (llvm::Error failure = link(joined, objects, target, {"-r", "-nostdlib"},
                                 /*executable=*/false))
    return failure;
  // What the parts call in each other is no concern of the program's.
  auto buffer = llvm::MemoryBuffer::getFile(joined);
  if (!buffer)
    return error("cannot read '" + joined.str() +
                 "': " + buffer.getError().message());
  auto file = llvm::object::ObjectFile::createELFObjectFile(**buffer);
  if (!file)
    return file.takeError();
  llvm::objcopy::CommonConfig common;
  common.InputFilename = common.OutputFilename = joined;
  llvm::objcopy::ELFConfig elf;
  elf.LocalizeHidden = true;
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (llvm::Error failure = llvm::objcopy::elf::executeObjcopyOnBinary(
          common, elf, llvm::cast<llvm::object::ELFObjectFileBase>(**file),
          stream))
    return failure;
  return writeFile(path, llvm::StringRef(bytes.data(), bytes.size()));
}

llvm::Error writeStaticLibrary(llvm::StringRef path, llvm::StringRef member,
                               Objects objects) {
  std::vector<std::string> names;
  for (size_t i = 0; i < objects.size(); ++i)
    names.push_back(member.str() + (i ? "." + std::to_string(i) : "") + ".o");
  llvm::SmallVector<llvm::NewArchiveMember, 1> members;
  for (auto [name, object] : llvm::zip_equal(names, objects))
    members.emplace_back(llvm::MemoryBufferRef(
        llvm::StringRef(object.data(), object.size()), name));
  auto archive = llvm::writeArchiveToBuffer(
      members, llvm::SymtabWritingMode::NormalSymtab,
      llvm::object::Archive::K_GNU, /*Deterministic=*/true, /*Thin=*/false);
  if (!archive)
    return archive.takeError();
  return writeFile(path, (*archive)->getBuffer());
}

llvm::Error linkExecutable(llvm::StringRef path, Objects objects,
                           const Target &target, const LinkInputs &inputs) {
  llvm::SmallString<128> runtime(inputs.runtimeFolder);
  llvm::Triple host(llvm::sys::getProcessTriple());
  if (host.getArch() != target.triple.getArch())
    llvm::sys::path::append(runtime,
                            target.triple.getArchName() + "-linux-gnu");
  llvm::sys::path::append(runtime, "libcornu.a");
  if (!llvm::sys::fs::exists(runtime))
    return error("no runtime for " + target.triple.str() + " at '" +
                 runtime.str() +
                 "': build Cornu with a cross compiler for it installed, or "
                 "compile with -c");
  std::vector<std::string> more(std::begin(smallFlags), std::end(smallFlags));
  more.insert(more.end(), {std::string(runtime), "-lpthread", "-lm"});
  return link(path, objects, target, more, /*executable=*/true);
}

llvm::Error linkSharedLibrary(llvm::StringRef path, Objects objects,
                              const Target &target) {
  std::vector<std::string> more(std::begin(smallFlags), std::end(smallFlags));
  more.push_back("-shared");
  return link(path, objects, target, more, /*executable=*/true);
}

} // namespace cornu::codegen
