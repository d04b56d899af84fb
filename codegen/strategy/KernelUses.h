//===- KernelUses.h - What kernels do with matrices -------------*- C++ -*-===//
//
//   func.func private @adam(%dw, %m, %v, %w)   one group: dw, m, v, w
//   func.func private @dense(%x, %w, %y)       w: Wants; x and y: row-major
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_KERNELUSES_H
#define CORNU_CODEGEN_STRATEGY_KERNELUSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/IntEqClasses.h"

namespace cornu::codegen {

/// What a kernel does with its arguments, or one of them.
struct Use {
  enum Kind {
    Wants, ///< a right operand that would best lie in panels
    Along, ///< a right operand that is read along its columns
    Writes ///< an output
  };
  Kind kind;
  mlir::linalg::GenericOp op;
  mlir::BlockArgument argument;
};

/// The arguments of a kernel, those that it walks together in one group.
class KernelUses {
public:
  explicit KernelUses(mlir::func::FuncOp kernel);

  unsigned groupOf(unsigned argument) const { return groups[argument]; }
  bool isRowMajor(unsigned group) const { return rowMajor.count(group); }
  /// True if all of the argument is written before any is read.
  bool overwrites(unsigned argument) const { return filled.count(argument); }
  llvm::ArrayRef<Use> uses() const { return all; }

private:
  void look(mlir::Operation *op, bool contracts);

  llvm::DenseMap<mlir::Value, unsigned>
      numbers; ///< arguments, then allocations
  llvm::IntEqClasses classes;
  llvm::SmallVector<unsigned> groups;
  llvm::DenseSet<unsigned> rowMajor, filled;
  llvm::SmallVector<unsigned> asTyped; ///< numbers of what must stay row-major
  llvm::SmallVector<Use> all;
};

/// The operand whose elements, all and in their order, `op` shows in another
/// shape; null if it does not.
mlir::Value reshaped(mlir::Operation *op);

/// The value of which `memref` is the whole, in its order.
mlir::Value wholeOf(mlir::Value memref);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_KERNELUSES_H
