//===- Model.h - The model that a subcommand works on ---------------------===//
#ifndef CORNU_TOOLS_CORNU_MODEL_H
#define CORNU_TOOLS_CORNU_MODEL_H

#include "frontend/import/Import.h"
#include "mlir/IR/MLIRContext.h"
#include "tools/cornu/Arguments.h"
#include <optional>

namespace cornu::tools {

/// Prints MLIR's diagnostics as the frontend's: file, layer's path, message.
class DiagnosticPrinter {
public:
  DiagnosticPrinter(mlir::MLIRContext &context, llvm::StringRef file);
  ~DiagnosticPrinter();
  bool anyError() const { return errors != 0; }

private:
  mlir::MLIRContext &context;
  std::string file;
  mlir::DiagnosticEngine::HandlerID handler;
  unsigned errors = 0;
};

/// A context with the compiler's dialects loaded on demand.
std::unique_ptr<mlir::MLIRContext> makeContext();

/// What --optimizer, --loss and --metrics say instead of the model.
frontend::ImportOptions importOptions(const Arguments &arguments,
                                      bool inferenceOnly);

/// Reads a model's files, or IR that `--emit` printed (.mlir: then only
/// `module` and `name` are set). Nothing after messages on stderr.
std::optional<frontend::ImportedModel>
loadModel(mlir::MLIRContext &context, const Arguments &arguments,
          const frontend::ImportOptions &options);

/// The one positional argument, the model's file; nothing after a message.
std::optional<std::string> modelPath(const Arguments &arguments);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_MODEL_H
