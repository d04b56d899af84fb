//===- BlockSlices.h - What a task of a kernel in blocks touches *- C++ -*-===//
//
//   %x: memref<?x128x4x64xf32>    at unit (%b, %h), rows 64 to 128 of the block
//   -> memref.subview %x[%b, 64, %h, 0] [1, 64, 1, 64] : memref<64x64xf32, ...>
//
// Buffers between the stages are new ones of that size.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_BLOCKSLICES_H
#define CORNU_CODEGEN_STRATEGY_BLOCKSLICES_H

#include "codegen/strategy/Blocks.h"

namespace cornu::codegen {

/// Where a task is: a point of the units, and a part of the block loop.
struct BlockPlace {
  llvm::SmallVector<mlir::Value> units;
  mlir::Value start; ///< of the block; null without one
  int64_t size = 0;
};

class BlockSlices {
public:
  BlockSlices(mlir::OpBuilder &builder, mlir::func::FuncOp kernel,
              const BlockForm &form)
      : builder(builder), kernel(kernel), form(form), loc(kernel.getLoc()) {}

  /// Allocates what lies between the stages, for a place.
  void begin(const BlockPlace &place);
  /// Forgets the last place.
  void clear() {
    local.clear();
    slices.clear();
  }
  /// The part of an operand of `stage` at that place; dimensions of units are
  /// gone. All that touch the same part get the same value: it tells who reads
  /// what another has written.
  mlir::Value of(const BlockStage &stage, mlir::OpOperand &operand,
                 const BlockPlace &place);

private:
  struct Slice {
    mlir::Value operand;
    llvm::SmallVector<BlockDim> dims;
    mlir::Value view;
  };

  mlir::Value slice(mlir::Value operand, llvm::ArrayRef<BlockDim> dims,
                    const BlockPlace &place);
  mlir::Value padded(const BlockPadding &padding, llvm::ArrayRef<BlockDim> dims,
                     const BlockPlace &place);

  mlir::OpBuilder &builder;
  mlir::func::FuncOp kernel;
  const BlockForm &form;
  mlir::Location loc;
  llvm::DenseMap<mlir::Value, mlir::Value> local; ///< of private buffers
  llvm::SmallVector<Slice> slices;                ///< of all others
};

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_BLOCKSLICES_H
