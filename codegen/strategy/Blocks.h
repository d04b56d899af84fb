//===- Blocks.h - Kernels of several contractions, in blocks ----*- C++ -*-===//
//
// Where contractions feed each other, a task takes them all for a block of what
// they compute, so that what lies between stays in its cache:
//
//   s[b, h, q, k] += x[b, q, h, d] * y[b, k, h, d]
//   p = softmax s
//   o[b, q, h, d] += p[b, h, q, k] * v[b, k, h, d]
//
//   codegen.parallel (%task) { b, h, block of q: s[q, k] = ...; p; o[q, d] }
//
// Loops that all contractions take as their batch, and those that scale with
// the model's, are `units`: a task has one point of them. Of one more loop, the
// `block` loop, a task takes a part. Where a contraction sums over it
// (dk[b, k, h, d] += ds[b, h, q, k] * x[b, q, h, d]) a task takes its blocks
// one after another. Where it slides a window along it, as the first of
//
//   t[b, y, x, c] += padded[b, y + i, x + j, c] * w[i, j, c]
//   o[b, y, x, f] += t[b, y, x, c] * v[c, f]
//
// a task takes as many rows of the input more as the window has, and pads what
// it takes: the blocks at the border have code of their own.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_CODEGEN_STRATEGY_BLOCKS_H
#define CORNU_CODEGEN_STRATEGY_BLOCKS_H

#include "codegen/target/Target.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"

namespace cornu::codegen {

/// Along a dimension of an input, point y of the block loop reads elements
/// [stride * y, stride * y + reach].
struct BlockWindow {
  int64_t stride = 1, reach = 0;
  bool operator==(const BlockWindow &other) const {
    return stride == other.stride && reach == other.reach;
  }
};

/// A generic of the kernel, and which of its loops are units and the block
/// loop, in the same order for all.
struct BlockStage {
  mlir::linalg::GenericOp op;
  llvm::SmallVector<unsigned> units;
  std::optional<unsigned> block;

  std::optional<unsigned> unitOf(mlir::AffineExpr expr) const;
  bool isBlock(mlir::AffineExpr expr) const;
  /// How the block loop slides along a dimension of an input.
  std::optional<BlockWindow> windowOf(mlir::AffineExpr expr) const;
  /// True if the stage sums over the block loop.
  bool reducesBlock() const;
};

/// What walks a dimension of an operand.
struct BlockDim {
  enum Kind { whole, unit, block, window } kind = whole;
  unsigned number = 0; ///< of the unit
  BlockWindow slides;  ///< the window

  bool operator==(const BlockDim &other) const {
    return kind == other.kind && number == other.number &&
           slides == other.slides;
  }
};

/// A buffer that holds an input with a border around it.
struct BlockPadding {
  mlir::memref::AllocOp buffer;
  mlir::Operation *fill = nullptr;
  mlir::memref::SubViewOp interior;
  mlir::memref::CopyOp copy;

  mlir::Value source() const { return mlir::memref::CopyOp(copy).getSource(); }
  int64_t low(unsigned dim) const {
    return mlir::memref::SubViewOp(interior).getStaticOffset(dim);
  }
};

struct BlockForm {
  llvm::SmallVector<BlockStage> stages;
  /// The dimensions of each buffer that only the kernel sees.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<BlockDim>> buffers;
  llvm::SmallVector<BlockPadding> paddings;
  /// The extent of the block loop; 0 without one.
  int64_t extent = 0;
  bool isSequential = false;

  /// The form of a kernel with products, or none where they share no loops.
  static std::optional<BlockForm> of(mlir::func::FuncOp kernel);

  /// The part of the block loop that a task takes: what is between its stages
  /// stays in the second-level cache.
  int64_t chooseBlock(const Target &target) const;

  /// True if the blocks at the border, in parts of `block`, are all that reach
  /// into a padding.
  bool bordersAreBlocks(int64_t block) const;

  const BlockPadding *paddingOf(mlir::Value buffer) const;
  /// What walks the dimensions of an operand of `stage`, or none where a shared
  /// loop moves one together with another that is no window.
  std::optional<llvm::SmallVector<BlockDim>>
  dimsOf(const BlockStage &stage, mlir::OpOperand &operand) const;
};

/// Cuts a kernel of several products into blocks; false where it can't be.
bool cutIntoBlocks(mlir::RewriterBase &rewriter, mlir::func::FuncOp kernel,
                   const Target &target);

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_STRATEGY_BLOCKS_H
