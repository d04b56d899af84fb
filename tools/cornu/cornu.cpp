//===- cornu.cpp - The driver ---------------------------------------------===//
//
//   cornu compile model.keras -o model
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/OutputFile.h"
#include "codegen/target/Target.h"
#include "frontend/import/Import.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "tools/cornu/Commands.h"
#include "tools/cornu/Outputs.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>
#include <optional>

using namespace cornu;
using namespace cornu::tools;

namespace {

std::string programPath;

const Command *const commands[] = {&compileCommand, &tuneCommand,
                                   &summaryCommand, &plotCommand,
                                   &weightsCommand, &targetsCommand};

int targets(const Arguments &) {
  codegen::printTargets(llvm::outs());
  return 0;
}

int weights(const Arguments &arguments) {
  if (arguments.positional().size() != 1 || !arguments.has("--from") ||
      !arguments.has("-o")) {
    printError("usage: cornu weights " + weightsCommand.usage);
    return 1;
  }
  const std::string &path = arguments.positional().front();
  // The model itself may be updated in place.
  if (!keepsInputs("output", arguments.value("-o"),
                   {{"weights file", arguments.value("--from")}}))
    return 1;
  auto file = codegen::Replacement::create(arguments.value("-o"));
  if (!file) {
    printError(llvm::toString(file.takeError()));
    return 1;
  }
  frontend::Diagnostics diagnostics(path);
  auto archive = frontend::ModelArchive::read(path, "", diagnostics);
  mlir::MLIRContext context;
  context.loadDialect<nn::NNDialect>();
  bool written =
      archive && frontend::exportWeights(
                     context, *archive, arguments.value("--from"),
                     arguments.value("-o"), diagnostics, file->temporary());
  diagnostics.print(llvm::errs());
  llvm::Error failure = written ? file->commit() : file->discard();
  if (failure) {
    printError(llvm::toString(std::move(failure)));
    return 1;
  }
  return written ? 0 : 1;
}

void printUsage(llvm::raw_ostream &os) {
  os << "usage: cornu COMMAND ...\n\n"
        "Compiles Keras models into programs that predict, evaluate and "
        "train.\n\ncommands:\n";
  for (const Command *command : commands)
    os << "  " << llvm::left_justify(command->name, 9) << " "
       << command->summary.split('\n').first << "\n";
  os << "\n'cornu COMMAND --help' shows a command's options, 'cornu --version' "
        "the version.\n\nexample:\n"
        "  cornu compile model.keras -o model && ./model info\n";
}

constexpr Option weightsOptions[] = {
    {"--from", "FILE", "The weights, a .safetensors file"},
    {"-o", "FILE", "The .keras file to write"},
};

} // namespace

namespace cornu::tools {

const Command targetsCommand = {
    "targets",
    "",
    "Lists the machines that code can be made for.",
    "  cornu compile model.keras --target=aarch64-linux-gnu "
    "--mcpu=cortex-a72 -o model",
    {},
    targets};

const Command weightsCommand = {
    "weights",
    "MODEL --from=FILE.safetensors -o NEW.keras",
    "Puts trained weights back into a .keras file, which Keras loads.",
    "  ./model fit --input x.npy --target y.npy --save w.safetensors\n"
    "  cornu weights model.keras --from=w.safetensors -o trained.keras",
    weightsOptions,
    weights};

std::string runtimeFolder() {
  llvm::SmallString<128> folder(
      llvm::sys::path::parent_path(llvm::sys::path::parent_path(programPath)));
  llvm::sys::path::append(folder, "lib");
  return std::string(folder);
}

} // namespace cornu::tools

/// The command that the words ask for; the exit code.
static int runCommand(int argc, char **argv) {
  llvm::StringRef name = argc > 1 ? argv[1] : "";
  if (name.empty() || name == "--help" || name == "-h" || name == "help") {
    printUsage(name.empty() ? llvm::errs() : llvm::outs());
    return name.empty() ? 1 : 0;
  }
  if (name == "--version") {
    llvm::outs() << "cornu " << CORNU_VERSION << "\n";
    return 0;
  }
  for (const Command *command : commands) {
    if (name != command->name)
      continue;
    llvm::ArrayRef<const char *> words(argv + 2, argc - 2);
    for (llvm::StringRef word : words)
      if (word == "--help" || word == "-h") {
        printHelp(*command);
        return 0;
      }
    Arguments arguments;
    return arguments.parse(*command, words) ? command->run(arguments) : 1;
  }
  llvm::SmallVector<llvm::StringRef> names;
  for (const Command *command : commands)
    names.push_back(command->name);
  std::string guess = suggestion(name, names);
  printError("no command '" + name + "'" +
             (guess.empty() ? "; see 'cornu --help'" : guess));
  return 1;
}

/// What the caller has us ignore, as nohup does, stays ignored: LLVM's handlers
/// would remove the files that are being written.
static void initializeLLVM(std::optional<llvm::InitLLVM> &init, int &argc,
                           char **&argv) {
  struct sigaction before[std::size(codegen::endingSignals)];
  for (auto [signal, action] : llvm::zip_equal(codegen::endingSignals, before))
    sigaction(signal, nullptr, &action);
  init.emplace(argc, argv);
  for (auto [signal, action] : llvm::zip_equal(codegen::endingSignals, before))
    if (action.sa_handler == SIG_IGN)
      sigaction(signal, &action, nullptr);
}

int main(int argc, char **argv) {
  std::optional<llvm::InitLLVM> init;
  initializeLLVM(init, argc, argv);
  mlir::registerAsmPrinterCLOptions();
  mlir::registerMLIRContextCLOptions();
  mlir::registerPassManagerCLOptions();
  mlir::registerDefaultTimingManagerCLOptions();
  programPath = llvm::sys::fs::getMainExecutable(
      argv[0], reinterpret_cast<void *>(&main));
  return finishStandardOutput(runCommand(argc, argv));
}
