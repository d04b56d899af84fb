//===- Model.cpp - The model that a subcommand works on -------------------===//

#include "tools/cornu/Model.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "tools/registry/Registry.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"

using namespace mlir;

namespace cornu::tools {

namespace {

/// The layer's path, which the importer puts into a location's name.
std::string layerOf(Location loc) {
  std::string layer;
  loc->walk([&](Location inner) {
    if (auto name = dyn_cast<NameLoc>(inner); name && layer.empty())
      layer = name.getName().str();
    return layer.empty() ? WalkResult::advance() : WalkResult::interrupt();
  });
  return layer;
}

/// Line and column, where the model is a text.
std::string placeOf(Location loc) {
  std::string place;
  loc->walk([&](Location inner) {
    if (auto file = dyn_cast<FileLineColLoc>(inner); file && place.empty())
      place =
          (":" + Twine(file.getLine()) + ":" + Twine(file.getColumn())).str();
    return WalkResult::advance();
  });
  return place;
}

} // namespace

DiagnosticPrinter::DiagnosticPrinter(MLIRContext &context, llvm::StringRef file)
    : context(context), file(file.str()) {
  handler = context.getDiagEngine().registerHandler([this](Diagnostic &d) {
    llvm::raw_ostream &os = llvm::errs();
    os << this->file << placeOf(d.getLocation()) << ": ";
    switch (d.getSeverity()) {
    case DiagnosticSeverity::Error:
      ++errors;
      llvm::WithColor(os, llvm::HighlightColor::Error) << "error: ";
      break;
    case DiagnosticSeverity::Warning:
      llvm::WithColor(os, llvm::HighlightColor::Warning) << "warning: ";
      break;
    default:
      llvm::WithColor(os, llvm::HighlightColor::Note) << "note: ";
    }
    std::string layer = layerOf(d.getLocation());
    if (!layer.empty())
      os << "layer '" << layer << "': ";
    os << d.str() << "\n";
    for (Diagnostic &note : d.getNotes()) {
      os << "  ";
      llvm::WithColor(os, llvm::HighlightColor::Note) << "note: ";
      // An op's full text is for those who debug the compiler.
      std::string text = note.str();
      os << llvm::StringRef(text).take_front(2000) << "\n";
    }
    return success();
  });
}

DiagnosticPrinter::~DiagnosticPrinter() {
  context.getDiagEngine().eraseHandler(handler);
}

std::unique_ptr<MLIRContext> makeContext() {
  DialectRegistry registry;
  registerCompilerDialects(registry);
  return std::make_unique<MLIRContext>(registry);
}

std::optional<std::string> modelPath(const Arguments &arguments) {
  if (arguments.positional().size() == 1)
    return arguments.positional().front();
  printError(arguments.positional().empty()
                 ? "no model given: a .keras, .json or .h5 file"
                 : "more than one model given: '" + arguments.positional()[0] +
                       "' and '" + arguments.positional()[1] + "'");
  return std::nullopt;
}

frontend::ImportOptions importOptions(const Arguments &arguments,
                                      bool inferenceOnly) {
  frontend::ImportOptions options;
  options.optimizer = arguments.value("--optimizer").str();
  options.loss = arguments.value("--loss").str();
  options.metrics = arguments.value("--metrics").str();
  options.inferenceOnly = inferenceOnly;
  return options;
}

std::optional<frontend::ImportedModel>
loadModel(MLIRContext &context, const Arguments &arguments,
          const frontend::ImportOptions &options) {
  std::optional<std::string> path = modelPath(arguments);
  if (!path)
    return std::nullopt;
  if (llvm::sys::path::extension(*path) == ".mlir") {
    frontend::ImportedModel model;
    model.module = parseSourceFile<ModuleOp>(*path, &context);
    if (!model.module)
      return std::nullopt;
    model.name = llvm::sys::path::stem(*path).str();
    return model;
  }
  frontend::Diagnostics diagnostics(*path);
  auto archive = frontend::ModelArchive::read(
      *path, arguments.value("--weights"), diagnostics);
  std::optional<frontend::ImportedModel> model;
  if (archive)
    model = frontend::importModel(context, *archive, options, diagnostics);
  diagnostics.print(llvm::errs());
  if (diagnostics.hasErrors() || !model || !model->module)
    return std::nullopt;
  return model;
}

} // namespace cornu::tools
