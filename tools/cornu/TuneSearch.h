//===- TuneSearch.h - Searches the strategies of a model --------*- C++ -*-===//
//
// Kernels are timed one by one, so a trial is one program in which every
// kernel has its next candidate: trials are as many as the longest list has
// candidates, not their product.
//
//   defaults  kernel_1 A   kernel_2 A   kernel_3 A        2.1  1.0  0.4 ms
//   trial 1   kernel_1 B   kernel_2 B   kernel_3 A        1.9  1.3  0.4
//   trial 2   kernel_1 C   kernel_2 C   kernel_3 A        2.2  0.9  0.4
//   trial 3   kernel_1 D (near B)   kernel_2 E (near C)   ...
//
// The defaults run again after each trial: what counts is the ratio of two
// times that were taken under the same conditions. At the end, they and the
// best three of each kernel run by turns, and a kernel keeps its default unless
// it gains by enough: of many candidates, one was lucky.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TOOLS_CORNU_TUNESEARCH_H
#define CORNU_TOOLS_CORNU_TUNESEARCH_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/OwningOpRef.h"
#include "tools/cornu/TuneProgram.h"
#include "llvm/ADT/DenseSet.h"
#include <deque>

namespace cornu::tools {

/// Strategies of the ops of a kernel.
using Choice = llvm::SmallVector<mlir::Attribute>;

struct TunedKernel {
  /// Its time is a ratio to that of the default.
  struct Tried {
    Choice choice;
    double ratio = 1;
  };

  std::string name, key;
  std::vector<std::string> layers;
  llvm::SmallVector<mlir::linalg::GenericOp> ops;
  Choice defaults;
  /// The best first; begins with the default.
  std::vector<Tried> tried;
  /// In the end.
  Choice chosen;
  double defaultSeconds = 0, chosenSeconds = 0;

  /// Left to try; those near the best if there is a new one.
  std::deque<Choice> queue;
  Choice onTrial;
  llvm::DenseSet<mlir::Attribute> seen;
  bool hasNewBest = true;
};

struct SearchOptions {
  /// Seconds; a trial and its confirmation are always made.
  double budget = 120;
  /// What a kernel must gain to leave its default, as a part of its time: more
  /// than what measurements differ by.
  double leastGain = 0.03;
};

class TuneSearch {
public:
  /// `module` is at the stage of buffers.
  TuneSearch(mlir::ModuleOp module, WorkbenchOptions options,
             SearchOptions search);

  /// Fails where the model itself cannot be compiled or run. A signal (see
  /// interrupted) ends it early.
  llvm::Error run();

  /// Kernels that leave their default.
  std::vector<const TunedKernel *> improved() const;
  const Times &timesByDefault() const { return defaultTimes; }
  const Times &timesOfChosen() const { return chosenTimes; }

private:
  void findKernels(mlir::ModuleOp module);
  llvm::Expected<codegen::TemporaryFile>
  build(llvm::function_ref<const Choice &(const TunedKernel &)> choice) const;
  llvm::Error timeDefaults();
  bool nextTrial();
  void tryOnce(unsigned number);
  llvm::Error chooseFromBest();
  llvm::Error timeByTurns(llvm::ArrayRef<codegen::TemporaryFile> programs,
                          llvm::MutableArrayRef<Times> times);
  llvm::Error timeChosen();
  void takeUnconfirmed();
  double passed() const;

  Workbench workbench;
  codegen::Target target;
  SearchOptions search;
  double start;
  /// The ops that candidates are about, with their default strategies.
  mlir::OwningOpRef<mlir::ModuleOp> decided;
  std::vector<TunedKernel> kernels;
  std::optional<codegen::TemporaryFile> defaultProgram;
  Times defaultTimes, chosenTimes;
};

/// Whether the user has asked to stop (Ctrl-C); asks for that to be noted
/// from now on instead of ending the process.
bool interrupted();
void noteInterrupts();

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_TUNESEARCH_H
