//===- BatchMultiple.cpp - Sizes as multiples of the batch ----------------===//

#include "passes/buffer/BatchMultiple.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

#include <numeric>

using namespace mlir;

namespace cornu::buffer {

using Multiple = std::optional<BatchMultiple>;

Multiple multiply(Multiple a, Multiple b) {
  if (!a || !b || (a->scales && b->scales))
    return std::nullopt;
  BatchMultiple result{a->numerator * b->numerator,
                       a->denominator * b->denominator, a->scales || b->scales};
  int64_t common = std::gcd(result.numerator, result.denominator);
  if (common > 1) {
    result.numerator /= common;
    result.denominator /= common;
  }
  return result;
}

/// The size of a dimension of a buffer, through its views.
static Multiple sizeOf(Value memref, int64_t dim,
                       const ArgumentSize &argumentSize) {
  auto recurse = [&](Value source, int64_t d) {
    return sizeOf(source, d, argumentSize);
  };
  auto known = [&](OpFoldResult size) {
    return batchMultiple(size, argumentSize);
  };
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dim))
    return BatchMultiple{type.getDimSize(dim)};
  if (auto argument = dyn_cast<BlockArgument>(memref)) {
    if (auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp()))
      return recurse(loop.getTiedLoopInit(argument)->get(), dim);
    return argumentSize(argument, dim);
  }
  Operation *op = memref.getDefiningOp();
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return recurse(loop.getInitArgs()[cast<OpResult>(memref).getResultNumber()],
                   dim);
  if (auto alloc = dyn_cast<memref::AllocOp>(op))
    return known(alloc.getMixedSizes()[dim]);
  if (auto view = dyn_cast<memref::ViewOp>(op))
    return known(view.getSizes()[type.getDynamicDimIndex(dim)]);
  if (auto cast = dyn_cast<memref::CastOp>(op))
    return recurse(cast.getSource(), dim);
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(op))
    return known(expand.getMixedOutputShape()[dim]);
  if (auto reinterpret = dyn_cast<memref::ReinterpretCastOp>(op))
    return known(reinterpret.getMixedSizes()[dim]);
  if (auto subview = dyn_cast<memref::SubViewOp>(op)) {
    llvm::SmallBitVector dropped = subview.getDroppedDims();
    for (auto [i, size] : llvm::enumerate(subview.getMixedSizes()))
      if (!dropped.test(i) && dim-- == 0)
        return known(size);
  }
  if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op)) {
    Multiple product = BatchMultiple{};
    // A copy: the list it is an element of is a temporary.
    ReassociationIndices group = collapse.getReassociationIndices()[dim];
    for (int64_t from : group)
      product = multiply(product, recurse(collapse.getSrc(), from));
    return product;
  }
  return std::nullopt;
}

std::optional<BatchMultiple> batchMultiple(OpFoldResult size,
                                           const ArgumentSize &argumentSize) {
  if (std::optional<int64_t> constant = getConstantIntValue(size))
    return BatchMultiple{*constant};
  Operation *op = cast<Value>(size).getDefiningOp();
  if (auto dim = dyn_cast_or_null<memref::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    return index ? sizeOf(dim.getSource(), *index, argumentSize) : std::nullopt;
  }
  if (auto product = dyn_cast_or_null<arith::MulIOp>(op))
    return multiply(batchMultiple(product.getLhs(), argumentSize),
                    batchMultiple(product.getRhs(), argumentSize));
  if (isa_and_nonnull<arith::DivUIOp, arith::DivSIOp>(op)) {
    Multiple divisor = batchMultiple(op->getOperand(1), argumentSize);
    if (divisor && !divisor->scales && divisor->numerator != 0)
      return multiply(batchMultiple(op->getOperand(0), argumentSize),
                      BatchMultiple{divisor->denominator, divisor->numerator});
  }
  return std::nullopt;
}

/// An entry's arguments lead with the batch.
static Multiple entryArgumentSize(BlockArgument, int64_t dim) {
  if (dim == 0)
    return BatchMultiple{1, 1, true};
  return std::nullopt;
}

std::optional<BatchMultiple> batchMultiple(OpFoldResult size) {
  return batchMultiple(size, entryArgumentSize);
}

std::optional<BatchMultiple> batchMultiple(Value memref, int64_t dim) {
  return sizeOf(memref, dim, entryArgumentSize);
}

std::optional<BatchMultiple> batchMultiple(Value memref, int64_t dim,
                                           const ArgumentSize &argumentSize) {
  return sizeOf(memref, dim, argumentSize);
}

} // namespace cornu::buffer
