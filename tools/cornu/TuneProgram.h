//===- TuneProgram.h - Programs that a tuner times --------------*- C++ -*-===//
//
//   Workbench bench(module, options);              // at the stage of buffers
//   auto program = bench.build([&](func::FuncOp kernel) { ...give... });
//   Times times;
//   bench.run(*program, times);                    // adds a run to `times`
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TOOLS_CORNU_TUNEPROGRAM_H
#define CORNU_TOOLS_CORNU_TUNEPROGRAM_H

#include "codegen/emit/OutputFile.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "tools/cornu/Stages.h"
#include "llvm/ADT/StringMap.h"

namespace cornu::tools {

/// Seconds, each the least that was seen: what other programs add is not the
/// model's.
struct Times {
  /// Of all calls of a kernel in a run, by the mode of `bench` and the kernel's
  /// name: "train kernel_3".
  llvm::StringMap<double> kernels;

  /// Of a kernel in a run of each mode; 0 if nobody calls it.
  double ofKernel(llvm::StringRef name) const;
  /// Of all kernels in a run.
  double ofMode(llvm::StringRef mode) const;
  double total() const;
};

struct WorkbenchOptions {
  StageOptions stages;
  /// Of a run's batch; 0 leaves both to the program.
  int64_t batch = 0, threads = 0;
  /// How long an entry runs, without and then with marks of its kernels. One
  /// that is slow gets up to ten times as long for ten runs, and then five.
  double seconds = 0.3;
  /// Of `bench`.
  llvm::SmallVector<llvm::StringRef> modes;
};

class Workbench {
public:
  Workbench(mlir::ModuleOp module, WorkbenchOptions options)
      : module(module), options(std::move(options)) {}

  /// The program whose kernels `give` has given strategies to.
  llvm::Expected<codegen::TemporaryFile>
  build(llvm::function_ref<void(mlir::func::FuncOp)> give) const;

  llvm::ArrayRef<llvm::StringRef> modes() const { return options.modes; }
  void setSeconds(double seconds) { options.seconds = seconds; }

  /// Runs the program in all modes.
  llvm::Error run(const codegen::TemporaryFile &program, Times &times) const;

private:
  llvm::Error runMode(const codegen::TemporaryFile &program,
                      llvm::StringRef mode, Times &times) const;

  mlir::ModuleOp module;
  WorkbenchOptions options;
};

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_TUNEPROGRAM_H
