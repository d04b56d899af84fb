//===- Lower.h - nn kernels to linalg on tensors ----------------*- C++ -*-===//
//
// The second half of the way from mathematics to loops: fusion has cut the
// model into kernels, lowering says with linalg what each of them computes.
//
//   func.func private @kernel_0(%x: tensor<?x8xf32>) -> tensor<?x8xf32>
//       attributes {nn.kernel} {
//     %0 = nn.relu %x : tensor<?x8xf32>
//     return %0 : tensor<?x8xf32>
//   }
// becomes
//   func.func private @kernel_0(%x: tensor<?x8xf32>, %out: tensor<?x8xf32>)
//       -> tensor<?x8xf32> attributes {nn.kernel} {
//     %0 = linalg.generic ... ins(%x) outs(%out) { arith.maximumf ... }
//     return %0 : tensor<?x8xf32>
//   }
//
// Kernels get destination style: one `%out` argument per result. Functions
// without `nn.kernel` are entries: their variables become arguments and
// results, their scans loops.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_LOWER_LOWER_H
#define CORNU_PASSES_LOWER_LOWER_H

#include "llvm/ADT/StringRef.h"
#include <memory>

namespace mlir {
class OpPassManager;
class Pass;
} // namespace mlir

namespace cornu::lower {

/// Marks the functions that fusion has outlined.
inline constexpr llvm::StringLiteral kKernelAttr = "nn.kernel";
/// On an argument or a result of a lowered entry: the variable it holds.
inline constexpr llvm::StringLiteral kVariableAttr = "nn.variable";
/// On an argument or result whose integers are unsigned (they are signless
/// after lowering).
inline constexpr llvm::StringLiteral kUnsignedAttr = "nn.unsigned";

/// Gives the batch the size `batch`: replaces `?` in all types of the
/// functions. To be run before fusion.
std::unique_ptr<mlir::Pass> createFixBatchPass(int64_t batch = 0);
/// Makes a kernel of every op outside of kernels that is left after fusion.
std::unique_ptr<mlir::Pass> createOutlineRemainingPass();
/// Kernels to linalg in destination style; in entries, variables to arguments
/// and results, and scans to loops.
std::unique_ptr<mlir::Pass> createLowerToLinalgPass();

/// The whole stage, `nn-lower`.
void buildLowerPipeline(mlir::OpPassManager &manager);

/// Registers the passes and the pipeline for cornu-opt.
void registerLowerPasses();

} // namespace cornu::lower

#endif // CORNU_PASSES_LOWER_LOWER_H
