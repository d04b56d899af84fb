//===- Stages.h - The way of a model through the compiler -----------------===//
//
//   StageOptions options;
//   if (failed(runStages(module, Stage::NN, Stage::LLVM, options))) ...
//
// A module says in its attribute `cornu.stage` how far it has come, so that IR
// which `--emit` printed can be compiled further.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TOOLS_CORNU_STAGES_H
#define CORNU_TOOLS_CORNU_STAGES_H

#include "codegen/target/Target.h"
#include "mlir/IR/BuiltinOps.h"

namespace cornu::tools {

/// In the order of the pipeline; the names are those of `--emit`.
enum class Stage { NN, Graph, Linalg, Buffers, Kernels, LLVM };

llvm::StringRef nameOf(Stage stage);
std::optional<Stage> stageNamed(llvm::StringRef name);
/// How far a module has come.
Stage stageOf(mlir::ModuleOp module);

struct StageOptions {
  codegen::Target target;
  bool inferenceOnly = false;
  /// Fixes the batch; 0 leaves it open.
  int64_t batch = 0;
  /// Bytes of tensors that may be alive while training; 0: no limit.
  int64_t liveBytes = 0;
  /// The module becomes a program, which takes whole training steps only.
  bool program = false;
  /// Entries call a hook before each kernel.
  bool profile = false;
  /// The file of a tuner's strategies; the defaults if empty.
  std::string strategies;
};

/// Runs what lies between the module's stage and `last`. Fails after a
/// diagnostic.
mlir::LogicalResult runStages(mlir::ModuleOp module, Stage last,
                              const StageOptions &options);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_STAGES_H
