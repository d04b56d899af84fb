//===- Outline.h - Groups of ops to kernel functions -------------*- C++
//-*-===//
//
//   %1 = nn.add %0, %b                 %2 = call @kernel_0(%0, %b)
//   %2 = nn.relu %1             ->     ...
//                                      func.func private @kernel_0(%x, %b)
//                                          attributes {nn.kernel,
//                                                      nn.layers = ["dense"]}
//
// Equal kernels are shared by all entries of the module.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_GRAPH_FUSE_OUTLINE_H
#define CORNU_PASSES_GRAPH_FUSE_OUTLINE_H

#include "passes/graph/fuse/Grouping.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

namespace cornu::graph {

class KernelTable {
public:
  explicit KernelTable(mlir::ModuleOp module) : module(module) {}

  /// The kernel equal to `kernel`, which is added or erased.
  mlir::func::FuncOp unique(mlir::func::FuncOp kernel);
  /// Takes in a kernel of the module, under the name that it has; returns the
  /// one equal to it, if it is not the first.
  mlir::func::FuncOp add(mlir::func::FuncOp kernel);

  mlir::ModuleOp module;

private:
  llvm::StringMap<mlir::func::FuncOp> kernels;
  unsigned next = 0; ///< number of a name that is free
};

/// Replaces the ops of a block by calls of kernels, in the grouping's order.
void outlineKernels(mlir::Block &block, KernelTable &table);

} // namespace cornu::graph

#endif // CORNU_PASSES_GRAPH_FUSE_OUTLINE_H
