//===- TuneProgram.cpp - Programs that a tuner times ----------------------===//

#include "tools/cornu/TuneProgram.h"
#include "codegen/emit/Descriptor.h"
#include "codegen/emit/Link.h"
#include "codegen/emit/Object.h"
#include "mlir/IR/Diagnostics.h"
#include "tools/cornu/Commands.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"

using namespace mlir;

namespace cornu::tools {

/// A program that takes so much longer than it was asked to run hangs.
constexpr unsigned kPatienceSeconds = 300;

double Times::ofKernel(llvm::StringRef name) const {
  double sum = 0;
  for (const auto &kernel : kernels)
    if (kernel.first().split(' ').second == name)
      sum += kernel.second;
  return sum;
}

double Times::ofMode(llvm::StringRef mode) const {
  double sum = 0;
  for (const auto &kernel : kernels)
    if (kernel.first().split(' ').first == mode)
      sum += kernel.second;
  return sum;
}

double Times::total() const {
  double sum = 0;
  for (const auto &kernel : kernels)
    sum += kernel.second;
  return sum;
}

llvm::Expected<codegen::TemporaryFile>
Workbench::build(llvm::function_ref<void(func::FuncOp)> give) const {
  OwningOpRef<ModuleOp> copy(ModuleOp(module).clone());
  for (auto kernel : copy->getOps<func::FuncOp>())
    give(kernel);
  std::string message;
  ScopedDiagnosticHandler handler(
      copy->getContext(), [&](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error &&
            message.empty())
          message = diagnostic.str();
        return success();
      });
  codegen::MachineCodeOptions machine;
  machine.parts = 8; // as for a program that 'cornu compile' makes
  std::vector<codegen::MachineCode> code;
  if (failed(runStages(*copy, Stage::LLVM, options.stages)))
    return llvm::createStringError("cannot be compiled: " + message);
  auto model = codegen::ModelDescriptor::read(*copy);
  if (failed(model) || failed(codegen::nameProgram(*copy, model->name)) ||
      failed(codegen::emitMachineCode(*copy, machine, code)))
    return llvm::createStringError("cannot be compiled: " + message);
  auto program = codegen::TemporaryFile::create("cornu-tune", "");
  if (!program)
    return program.takeError();
  if (llvm::Error error = codegen::linkExecutable(
          program->path(), code, options.stages.target, {runtimeFolder()}))
    return error;
  return program;
}

llvm::Error Workbench::runMode(const codegen::TemporaryFile &program,
                               llvm::StringRef mode, Times &times) const {
  auto log = codegen::TemporaryFile::create("cornu-tune", "log");
  if (!log)
    return log.takeError();
  auto trace = codegen::TemporaryFile::create("cornu-tune", "json");
  if (!trace)
    return trace.takeError();
  std::vector<std::string> words = {
      program.path().str(), "bench", ("--mode=" + mode).str(), "--json",
      "--min-seconds=" + std::to_string(options.seconds),
      ("--profile=" + trace->path()).str(),
      // The roofline of the profile is not asked for, and takes time.
      "--peak-gflops=1", "--peak-gbs=1"};
  // On one thread, what other programs take can be left out.
  if (options.threads == 1)
    words.push_back("--cpu-time");
  if (options.batch)
    words.push_back("--batch-size=" + std::to_string(options.batch));
  if (options.threads)
    words.push_back("--threads=" + std::to_string(options.threads));
  llvm::SmallVector<llvm::StringRef> arguments(words.begin(), words.end());
  std::optional<llvm::StringRef> redirects[] = {llvm::StringRef(""),
                                                log->path(), log->path()};
  std::string message;
  int code =
      llvm::sys::ExecuteAndWait(program.path(), arguments, std::nullopt,
                                redirects, kPatienceSeconds, 0, &message);
  auto output = llvm::MemoryBuffer::getFile(log->path());
  llvm::StringRef text = output ? (*output)->getBuffer() : "";
  if (code != 0)
    return llvm::createStringError("the program ended with " +
                                   llvm::Twine(code) + ": " + message +
                                   text.take_back(400).trim());
  // A line for each kernel, after one for all; notes are no JSON.
  llvm::SmallVector<llvm::StringRef> lines;
  text.split(lines, '\n', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef line : lines) {
    auto value = llvm::json::parse(line);
    if (!value) {
      llvm::consumeError(value.takeError());
      continue;
    }
    const llvm::json::Object *object = value->getAsObject();
    if (!object)
      continue;
    auto name = object->getString("kernel");
    auto seconds = object->getNumber("min_seconds");
    if (!name || !seconds)
      continue;
    auto [at, isNew] =
        times.kernels.try_emplace((mode + " " + *name).str(), *seconds);
    if (!isNew)
      at->second = std::min(at->second, *seconds);
  }
  return llvm::Error::success();
}

llvm::Error Workbench::run(const codegen::TemporaryFile &program,
                           Times &times) const {
  for (llvm::StringRef mode : options.modes)
    if (llvm::Error error = runMode(program, mode, times))
      return error;
  return llvm::Error::success();
}

} // namespace cornu::tools
