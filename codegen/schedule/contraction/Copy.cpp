//===- Copy.cpp - Copies of operands that a block works on ----------------===//
//
// The region of an operand that a block reads, with its zero border and its
// prologue applied:
//
//   region of in[n, y + ky, x + kx, c] for rows y in [4, 8): [1][6][w + 2][c]
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "codegen/schedule/Elementwise.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

/// Covers [low, high) with full vectors and, for the rest, smaller ones (of
/// one element where its size is not known).
void ContractionNest::forSpan(Value low, Value high,
                              llvm::function_ref<void(Value, unsigned)> body) {
  auto first = constantOf(low), last = constantOf(high);
  if (first && last) {
    int64_t size = std::max<int64_t>(*last - *first, 0);
    int64_t full = size / width * width;
    forRange(low, math.add(low, full), width,
             [&](Value at) { body(at, width); });
    int64_t at = *first + full;
    for (unsigned piece : lanePieces(size % width, width)) {
      body(math.constant(at), piece);
      at += piece;
    }
    return;
  }
  Value full = math.mul(math.div(math.sub(high, low), math.constant(width)),
                        OpFoldResult(builder.getIndexAttr(width)));
  Value middle = math.add(low, full);
  forRange(low, middle, width, [&](Value at) { body(at, width); });
  forRange(middle, high, 1, [&](Value at) { body(at, 1); });
}

LinearView ContractionNest::copyRegion(unsigned number) {
  const ContractionInput &input = fusion.inputs[number];
  auto type = cast<MemRefType>(input.operand.getType());
  auto sourceType = cast<MemRefType>(input.source.getType());
  unsigned rank = type.getRank();
  SmallVector<LinearExpr> exprs = *linearResults(maps[number]);

  // The region in the operand's dimensions.
  SmallVector<Value> starts, sizes;
  SmallVector<int64_t> largest;
  for (LinearExpr &expr : exprs) {
    Value start = math.constant(expr.constant), size = math.constant(1);
    int64_t most = 1;
    for (auto [loop, coefficient] : llvm::enumerate(expr.coefficients)) {
      if (coefficient == 0)
        continue;
      const LoopRange &range = ranges[loop];
      OpFoldResult factor = builder.getIndexAttr(coefficient);
      OpFoldResult distance = builder.getIndexAttr(std::abs(coefficient));
      Value from = range.low, reach = math.add(range.size, -1);
      if (coefficient < 0)
        from = math.add(from, reach);
      start = math.add(start, math.mul(from, factor));
      size = math.add(size, math.mul(reach, distance));
      most += std::abs(coefficient) * (range.largest - 1);
    }
    starts.push_back(start);
    sizes.push_back(size);
    largest.push_back(most);
  }
  SmallVector<int64_t> strides(rank);
  int64_t elements = 1;
  for (unsigned dim = rank; dim-- > 0;) {
    strides[dim] = elements;
    elements *= largest[dim];
  }
  // One more vector, since panels are read in full vectors.
  Value buffer = allocate(elements + width);

  // Trailing dimensions that are neighbours in memory are one row.
  SmallVector<Value> sourceExtents;
  for (unsigned dim = 0; dim < rank; ++dim)
    sourceExtents.push_back(
        sourceType.isDynamicDim(dim)
            ? Value(memref::DimOp::create(builder, loc, input.source, dim))
            : math.constant(sourceType.getDimSize(dim)));
  SmallVector<bool> padded(rank, false);
  for (unsigned dim = 0; dim < rank; ++dim)
    padded[dim] = input.padded &&
                  (input.low[dim] != 0 ||
                   type.getDimSize(dim) != sourceType.getDimSize(dim) ||
                   type.isDynamicDim(dim)) &&
                  !(input.low[dim] == 0 && type.isDynamicDim(dim) &&
                    sourceType.isDynamicDim(dim));
  SmallVector<int64_t> sourceStrides;
  int64_t sourceOffset;
  bool merge =
      !input.computed &&
      succeeded(sourceType.getStridesAndOffset(sourceStrides, sourceOffset)) &&
      sourceStrides.back() == 1;
  unsigned rowDim = rank - 1;
  int64_t run = 1; // elements per step of rowDim
  while (merge && rowDim > 0 && !padded[rowDim] &&
         constantOf(starts[rowDim]) == 0 &&
         constantOf(sizes[rowDim]) == type.getDimSize(rowDim) &&
         !ShapedType::isDynamic(sourceStrides[rowDim]) &&
         sourceStrides[rowDim - 1] ==
             sourceStrides[rowDim] * sourceType.getDimSize(rowDim)) {
    run *= type.getDimSize(rowDim);
    --rowDim;
  }
  // A row's addresses are linear in the source where rows are merged.
  LinearView flat;
  if (merge)
    flat = LinearView::of(builder, loc, input.source,
                          builder.getMultiDimIdentityMap(rank));

  SmallVector<Value> sourceIndices(rank, math.constant(0));
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(element));
  auto store = [&](Value vector, Value at) {
    if (isa<VectorType>(vector.getType()))
      vector::StoreOp::create(builder, loc, vector, buffer, ValueRange{at});
    else
      memref::StoreOp::create(builder, loc, vector, buffer, ValueRange{at});
  };
  auto zeroSpan = [&](Value target, Value low, Value high) {
    forSpan(low, high, [&](Value at, unsigned lanes) {
      store(splat(builder, loc, zero, lanes), math.add(target, at));
    });
  };
  /// The row at `target`: elements [low, high) of it come from the source,
  /// whose element for place p of the row is start + p.
  auto copySpan = [&](Value target, Value start, Value low, Value high) {
    Value base;
    if (merge) {
      base = flat.base;
      for (unsigned dim = 0; dim < rowDim; ++dim)
        base = math.add(base, math.mul(sourceIndices[dim], flat.strides[dim]));
      base = math.add(base, start);
    }
    forSpan(low, high, [&](Value at, unsigned lanes) {
      Value vector;
      if (merge) {
        Value address = math.add(base, at);
        vector = lanes == 1
                     ? memref::LoadOp::create(builder, loc, flat.buffer,
                                              ValueRange{address})
                           .getResult()
                     : vector::LoadOp::create(builder, loc,
                                              VectorType::get({lanes}, element),
                                              flat.buffer, ValueRange{address})
                           .getResult();
      } else {
        SmallVector<Value> indices = sourceIndices;
        indices[rank - 1] = math.add(start, at);
        vector = fusion.evaluate(builder, loc, input.source, indices, rank - 1,
                                 lanes);
      }
      store(vector, math.add(target, at));
    });
  };

  std::function<void(unsigned, Value, Value)> nest = [&](unsigned dim,
                                                         Value target,
                                                         Value valid) {
    OpFoldResult unit = builder.getIndexAttr(run);
    Value first = math.add(starts[dim], -input.low[dim]);
    if (dim == rowDim) {
      Value length = math.mul(sizes[dim], unit);
      Value start = math.mul(first, unit);
      auto row = [&] {
        if (!padded[dim])
          return copySpan(target, start, math.constant(0), length);
        Value none = math.constant(0);
        Value available = math.mul(sourceExtents[dim], unit);
        Value low =
            arith::MaxSIOp::create(builder, loc, math.sub(none, start), none);
        if (auto known = constantOf(start))
          low = math.constant(std::max<int64_t>(-*known, 0));
        low = math.min(low, length);
        Value high = math.min(math.sub(available, start), length);
        if (auto a = constantOf(high), b = constantOf(low); a && b)
          high = math.constant(std::max(*a, *b));
        else
          high = arith::MaxSIOp::create(builder, loc, high, low);
        zeroSpan(target, none, low);
        copySpan(target, start, low, high);
        zeroSpan(target, high, length);
      };
      if (!valid)
        return row();
      ifElse(valid, row, [&] { zeroSpan(target, math.constant(0), length); });
      return;
    }
    forRange(math.constant(0), sizes[dim], 1, [&](Value i) {
      Value index = math.add(first, i);
      sourceIndices[dim] = index;
      Value inside = valid;
      if (padded[dim]) {
        inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                       index, sourceExtents[dim]);
        if (valid)
          inside = arith::AndIOp::create(builder, loc, valid, inside);
      }
      nest(dim + 1,
           math.add(target, math.mul(i, OpFoldResult(builder.getIndexAttr(
                                            strides[dim])))),
           inside);
    });
  };
  nest(0, math.constant(0), Value());

  // The region as a view in the root's loops.
  LinearView view;
  view.buffer = buffer;
  Value base = math.constant(0);
  view.strides.assign(root.getNumLoops(), builder.getIndexAttr(0));
  SmallVector<int64_t> loopStrides(root.getNumLoops(), 0);
  for (auto [dim, expr] : llvm::enumerate(exprs)) {
    Value from = math.sub(math.constant(expr.constant), starts[dim]);
    base = math.add(
        base, math.mul(from, OpFoldResult(builder.getIndexAttr(strides[dim]))));
    for (auto [loop, coefficient] : llvm::enumerate(expr.coefficients))
      loopStrides[loop] += coefficient * strides[dim];
  }
  for (auto [loop, stride] : llvm::enumerate(loopStrides))
    view.strides[loop] = builder.getIndexAttr(stride);
  view.base = base;
  return view;
}

} // namespace cornu::codegen
