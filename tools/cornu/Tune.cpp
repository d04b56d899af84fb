//===- Tune.cpp - cornu tune ----------------------------------------------===//
//
//   cornu tune model.keras -o model.strategies
//   cornu compile model.keras --strategies=model.strategies -o model
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/Link.h"
#include "codegen/emit/ModelDescriptor.h"
#include "codegen/strategy/StrategyFile.h"
#include "tools/cornu/Commands.h"
#include "tools/cornu/Model.h"
#include "tools/cornu/Outputs.h"
#include "tools/cornu/TuneSearch.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace cornu::tools {

namespace {

/// As a shell says of a program that Ctrl-C ended.
constexpr int kInterruptedCode = 130;

struct TuneOptions {
  WorkbenchOptions bench;
  std::string output;
  SearchOptions search;
};

bool report(llvm::Error error) {
  if (!error)
    return true;
  printError(llvm::toString(std::move(error)));
  return false;
}

/// A whole number from 1 on; `value` stays where the option is not given.
bool readCount(const Arguments &arguments, llvm::StringRef option,
               llvm::StringRef of, int64_t &value) {
  if (!arguments.has(option) ||
      (!arguments.value(option).getAsInteger(10, value) && value >= 1 &&
       value <= (int64_t(1) << 31)))
    return true;
  printError(option + "=" + arguments.value(option) + " is not a number of " +
             of);
  return false;
}

bool readNumber(const Arguments &arguments, llvm::StringRef option,
                double least, double most, double &value) {
  if (!arguments.has(option) || (!arguments.value(option).getAsDouble(value) &&
                                 value >= least && value <= most))
    return true;
  printError(option + "=" + arguments.value(option) + " is not a number from " +
             llvm::Twine(int64_t(least)) + " to " + llvm::Twine(int64_t(most)));
  return false;
}

bool readOptions(const Arguments &arguments, llvm::StringRef model,
                 TuneOptions &options) {
  StageOptions &stages = options.bench.stages;
  options.output = arguments.value("-o").str();
  if (options.output.empty())
    options.output = (llvm::sys::path::stem(model) + ".strategies").str();
  if (!keepsInputs(
          "output", options.output,
          {{"model", model}, {"weights file", arguments.value("--weights")}}))
    return false;
  std::string error;
  auto target = codegen::Target::create(
      {"", arguments.value("--mcpu").str(), arguments.value("--mattr").str()},
      error);
  if (!target) {
    printError(error);
    return false;
  }
  stages.target = *target;
  stages.inferenceOnly = arguments.has("--inference-only");
  stages.program = stages.profile = true;
  // The program has a fixed batch, or else one is chosen to run it with.
  if (arguments.has("--batch") && arguments.has("--batch-size")) {
    printError("'--batch' and '--batch-size' exclude each other");
    return false;
  }
  options.bench.batch = 32; // Keras's default
  if (!readCount(arguments, "--batch", "samples", stages.batch) ||
      !readCount(arguments, "--batch-size", "samples", options.bench.batch) ||
      !readCount(arguments, "--threads", "threads", options.bench.threads))
    return false;
  if (stages.batch)
    options.bench.batch = stages.batch;
  if (!readNumber(arguments, "--budget", 0, 1e6, options.search.budget))
    return false;
  double percent = options.search.leastGain * 100;
  if (!readNumber(arguments, "--gain", -1e6, 100, percent))
    return false;
  options.search.leastGain = percent / 100;
  // A few hundred runs; short ones tell less.
  options.bench.seconds =
      std::clamp(options.search.budget / 400, 0.05, options.bench.seconds);
  return report(codegen::checkLinkable(stages.target));
}

std::vector<std::string> texts(const Choice &choice) {
  std::vector<std::string> result;
  for (Attribute attribute : choice)
    llvm::raw_string_ostream(result.emplace_back()) << attribute;
  return result;
}

codegen::StrategyFile fileOf(const TuneSearch &search,
                             const TuneOptions &options,
                             llvm::StringRef model) {
  const codegen::Target &target = options.bench.stages.target;
  codegen::StrategyFile file;
  file.triple = target.triple.str();
  file.cpu = target.cpu;
  file.features = target.features;
  file.model = llvm::sys::path::filename(model).str();
  for (llvm::StringRef mode : options.bench.modes)
    file.entries.push_back({mode == "infer" ? "predict" : "train_step",
                            options.bench.batch, options.bench.threads,
                            search.timesByDefault().ofMode(mode),
                            search.timesOfChosen().ofMode(mode)});
  for (const TunedKernel *kernel : search.improved())
    file.kernels.push_back({kernel->key, texts(kernel->chosen), kernel->layers,
                            texts(kernel->defaults), kernel->defaultSeconds,
                            kernel->chosenSeconds});
  // Equal kernels of other names are given the same.
  llvm::StringSet<> keys;
  llvm::erase_if(file.kernels, [&](const auto &kernel) {
    return !keys.insert(kernel.key).second;
  });
  return file;
}

int tune(const Arguments &arguments) {
  std::optional<std::string> source = modelPath(arguments);
  TuneOptions options;
  if (!source || !readOptions(arguments, *source, options))
    return 1;
  auto context = makeContext();
  DiagnosticPrinter printer(*context, *source);
  auto model =
      loadModel(*context, arguments,
                importOptions(arguments, options.bench.stages.inferenceOnly));
  if (!model)
    return 1;
  ModuleOp module = *model->module;
  if (stageOf(module) > Stage::Buffers) {
    printError("'" + *source +
               "' is past the choice of strategies: a model is needed, or "
               "--emit=buffers");
    return 1;
  }
  NamedAttrList members;
  if (auto known =
          module->getAttrOfType<DictionaryAttr>(codegen::modelAttrName))
    members = NamedAttrList(known);
  members.set("name", StringAttr::get(context.get(), "model"));
  module->setAttr(codegen::modelAttrName, members.getDictionary(context.get()));
  if (failed(runStages(module, Stage::Buffers, options.bench.stages)) ||
      printer.anyError())
    return 1;
  options.bench.modes = {"infer"};
  if (!options.bench.stages.inferenceOnly && module.lookupSymbol("train_step"))
    options.bench.modes.push_back("train");

  noteInterrupts();
  TuneSearch search(module, options.bench, options.search);
  if (llvm::Error error = search.run()) {
    if (!interrupted()) {
      report(std::move(error));
      return 1;
    }
    llvm::consumeError(std::move(error));
    return kInterruptedCode;
  }
  codegen::StrategyFile file = fileOf(search, options, *source);
  if (!report(codegen::writeFile(options.output, file.text())))
    return 1;
  for (const codegen::StrategyFile::Entry &entry : file.entries)
    llvm::errs() << "cornu: " << entry.name
                 << llvm::format(": %.4g ms by default, %.4g ms tuned\n",
                                 entry.defaultSeconds * 1e3,
                                 entry.seconds * 1e3);
  llvm::errs() << "cornu: " << file.kernels.size() << " strategies in '"
               << options.output << "'"
               << (interrupted() ? ", not confirmed" : "") << "\n";
  return interrupted() ? kInterruptedCode : 0;
}

constexpr Option options[] = {
    {"-o", "FILE", "The strategies to write; MODEL.strategies by default"},
    {"--budget", "SECONDS",
     "How long to search, at most by a trial more; 120 by default. Ctrl-C\n"
     "ends it with what is found"},
    {"--gain", "PERCENT",
     "What a kernel must gain to leave its default; 3 by default"},
    {"--batch-size", "N", "Samples in a run, 32 by default"},
    {"--threads", "N", "Threads of a run; the program's default"},
    {"--inference-only", "", "Leave the training code out"},
    {"--batch", "N", "Fix the batch size, if 'cornu compile' is told the same"},
    {"--weights", "FILE",
     "Weights of a .json model: .weights.h5 or .safetensors"},
    {"--optimizer", "SPEC", "Instead of the model's own: a Keras name or JSON"},
    {"--loss", "SPEC", "Likewise the loss"},
    {"--metrics", "SPEC", "Likewise the metrics"},
    {"--mcpu", "CPU", "Code for another CPU, which this machine can run"},
    {"--mattr", "FEATURES", "Instructions to use or not: +avx512f,-fma"},
};

} // namespace

const Command tuneCommand = {
    "tune",
    "MODEL [-o FILE] [options]",
    "Searches faster ways to compute a model's kernels on this machine.\n"
    "It runs the model for prediction and, if it has a loss and an optimizer,\n"
    "for training, and writes a file for 'cornu compile --strategies'. The\n"
    "machine should have nothing else to do.",
    "  cornu tune digits.keras -o digits.strategies --budget=60\n"
    "  cornu compile digits.keras --strategies=digits.strategies -o digits",
    options,
    tune};

} // namespace cornu::tools
