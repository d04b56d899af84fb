//===- Views.h - Linear addresses of a contraction's operands ---*- C++ -*-===//
//
// Inside a nest every operand is a flat buffer and one stride per loop of the
// root, so that an address is a sum of products and neighbouring rows share
// their registers:
//
//   in[n, 2*y + ky, 2*x + kx, c] of memref<?x9x9x16xf32>
//     = buffer[base + 1296*n + 288*y + 32*x + 144*ky + 16*kx + c]
//
// Loops that every operand walks without a gap are merged: kx and c above are
// one run of 48 elements.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CONTRACTION_VIEWS_H
#define CORNU_CODEGEN_SCHEDULE_CONTRACTION_VIEWS_H

#include "codegen/schedule/IndexMath.h"
#include "codegen/strategy/ContractionForm.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace cornu::codegen {

/// An operand as a flat buffer: the element at loop indices i stands at
/// base + sum of stride[l] * i[l].
struct LinearView {
  mlir::Value buffer; ///< memref<?xT>
  mlir::Value base;
  llvm::SmallVector<mlir::OpFoldResult> strides; ///< one per loop of the root
  /// The lane's stride holds within panels of so many lanes, which are
  /// `panelDistance` elements apart; 0: everywhere.
  int64_t panelLanes = 0, panelDistance = 0;

  /// Stride of a loop, 0 for a loop that does not move the operand.
  std::optional<int64_t> stride(unsigned loop) const {
    return constantOf(strides[loop]);
  }

  /// The view of `memref` as `op` indexes it by `map`.
  static LinearView of(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value memref, mlir::AffineMap map);
};

/// One loop of the nest: a loop of the root, or several merged into one.
struct NestLoop {
  llvm::SmallVector<unsigned> loops; ///< outer to inner
  mlir::Value extent;
  int64_t step = 1; ///< of the cache block; set by blockLoops

  /// The loop whose stride is that of the merged loop.
  unsigned inner() const { return loops.back(); }
  std::optional<int64_t> staticExtent() const { return constantOf(extent); }
};

/// Merges neighbours of `loops` whose strides fit in all `operands`, whose
/// extents multiply to no more than `limit`, and that `allowed(outer, inside)`
/// lets merge.
llvm::SmallVector<NestLoop>
mergeLoops(IndexMath &math, llvm::ArrayRef<unsigned> loops,
           llvm::ArrayRef<mlir::Value> extents,
           llvm::ArrayRef<KnownStrides> operands, int64_t limit,
           llvm::function_ref<bool(unsigned, const NestLoop &)> allowed);

/// True if a copy of the region that a block reads keeps the strides of
/// `outer` and of `inside` (both whole in the block) in proportion: all
/// dimensions from that of `outer` to that of `inside` are loops of `inside`.
bool staysDense(mlir::MemRefType type, mlir::AffineMap map, unsigned outer,
                const NestLoop &inside);

/// Sets the steps such that a block has about `size` points: inner loops in
/// full, then one in part, outer ones one by one.
void blockLoops(llvm::MutableArrayRef<NestLoop> loops, int64_t size);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_VIEWS_H
