//===- StrategyFile.h - Strategies that a tuner found -----------*- C++ -*-===//
//
//   {
//     "cornu_strategies": 1,
//     "target": {"triple": "x86_64-unknown-linux-gnu", "cpu": "znver4",
//                "features": ""},
//     "kernels": [{"key": "8f0c6d1be1a2743c", "layers": ["conv2d_1"],
//                  "default_ms": 1.31, "ms": 1.08,
//                  "default": ["#codegen.contraction<mr = 6, ...>"],
//                  "strategies": ["#codegen.contraction<mr = 14, ...>"]}]
//   }
//
// Only `target`, `key` and `strategies` are read; the rest is for people.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_STRATEGYFILE_H
#define CORNU_CODEGEN_STRATEGY_STRATEGYFILE_H

#include "codegen/target/Target.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace cornu::codegen {

struct StrategyFile {
  struct Kernel {
    std::string key; ///< kernelKey()
    /// Attributes as MLIR prints them, in the order of the kernel's ops.
    std::vector<std::string> strategies;
    // For people.
    std::vector<std::string> layers, defaults;
    double defaultSeconds = 0, seconds = 0;
  };
  /// The time of a run of an entry.
  struct Entry {
    std::string name; ///< "predict", "train_step"
    int64_t batch = 0, threads = 0;
    double defaultSeconds = 0, seconds = 0;
  };

  std::string triple, cpu, features;
  std::string model; ///< for people
  std::vector<Entry> entries;
  std::vector<Kernel> kernels;

  /// The error says the file, and the line or the JSON pointer.
  static llvm::Expected<StrategyFile> read(llvm::StringRef path);
  std::string text() const;

  /// An error that names both if the strategies are for another machine.
  llvm::Error checkTarget(llvm::StringRef path, const Target &target) const;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_STRATEGYFILE_H
