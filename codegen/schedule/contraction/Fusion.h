//===- Fusion.h - What is computed together with a contraction --*- C++ -*-===//
//
// Finds, around a root contraction on memrefs, the ops that its nest absorbs:
//
//   linalg.generic ins(%x) outs(%a)         producer: applied while copying
//   linalg.map outs(%p) { yield 0 }         padding: a zero border of the
//   memref.copy %a, subview %p[0, 1, 1, 0]    block's copy
//   linalg.fill 0 outs(%r)                  accumulators start at zero
//   linalg.generic {root} ins(%p, %w) outs(%r)
//   linalg.generic ins(%r, %bias) outs(%y)  epilogue: applied while storing
//
// Here %a, %p and %r are allocations that nobody else reads, so that none of
// them comes into being.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_SCHEDULE_CONTRACTION_FUSION_H
#define CORNU_CODEGEN_SCHEDULE_CONTRACTION_FUSION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SetVector.h"

namespace cornu::codegen {

/// Where an input of the root comes from.
struct ContractionInput {
  mlir::Value operand; ///< what the root's map indexes: the padded shape
  mlir::Value source;  ///< what is padded; `operand` where nothing is
  llvm::SmallVector<int64_t> low; ///< zeros before `source`, per dimension
  bool padded = false;
  bool computed = false; ///< `source` is the result of a producer

  bool needsCopy() const { return padded || computed; }
};

/// An elementwise op after the root, at the root's output points.
struct EpilogueOp {
  mlir::linalg::GenericOp op;
  /// For each of its loops, the dimension of the root's output it equals.
  llvm::SmallVector<unsigned> outputDims;
};

struct ContractionFusion {
  ContractionInput inputs[2]; ///< by operand number of the root
  llvm::SmallVector<EpilogueOp> epilogue;
  /// The root's output is read by the epilogue alone: it is not stored.
  bool outputUnused = false;
  /// A fill with zero goes before the root.
  bool startsAtZero = false;
  /// Memrefs that are computed where they are read, and by whom.
  llvm::DenseMap<mlir::Value, mlir::linalg::GenericOp> producers;
  /// Results of epilogue ops that only other epilogue ops read.
  llvm::DenseSet<mlir::Value> unstored;
  /// Everything that the nest replaces, the root included, in program order.
  llvm::SetVector<mlir::Operation *> absorbed;

  static ContractionFusion of(mlir::linalg::GenericOp root);

  /// The elements of `memref` from `indices` on, `width` of them along
  /// dimension `laneDim` (its last): loaded, or computed by its producer.
  mlir::Value evaluate(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value memref, mlir::ValueRange indices,
                       int laneDim, unsigned width) const;
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_SCHEDULE_CONTRACTION_FUSION_H
