//===- Views.h - Which memory a memref sees ---------------------*- C++ -*-===//

#ifndef CORNU_PASSES_BUFFER_VIEWS_H
#define CORNU_PASSES_BUFFER_VIEWS_H

#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"
#include <optional>

namespace cornu::buffer {

/// The allocation or block argument whose memory `memref` is a view of; of what
/// a loop carries, that of its first iteration.
mlir::Value rootOf(mlir::Value memref);

/// `root` and all views of it, loops' carried buffers included.
llvm::SetVector<mlir::Value> viewsOf(mlir::Value root);

/// The uses of a buffer as seen from one block: each op of the block that
/// touches it or its views, itself or in its regions.
class Accesses {
public:
  Accesses(mlir::Value root, mlir::Block *block);
  /// In the order of the block; null if there are none.
  mlir::Operation *first() const;
  mlir::Operation *last() const;

  llvm::SetVector<mlir::Operation *> ops;
};

/// True if `op`, a call of a kernel or what holds calls, may write to the
/// memory of `root`.
bool mayWrite(mlir::Operation *op, mlir::Value root,
              mlir::SymbolTable &symbols);

/// Moves what `values` are computed from before `point`, in its block, where it
/// consists of ops that `isMovable` allows; false if `values` are not known
/// there all the same.
bool moveBefore(mlir::ValueRange values, mlir::Operation *point,
                llvm::function_ref<bool(mlir::Operation *)> isMovable);

/// True if `memref` sees all of its root's elements, in the same order.
bool isWhole(mlir::Value memref);

/// The byte of the state block at which `memref`, a view of that block in an
/// entry, starts; nothing for another value.
std::optional<int64_t> stateOffset(mlir::Value memref);

/// Likewise, or of the block of gradients, which is laid out as the trainable
/// part of the state, its start.
std::optional<int64_t> parameterOffset(mlir::Value memref);

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_VIEWS_H
