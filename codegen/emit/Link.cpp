//===- Link.cpp - Files from machine code ---------------------------------===//

#include "codegen/emit/Link.h"
#include "codegen/emit/OutputFile.h"
#include "llvm/ObjCopy/CommonConfig.h"
#include "llvm/ObjCopy/ELF/ELFConfig.h"
#include "llvm/ObjCopy/ELF/ELFObjcopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/TargetParser/Host.h"
#include <atomic>
#include <csignal>

namespace cornu::codegen {

namespace {

llvm::Error error(const llvm::Twine &message) {
  return llvm::createStringError(message);
}

/// The compiler driver that links for the target: the user's choice, the
/// system's, or the cross compiler's.
llvm::Expected<std::string> findLinkDriver(const Target &target) {
  // A triple without a system, as `aarch64`, is taken for Linux.
  const llvm::Triple &triple = target.triple;
  if (!triple.isOSBinFormatELF() ||
      !(triple.isOSLinux() || triple.getOS() == llvm::Triple::UnknownOS))
    return error("programs and shared libraries are linked for Linux only, not "
                 "for '" +
                 triple.str() +
                 "'; -c and --static-lib make code that a linker for it takes");
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

/// While a linker runs, a signal that ends this process ends the linker first:
/// it would write the files anew that LLVM's handlers have just removed.
class LinkerGuard {
public:
  LinkerGuard() {
    linker = 0;
    for (auto [signal, action] : llvm::zip_equal(endingSignals, before)) {
      sigaction(signal, nullptr, &action);
      struct sigaction own = {};
      own.sa_handler = action.sa_handler == SIG_IGN ? SIG_IGN : end;
      sigaction(signal, &own, nullptr);
    }
  }
  ~LinkerGuard() {
    linker = 0;
    for (auto [signal, action] : llvm::zip_equal(endingSignals, before))
      sigaction(signal, &action, nullptr);
  }
  /// The process, which leads a group of its own.
  void watch(pid_t process) { linker = process; }

private:
  static void end(int signal) {
    if (linker)
      kill(-linker, SIGTERM);
    for (auto [known, action] : llvm::zip_equal(endingSignals, before))
      if (known == signal)
        sigaction(signal, &action, nullptr);
    raise(signal); // for the handler before, when this one returns
  }
  static inline struct sigaction before[std::size(endingSignals)];
  static inline std::atomic<pid_t> linker = 0;
};

/// Runs the link driver; what it says becomes the error.
llvm::Error run(const std::string &program,
                llvm::ArrayRef<std::string> arguments) {
  llvm::SmallVector<llvm::StringRef> words = {program};
  words.append(arguments.begin(), arguments.end());
  auto log = TemporaryFile::create("cornu-link", "log");
  if (!log)
    return log.takeError();
  std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""),
                                                log->path(), log->path()};
  std::string message;
  LinkerGuard guard;
  llvm::sys::ProcessInfo process = llvm::sys::ExecuteNoWait(
      program, words, std::nullopt, redirects, /*MemoryLimit=*/0, &message,
      /*ExecutionFailed=*/nullptr, /*AffinityMask=*/nullptr,
      /*DetachProcess=*/true);
  if (process.Pid) {
    guard.watch(process.Pid);
    if (llvm::sys::Wait(process, std::nullopt, &message).ReturnCode == 0)
      return llvm::Error::success();
  }
  if (auto text = llvm::MemoryBuffer::getFile(log->path()))
    message += (*text)->getBuffer().rtrim().str();
  std::string full =
      std::make_error_code(std::errc::no_space_on_device).message();
  if (llvm::StringRef(message).contains(full))
    message += "\nfree space there, or choose a file on another disk";
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
  std::vector<TemporaryFile> files;
  for (const auto &object : objects) {
    auto file = TemporaryFile::create(
        "cornu", "o", llvm::StringRef(object.data(), object.size()));
    if (!file)
      return file.takeError();
    arguments.push_back(file->path().str());
    files.push_back(std::move(*file));
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

llvm::Error checkLinkable(const Target &target) {
  return findLinkDriver(target).takeError();
}

llvm::Error writeObject(llvm::StringRef path, Objects objects,
                        const Target &target) {
  if (objects.size() == 1)
    return writeFile(path,
                     llvm::StringRef(objects[0].data(), objects[0].size()));
  auto file = TemporaryFile::create("cornu-joined", "o");
  if (!file)
    return file.takeError();
  llvm::StringRef joined = file->path();
  if (llvm::Error failure = link(joined, objects, target, {"-r", "-nostdlib"},
                                 /*executable=*/false))
    return failure;
  // What the parts call in each other is no concern of the program's.
  auto buffer = llvm::MemoryBuffer::getFile(joined);
  if (!buffer)
    return error("cannot read '" + joined +
                 "': " + buffer.getError().message());
  auto object = llvm::object::ObjectFile::createELFObjectFile(**buffer);
  if (!object)
    return object.takeError();
  llvm::objcopy::CommonConfig common;
  common.InputFilename = common.OutputFilename = joined;
  llvm::objcopy::ELFConfig elf;
  elf.LocalizeHidden = true;
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  if (llvm::Error failure = llvm::objcopy::elf::executeObjcopyOnBinary(
          common, elf, llvm::cast<llvm::object::ELFObjectFileBase>(**object),
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
