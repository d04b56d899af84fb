//===- Compile.cpp - cornu compile ----------------------------------------===//

#include "codegen/emit/Descriptor.h"
#include "codegen/emit/Header.h"
#include "codegen/emit/Link.h"
#include "codegen/emit/Object.h"
#include "codegen/emit/OutputFile.h"
#include "codegen/strategy/StrategyFile.h"
#include "tools/cornu/Commands.h"
#include "tools/cornu/MemoryBudget.h"
#include "tools/cornu/MemoryReport.h"
#include "tools/cornu/Model.h"
#include "tools/cornu/Outputs.h"
#include "tools/cornu/Report.h"
#include "tools/cornu/Stages.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace cornu::tools {

namespace {

enum class Output { Executable, Object, StaticLibrary, SharedLibrary, Text };

struct CompileOptions {
  Output output = Output::Executable;
  std::string path;
  Stage lastStage = Stage::LLVM;
  bool assembly = false;
  StageOptions stages;
  /// Bytes for the state and a training step; 0: no limit.
  int64_t memoryBudget = 0;
  codegen::MachineCodeOptions machine;
};

/// The name by which the functions of a program or library begin: that of the
/// file, without folder, extension and `lib`.
std::string modelName(const CompileOptions &options) {
  llvm::StringRef stem = llvm::sys::path::stem(options.path);
  if (options.output == Output::StaticLibrary ||
      options.output == Output::SharedLibrary)
    stem.consume_front("lib");
  return codegen::toCIdentifier(stem);
}

/// NAME.h beside an object or library; "" if the output has no header.
std::string headerPath(const CompileOptions &options) {
  if (options.output == Output::Executable || options.output == Output::Text)
    return "";
  llvm::SmallString<128> header(llvm::sys::path::parent_path(options.path));
  llvm::sys::path::append(header, modelName(options) + ".h");
  return std::string(header);
}

bool report(llvm::Error error) {
  if (!error)
    return true;
  printError(llvm::toString(std::move(error)));
  return false;
}

std::string defaultPath(Output output, llvm::StringRef model) {
  std::string stem = llvm::sys::path::stem(model).str();
  switch (output) {
  case Output::Executable:
    return stem;
  case Output::Object:
    return stem + ".o";
  case Output::StaticLibrary:
    return "lib" + stem + ".a";
  case Output::SharedLibrary:
    return "lib" + stem + ".so";
  case Output::Text:
    return "-";
  }
  return stem;
}

/// Which file is wanted, and where.
bool readOutput(const Arguments &arguments, llvm::StringRef model,
                CompileOptions &options) {
  struct Kind {
    llvm::StringLiteral flag;
    Output output;
  };
  constexpr Kind kinds[] = {{"-c", Output::Object},
                            {"--static-lib", Output::StaticLibrary},
                            {"--shared", Output::SharedLibrary},
                            {"--emit", Output::Text}};
  const Kind *chosen = nullptr;
  for (const Kind &kind : kinds) {
    if (!arguments.has(kind.flag))
      continue;
    if (chosen) {
      printError("'" + chosen->flag + "' and '" + kind.flag +
                 "' exclude each other");
      return false;
    }
    chosen = &kind;
  }
  if (chosen)
    options.output = chosen->output;
  options.path = arguments.value("-o").str();
  if (chosen && (options.output == Output::StaticLibrary ||
                 options.output == Output::SharedLibrary))
    if (llvm::StringRef given = arguments.value(chosen->flag); !given.empty())
      options.path = given.str();
  if (options.path.empty())
    options.path = defaultPath(options.output, model);
  if (options.output != Output::Text && options.path == "-") {
    printError("only --emit can write to the standard output");
    return false;
  }
  std::string header = headerPath(options);
  InputFile inputs[] = {{"model", model},
                        {"weights file", arguments.value("--weights")},
                        {"strategies", arguments.value("--strategies")}};
  if (!keepsInputs("output", options.path, inputs) ||
      !keepsInputs("header", header, inputs))
    return false;
  if (sameFile(header, options.path)) {
    printError("the header '" + header +
               "' would replace the output; choose another with -o");
    return false;
  }
  if (options.output != Output::Text)
    return true;

  llvm::StringRef stage = arguments.value("--emit");
  if (auto known = stageNamed(stage)) {
    options.lastStage = *known;
  } else if (stage == "asm") {
    options.assembly = true;
  } else if (stage == "ptx" || stage == "spirv") {
    printError("--emit=" + stage +
               " needs code for a GPU, which this version "
               "cannot make; it makes code for CPUs");
    return false;
  } else {
    printError("no stage '" + stage +
               "': --emit=nn|graph|linalg|buffers|kernels|llvm|asm");
    return false;
  }
  return true;
}

bool readTarget(const Arguments &arguments, CompileOptions &options) {
  llvm::StringRef triple = arguments.value("--target");
  if (triple == "cuda" || triple == "vulkan") {
    printError("--target=" + triple +
               ": this version makes code for x86-64 and AArch64 CPUs only "
               "(see 'cornu targets')");
    return false;
  }
  std::string error;
  auto target =
      codegen::Target::create({triple.str(), arguments.value("--mcpu").str(),
                               arguments.value("--mattr").str()},
                              error);
  if (!target) {
    printError(error);
    return false;
  }
  options.stages.target = *target;
  // Before the work, not after it.
  if (options.output == Output::Executable ||
      options.output == Output::SharedLibrary)
    return report(codegen::checkLinkable(*target));
  return true;
}

bool readOptions(const Arguments &arguments, llvm::StringRef model,
                 CompileOptions &options) {
  if (!readOutput(arguments, model, options) || !readTarget(arguments, options))
    return false;
  for (unsigned level = 0; level <= 3; ++level)
    if (arguments.has("-O" + std::to_string(level)))
      options.machine.optimizationLevel = level;
  options.machine.assembly = options.assembly;
  options.stages.inferenceOnly = arguments.has("--inference-only");
  options.stages.program = options.output == Output::Executable;
  options.stages.profile = arguments.has("--profile");
  if (arguments.has("--batch")) {
    int64_t batch = 0;
    if (arguments.value("--batch").getAsInteger(10, batch) || batch < 1 ||
        batch > (int64_t(1) << 31)) {
      printError("--batch=" + arguments.value("--batch") +
                 " is not a number of samples");
      return false;
    }
    options.stages.batch = batch;
  }
  if (arguments.has("--memory-budget")) {
    auto bytes = parseBytes(arguments.value("--memory-budget"));
    if (!bytes) {
      printError("--memory-budget=" + arguments.value("--memory-budget") +
                 " is not a number of bytes, such as 1500000 or 64M");
      return false;
    }
    if (!options.stages.batch) {
      printError("--memory-budget needs --batch=N: what a training step takes "
                 "grows with the batch");
      return false;
    }
    options.memoryBudget = *bytes;
  }
  // Before the work; the kernels' stage reads it again.
  if (arguments.has("--strategies")) {
    options.stages.strategies = arguments.value("--strategies").str();
    auto file = codegen::StrategyFile::read(options.stages.strategies);
    if (!file)
      return report(file.takeError());
    if (!report(file->checkTarget(options.stages.strategies,
                                  options.stages.target)))
      return false;
  }
  for (llvm::StringRef flag : {"--memory-report", "--report"}) {
    llvm::StringRef form = arguments.value(flag, "text");
    if (form != "text" && form != "json" && !form.empty()) {
      printError(flag + " is 'text' or 'json', not '" + form + "'");
      return false;
    }
  }
  return true;
}

/// How it was compiled, for `NAME info`.
std::string describeCompilation(const CompileOptions &options,
                                llvm::StringRef source) {
  const codegen::Target &target = options.stages.target;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::json::Value(llvm::json::Object{
      {"cornu", CORNU_VERSION},
      {"source", llvm::sys::path::filename(source)},
      {"target", target.triple.str()},
      {"cpu", target.cpu},
      {"features", target.features},
      {"optimization", int64_t(options.machine.optimizationLevel)},
      {"inference_only", options.stages.inferenceOnly}});
  return text;
}

/// What the descriptor says and only the driver knows.
void describeModel(ModuleOp module, const CompileOptions &options,
                   const frontend::ImportedModel &model,
                   llvm::StringRef source) {
  Builder b(module.getContext());
  NamedAttrList members;
  if (auto known =
          module->getAttrOfType<DictionaryAttr>(codegen::modelAttrName))
    members = NamedAttrList(known);
  // In the LLVM dialect, the functions have their names already.
  bool named = stageOf(module) == Stage::LLVM && members.get("name");
  if (options.output != Output::Text && !named)
    members.set("name", b.getStringAttr(modelName(options)));
  else if (!members.get("name"))
    members.set("name", b.getStringAttr(codegen::toCIdentifier(
                            model.name.empty() ? "model" : model.name)));
  members.set("compiled",
              b.getStringAttr(describeCompilation(options, source)));
  if (!members.get("layers")) {
    SmallVector<Attribute> rows;
    for (const frontend::LayerRow &layer : model.layers)
      rows.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("name", b.getStringAttr(layer.name)),
           b.getNamedAttr("class_name", b.getStringAttr(layer.className)),
           b.getNamedAttr("output_shape", b.getStringAttr(shapeText(layer))),
           b.getNamedAttr("parameters",
                          b.getI64IntegerAttr(layer.parameters))}));
    members.set("layers", b.getArrayAttr(rows));
  }
  module->setAttr(codegen::modelAttrName,
                  members.getDictionary(module.getContext()));
}

bool writeHeaderFile(const CompileOptions &options,
                     const codegen::ModelDescriptor &model) {
  std::string text;
  llvm::raw_string_ostream os(text);
  codegen::writeHeader(model, os);
  return report(codegen::writeFile(headerPath(options), text));
}

/// Not the number of cores here, so that files are the same from every machine;
/// several for each core of a common one, so that none waits for a large part.
constexpr unsigned maxParts = 8;

bool writeOutput(ModuleOp module, const CompileOptions &options) {
  auto model = codegen::ModelDescriptor::read(module);
  if (failed(model))
    return false;
  if (options.output == Output::Executable &&
      failed(codegen::nameProgram(module, model->name)))
    return false;
  // An object of several parts needs a linker that joins them.
  codegen::MachineCodeOptions machine = options.machine;
  const codegen::Target &target = options.stages.target;
  llvm::Error unlinkable = codegen::checkLinkable(target);
  if (options.output != Output::Object || !unlinkable)
    machine.parts = maxParts;
  llvm::consumeError(std::move(unlinkable));
  std::vector<codegen::MachineCode> code;
  if (failed(codegen::emitMachineCode(module, machine, code)))
    return false;
  switch (options.output) {
  case Output::Text:
    return report(
        codegen::writeFile(options.path, llvm::StringRef(code.front().data(),
                                                         code.front().size())));
  case Output::Executable:
    return report(
        codegen::linkExecutable(options.path, code, target, {runtimeFolder()}));
  case Output::Object:
    return report(codegen::writeObject(options.path, code, target)) &&
           writeHeaderFile(options, *model);
  case Output::StaticLibrary:
    return report(
               codegen::writeStaticLibrary(options.path, model->name, code)) &&
           writeHeaderFile(options, *model);
  case Output::SharedLibrary:
    return report(codegen::linkSharedLibrary(options.path, code, target)) &&
           writeHeaderFile(options, *model);
  }
  return false;
}

/// The reports are about scheduled kernels: what they do, and the memory that
/// they need beside the planned one. If the output is of an earlier stage, a
/// copy goes on.
LogicalResult printReports(ModuleOp module, const Arguments &arguments,
                           const CompileOptions &options) {
  if (!arguments.has("--memory-report") && !arguments.has("--report"))
    return success();
  OwningOpRef<ModuleOp> copy;
  if (options.lastStage < Stage::Kernels) {
    copy = module.clone();
    module = *copy;
  }
  if (failed(runStages(module, Stage::Kernels, options.stages)))
    return failure();
  if (arguments.has("--memory-report")) {
    auto text =
        memoryReport(module, arguments.value("--memory-report") == "json");
    if (failed(text))
      return failure();
    llvm::outs() << *text;
  }
  if (arguments.has("--report"))
    llvm::outs() << kernelReport(module, arguments.value("--report") == "json");
  llvm::outs().flush();
  return success();
}

int compile(const Arguments &arguments) {
  std::optional<std::string> source = modelPath(arguments);
  CompileOptions options;
  if (!source || !readOptions(arguments, *source, options))
    return 1;

  // Never destroyed, nor is the module: the process ends soon, and taking 10^5
  // ops apart takes as long as reading the model.
  static MLIRContext *context = makeContext().release();
  DiagnosticPrinter printer(*context, *source);
  auto model =
      loadModel(*context, arguments,
                importOptions(arguments, options.stages.inferenceOnly));
  if (!model)
    return 1;
  ModuleOp module = model->module.release();
  if (arguments.has("--strategies") && stageOf(module) >= Stage::Kernels) {
    printError("'" + *source +
               "' is past the choice of strategies: "
               "--strategies needs a model, or --emit=buffers");
    return 1;
  }
  describeModel(module, options, *model, *source);

  if (options.memoryBudget) {
    if (stageOf(module) != Stage::NN) {
      printError("'" + *source +
                 "' is past the choice of what to keep in memory: "
                 "--memory-budget needs a model, or --emit=nn");
      return 1;
    }
    if (failed(fitMemory(module, options.memoryBudget, options.stages)))
      return 1;
  }
  if (failed(printReports(module, arguments, options)))
    return 1;
  if (failed(runStages(module, options.lastStage, options.stages)) ||
      printer.anyError())
    return 1;
  if (options.output != Output::Text || options.assembly)
    return writeOutput(module, options) ? 0 : 1;
  std::string text;
  llvm::raw_string_ostream os(text);
  module.print(os);
  os << "\n";
  return report(codegen::writeFile(options.path, text)) ? 0 : 1;
}

constexpr Option options[] = {
    {"-o", "NAME", "The file to write; - is the standard output (--emit)"},
    {"-c", "", "An object file NAME.o and its C header NAME.h"},
    {"--static-lib", "[NAME.a]", "A static library and its C header"},
    {"--shared", "[NAME.so]", "A shared library and its C header"},
    {"--emit", "STAGE",
     "Stop after a stage and write its IR, which cornu-opt reads:\n"
     "nn, graph, linalg, buffers, kernels, llvm, or asm"},
    {"--weights", "FILE",
     "Weights of a .json model: .weights.h5 or .safetensors"},
    {"--optimizer", "SPEC", "Instead of the model's own: a Keras name or JSON"},
    {"--loss", "SPEC", "Likewise the loss"},
    {"--metrics", "SPEC", "Likewise the metrics"},
    {"--inference-only", "", "Leave the training code out"},
    {"--target", "TRIPLE", "The machine to make code for; this one by default"},
    {"--mcpu", "CPU",
     "native, or one that 'cornu targets' lists. Without --target the code\n"
     "is for the CPU of this machine; x86-64-v3 is portable"},
    {"--mattr", "FEATURES", "Instructions to use or not: +avx512f,-fma"},
    {"-O0", "", "Do not optimize the machine code"},
    {"-O1", "", "Optimize a little"},
    {"-O2", "", "Optimize more"},
    {"-O3", "", "Optimize (the default)"},
    {"--batch", "N", "Fix the batch size"},
    {"--memory-budget", "BYTES",
     "Train within so much memory (64M, say), state included: compute again\n"
     "what would take more; needs --batch"},
    {"--strategies", "FILE",
     "How to compute kernels, where 'cornu tune' found something faster"},
    {"--memory-report", "[json]", "Print what takes how much memory"},
    {"--report", "[json]",
     "Print the kernels of each entry: operations, bytes, strategy, layers"},
    {"--profile", "", "Make a program that 'NAME bench --profile' can watch"},
};

} // namespace

std::string shapeText(const frontend::LayerRow &layer) {
  std::string text;
  for (const std::vector<int64_t> &shape : layer.outputShapes) {
    text += text.empty() ? "(" : ", (";
    for (size_t i = 0; i < shape.size(); ++i)
      text +=
          (i ? ", " : "") + (shape[i] < 0 ? "None" : std::to_string(shape[i]));
    text += shape.size() == 1 ? ",)" : ")";
  }
  return text;
}

const Command compileCommand = {
    "compile",
    "MODEL -o NAME [options]",
    "Compiles a Keras model into a program or a library.\n"
    "MODEL is a .keras, .h5 or .json, or a .mlir from --emit. The program\n"
    "predicts, evaluates and trains. --mlir-... options and -mllvm are handed "
    "to MLIR and LLVM.",
    "  cornu compile digits.json --optimizer=adam "
    "--loss=sparse_categorical_crossentropy \\\n"
    "      --metrics=accuracy -o digits\n"
    "  ./digits fit --input x.npy --target y.npy --epochs 10",
    options,
    compile};

} // namespace cornu::tools
