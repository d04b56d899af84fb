//===- KernelLowering.h - One kernel on its way to linalg -------*- C++ -*-===//
//
// A kernel is lowered from its results backwards. Each nn value is either
//
//   stored    it has a tensor: an argument, or the result of a linalg op
//   lazy      it is computed where it is read: elementwise ops, and ops that
//             only move elements (transpose, slice, reverse, broadcast,
//             reshape), which become index expressions
//
// A linalg.generic is built by a Nest: its body reads values at affine
// expressions of the loops, and reading a lazy value emits its formula.
//
//   Nest nest(kernel, loc, sizes);                 // loops d0, d1
//   Value y = nest.read(value, {nest.dim(0), nest.dim(1)});
//   nest.finish({destination}, {identityMap}, ...)
//
// So a whole elementwise graph becomes one generic, with transposes and
// broadcasts in its indexing maps. Roots (contractions, reductions, windows)
// are stored; reading one lowers it first. A value that a root's operand
// needs as a tensor is stored by `tensorOf`.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_LOWER_KERNELLOWERING_H
#define CORNU_PASSES_LOWER_KERNELLOWERING_H

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"

namespace cornu::lower {

using Index = llvm::SmallVector<mlir::AffineExpr, 4>;
using Sizes = llvm::SmallVector<mlir::OpFoldResult, 4>;
using mlir::utils::IteratorType;

class KernelLowering;

//===----------------------------------------------------------------------===//
// Sites: where scalars are computed
//===----------------------------------------------------------------------===//

/// A place where elements of nn values are computed: the body of a generic, or
/// the kernel itself for values that are scalars.
class Site {
public:
  Site(KernelLowering &kernel) : kernel(kernel) {}
  virtual ~Site() = default;

  /// The element of `value` at `index`, one expression for each dimension.
  mlir::Value read(mlir::Value value, llvm::ArrayRef<mlir::AffineExpr> index);
  /// The element of a tensor that exists.
  virtual mlir::Value readTensor(mlir::Value tensor,
                                 llvm::ArrayRef<mlir::AffineExpr> index) = 0;
  /// The value of an index expression, of type index.
  virtual mlir::Value position(mlir::AffineExpr expr) = 0;
  virtual mlir::OpBuilder &body() = 0;
  /// True if a value read at `index` would be computed repeatedly, because
  /// not all loops appear in `index`.
  virtual bool repeats(llvm::ArrayRef<mlir::AffineExpr> index) = 0;

  KernelLowering &kernel;

private:
  friend class KernelLowering;
  /// The element of a value which has no tensor, by its op's formula.
  mlir::Value compute(mlir::Value value,
                      llvm::ArrayRef<mlir::AffineExpr> index);

  llvm::DenseMap<mlir::Value, llvm::SmallVector<std::pair<Index, mlir::Value>>>
      computed;
};

/// A linalg.generic under construction.
class Nest : public Site {
public:
  /// `sizes` are the trip counts of the loops.
  Nest(KernelLowering &kernel, mlir::Location loc, Sizes sizes);
  ~Nest() override;

  mlir::AffineExpr dim(unsigned i);
  mlir::AffineExpr constant(int64_t value);
  /// Expressions d_first, d_first+1, ... (`count` of them).
  Index dims(unsigned first, unsigned count);
  unsigned numLoops() const { return sizes.size(); }

  mlir::Value readTensor(mlir::Value tensor,
                         llvm::ArrayRef<mlir::AffineExpr> index) override;
  mlir::Value position(mlir::AffineExpr expr) override;
  mlir::OpBuilder &body() override { return bodyBuilder; }
  bool repeats(llvm::ArrayRef<mlir::AffineExpr> index) override;

  /// Ends the nest. `yield` computes the new elements of the destinations from
  /// their present ones. Loops that no operand shows get an operand for their
  /// sizes only.
  llvm::SmallVector<mlir::Value>
  finish(mlir::ValueRange destinations, llvm::ArrayRef<Index> outputIndices,
         llvm::ArrayRef<IteratorType> iterators,
         llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::OpBuilder &,
                                                           mlir::ValueRange)>
             yield);

private:
  mlir::Location loc;
  Sizes sizes;
  std::unique_ptr<mlir::Block> block;
  mlir::OpBuilder bodyBuilder;
  llvm::SmallVector<mlir::Value> inputs;
  llvm::SmallVector<mlir::AffineMap> maps;
};

//===----------------------------------------------------------------------===//
// The kernel
//===----------------------------------------------------------------------===//

/// The signless form of a type: ui8 becomes i8.
mlir::Type loweredType(mlir::Type type);

/// `tensor` viewed with another shape of as many elements, by a collapse and
/// an expansion at most.
mlir::Value reshapeTensor(mlir::OpBuilder &builder, mlir::Location loc,
                          mlir::Value tensor, mlir::RankedTensorType type);

/// The size of a dimension of an existing tensor.
mlir::OpFoldResult tensorSize(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value tensor, int64_t dim);

/// size * factor / divisor, exactly.
mlir::OpFoldResult scaleSize(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::OpFoldResult size, int64_t factor,
                             int64_t divisor);

/// Where a dynamic size comes from: that of another value, times `factor`,
/// divided by `divisor`.
struct SizeSource {
  mlir::Value value;
  int64_t dim, factor = 1, divisor = 1;
};
/// The source of dimension `dim` of the result of an nn op among its operands.
SizeSource sizeSource(mlir::Value value, int64_t dim);

/// Aligns the index of a broadcast result to an operand: trailing dimensions,
/// zero where the operand has size 1 and the result not.
Index alignIndex(llvm::ArrayRef<mlir::AffineExpr> index,
                 mlir::RankedTensorType result, mlir::RankedTensorType operand);

class KernelLowering {
public:
  KernelLowering(mlir::func::FuncOp kernel) : source(kernel) {}

  /// Replaces the kernel by its lowered form.
  mlir::LogicalResult run();

  mlir::OpBuilder &builder() { return *functionBuilder; }
  mlir::MLIRContext *context() { return source.getContext(); }

  /// The tensor of `value`, with its shape; lowers or computes it if needed.
  mlir::Value tensorOf(mlir::Value value);
  /// The scalar of a value of rank 0, computed at the kernel's level.
  mlir::Value scalarOf(mlir::Value value);
  /// The size of a dimension of an nn value, as an attribute if static.
  mlir::OpFoldResult sizeOf(mlir::Value value, int64_t dim);
  Sizes sizesOf(mlir::Value value);

  /// Where `value` is to be stored: the kernel's output argument if it is a
  /// result, else an empty tensor.
  mlir::Value destination(mlir::Value value);
  bool hasDestination(mlir::Value value) const {
    return destinations.count(value);
  }
  mlir::Value emptyTensor(mlir::Location loc, Sizes sizes, mlir::Type element);
  mlir::Value fill(mlir::Location loc, mlir::Value scalar, mlir::Value tensor);
  mlir::Value constant(mlir::Location loc, mlir::Type element, double value);

  /// Remembers the tensor of `value`. `dims` names the value's dimensions
  /// that the tensor has; the others have size 1.
  void store(mlir::Value value, mlir::Value tensor);
  void store(mlir::Value value, mlir::Value tensor,
             llvm::SmallVector<unsigned> dims);
  bool isStored(mlir::Value value) const { return stored.count(value); }
  /// True for values that are read from a tensor, not recomputed: stored ones,
  /// and the results of roots.
  bool isRoot(mlir::Value value);
  /// True if computing one element costs more than reading it from memory.
  bool isExpensive(mlir::Value value);

  /// Computes lazy values of one shape into tensors, by one generic.
  void storeLazy(llvm::ArrayRef<mlir::Value> values);

  // The roots, by family: each stores its result (and perhaps that of ops
  // which are best computed with it).
  void lowerReduce(nn::ReduceOp op);
  void lowerArgmax(nn::ArgmaxOp op);
  void lowerSoftmax(mlir::Operation *op, mlir::Value input, int64_t axis,
                    bool logarithm);
  void lowerContract(nn::ContractOp op);
  void lowerConvolution(nn::ConvolutionOp op);
  void lowerInputGradient(nn::ConvolutionInputGradientOp op);
  void lowerKernelGradient(nn::ConvolutionKernelGradientOp op);
  void lowerSumPool(nn::SumPoolOp op);
  void lowerSumPoolGradient(nn::SumPoolGradientOp op);
  void lowerMaxPool(nn::MaxPoolOp op);
  void lowerMaxPoolScatter(nn::MaxPoolScatterOp op);
  void lowerMaxPoolGather(nn::MaxPoolGatherOp op);
  void lowerConcatenate(nn::ConcatenateOp op);
  void lowerPad(nn::PadOp op);
  void lowerScatterAdd(nn::ScatterAddOp op);

  // Lazy formulas, by family.
  mlir::Value readReduce(Site &site, nn::ReduceOp op,
                         llvm::ArrayRef<mlir::AffineExpr> index);
  mlir::Value readReshape(Site &site, mlir::Value input,
                          mlir::RankedTensorType type,
                          llvm::ArrayRef<mlir::AffineExpr> index);

  /// Zero-pads (or cuts, where negative) the spatial dimensions of a tensor
  /// (N, spatial..., C...) by low and high amounts; `value` is the padding.
  mlir::Value padSpatial(mlir::Location loc, mlir::Value tensor,
                         llvm::ArrayRef<int64_t> low,
                         llvm::ArrayRef<int64_t> high, double value);

private:
  friend class Site;
  struct Stored {
    mlir::Value tensor;
    llvm::SmallVector<unsigned> dims;
  };

  mlir::Value readStored(Site &site, const Stored &value,
                         llvm::ArrayRef<mlir::AffineExpr> index);
  void lowerRoot(mlir::Operation *op);
  /// Lowers reductions of one space by one generic.
  void lowerReductions(llvm::ArrayRef<nn::ReduceOp> ops);
  void collectDestinations(mlir::Operation *terminator,
                           mlir::ValueRange outputs);
  mlir::LogicalResult emitResults(mlir::Operation *terminator);

  mlir::func::FuncOp source;
  std::optional<mlir::OpBuilder> functionBuilder;
  llvm::DenseMap<mlir::Value, Stored> stored;
  llvm::DenseMap<mlir::Value, mlir::Value> scalars, destinations;
  /// Lazy values that a nest is just computing into their tensors.
  llvm::DenseSet<mlir::Value> storing;
  llvm::DenseMap<std::pair<mlir::Value, mlir::Type>, mlir::Value> views;
  /// Reductions that are lowered or about to be.
  llvm::DenseSet<mlir::Operation *> reducing;
  /// Raw sums of means, before the division.
  llvm::DenseMap<mlir::Operation *, Stored> sums;
};

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

/// The formula of an elementwise op on scalars.
mlir::Value emitElementwise(mlir::OpBuilder &builder, mlir::Operation *op,
                            mlir::ValueRange operands);

/// The element of gather and random_uniform at an index.
mlir::Value readGather(Site &site, nn::GatherOp op,
                       llvm::ArrayRef<mlir::AffineExpr> index);
mlir::Value readRandomUniform(Site &site, nn::RandomUniformOp op,
                              llvm::ArrayRef<mlir::AffineExpr> index);

} // namespace cornu::lower

#endif // CORNU_PASSES_LOWER_KERNELLOWERING_H
