//===- Target.h - Facts about the machine that code is made for -----------===//
//
// A Target says what strategy and emission need to know about a processor: its
// registers, vector width, fused multiply-add, caches and cores.
//
//   Target target = *Target::create(options, error);   // --target --mcpu
//   --mattr target.attachTo(module);                           //
//   codegen.target = {...}
//   ...
//   Target target = Target::of(op);                    // in any later pass
//
// The facts travel as the attribute `codegen.target` of the module, so that a
// pass under cornu-opt sees the same machine as one under the driver:
//
//   module attributes {codegen.target = {triple = "x86_64-linux-gnu",
//                                        cpu = "znver3", features = ""}} {...}
//
// A module without the attribute is compiled for `x86-64-v3`, so that tests
// give the same IR on every machine.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_TARGET_TARGET_H
#define CORNU_CODEGEN_TARGET_TARGET_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/TargetParser/Triple.h"
#include <memory>
#include <optional>
#include <string>

namespace llvm {
class TargetMachine;
class raw_ostream;
} // namespace llvm

namespace cornu::codegen {

/// What the user says about the target; empty strings mean the host's.
struct TargetOptions {
  std::string triple;
  /// `native`, or a name that LLVM knows: `x86-64-v3`, `znver3`, `cortex-a72`.
  std::string cpu;
  /// Features on top of the CPU's, as in `+avx512f,-fma`.
  std::string features;
};

struct Target {
  llvm::Triple triple;
  std::string cpu;
  std::string features;

  /// Width of a vector register in bits.
  unsigned vectorBits = 128;
  /// Architectural vector registers: the accumulators of a register tile, its
  /// panel vectors and broadcasts must fit.
  unsigned vectorRegisters = 16;
  /// Vector multiply-adds in one instruction.
  bool fma = false;
  /// Vector multiply-adds started per cycle, and cycles until the result is
  /// there: a register tile needs ports * latency independent accumulators.
  unsigned fmaPorts = 2;
  unsigned fmaLatency = 4;
  /// Bytes of data cache that one core may fill. The third level is shared,
  /// this is a core's part; 0 where there is none.
  int64_t l1Bytes = 32 << 10;
  int64_t l2Bytes = 256 << 10;
  int64_t l3Bytes = 2 << 20;
  int64_t cacheLineBytes = 64;
  /// Cores of the host, 1 for a machine that is not the host. A hint for costs
  /// only: the cut of the work never depends on it.
  unsigned cores = 1;

  /// Elements of a type of `bits` bits in a vector register.
  unsigned lanes(unsigned bits = 32) const { return vectorBits / bits; }
  /// Operations on floats of `bits` bits that a core's multiply-adds do in a
  /// cycle.
  int64_t flopsPerCycle(unsigned bits = 32) const {
    return int64_t(fma ? 2 : 1) * fmaPorts * std::max(lanes(bits), 1u);
  }
  bool isX86() const { return triple.isX86(); }
  bool isAArch64() const { return triple.isAArch64(); }
  /// True if the vectors are SVE's, of a known length, and not NEON's.
  bool usesSve() const { return isAArch64() && vectorBits > 128; }
  /// True if the CPU has the feature (`avx2`, `sve`) by LLVM's name.
  bool has(llvm::StringRef feature) const;

  /// The target the options describe; on failure `error` says what is wrong
  /// and what would work.
  static std::optional<Target> create(const TargetOptions &options,
                                      std::string &error);
  /// The target of the module that holds `op`.
  static Target of(mlir::Operation *op);
  void attachTo(mlir::ModuleOp module) const;

  /// LLVM's code generator for this target, position independent.
  std::unique_ptr<llvm::TargetMachine>
  createMachine(unsigned optimizationLevel) const;
};

/// Prints the architectures, their known CPUs and the host, for
/// `cornu targets`.
void printTargets(llvm::raw_ostream &os);

/// Pass `codegen-set-target`: attaches a target to the module.
void registerTargetPasses();

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_TARGET_TARGET_H
