//===- BlockSlices.cpp - What a task of a kernel in blocks touches --------===//

#include "codegen/strategy/BlockSlices.h"

#include "codegen/schedule/IndexMath.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace cornu::codegen {

void BlockSlices::begin(const BlockPlace &place) {
  clear();
  for (Operation &op : kernel.getBody().front()) {
    auto alloc = dyn_cast<memref::AllocOp>(op);
    auto found = alloc ? form.buffers.find(alloc) : form.buffers.end();
    if (found == form.buffers.end() || form.paddingOf(alloc))
      continue;
    SmallVector<int64_t> shape;
    for (auto [extent, dim] :
         llvm::zip(alloc.getType().getShape(), found->second))
      if (dim.kind != BlockDim::unit)
        shape.push_back(dim.kind == BlockDim::block ? place.size : extent);
    local[alloc] = memref::AllocOp::create(
        builder, loc, MemRefType::get(shape, alloc.getType().getElementType()),
        builder.getI64IntegerAttr(64));
  }
}

Value BlockSlices::of(const BlockStage &stage, OpOperand &operand,
                      const BlockPlace &place) {
  Value whole = operand.get();
  if (Value own = local.lookup(whole))
    return own;
  SmallVector<BlockDim> dims = *form.dimsOf(stage, operand);
  if (llvm::all_of(dims, [](const BlockDim &dim) {
        return dim.kind == BlockDim::whole;
      }))
    return whole;
  for (const Slice &known : slices)
    if (known.operand == whole && known.dims == dims)
      return known.view;
  const BlockPadding *padding = form.paddingOf(whole);
  Value view =
      padding ? padded(*padding, dims, place) : slice(whole, dims, place);
  slices.push_back({whole, dims, view});
  return view;
}

/// Elements along a dimension that the windows of a block reach.
static int64_t reachOf(const BlockWindow &window, int64_t size) {
  return (size - 1) * window.stride + window.reach + 1;
}

Value BlockSlices::slice(Value operand, ArrayRef<BlockDim> dims,
                         const BlockPlace &place) {
  auto type = cast<MemRefType>(operand.getType());
  IndexMath index{builder, loc};
  SmallVector<OpFoldResult> offsets, sizes;
  SmallVector<OpFoldResult> strides(type.getRank(), builder.getIndexAttr(1));
  SmallVector<int64_t> shape;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    int64_t extent = type.getDimSize(i);
    OpFoldResult offset = builder.getIndexAttr(0);
    switch (dim.kind) {
    case BlockDim::unit:
      offsets.push_back(place.units[dim.number]);
      sizes.push_back(builder.getIndexAttr(1));
      continue;
    case BlockDim::block:
      offset = place.start;
      extent = place.size;
      break;
    case BlockDim::window:
      offset = index.mul(place.start, dim.slides.stride);
      extent = reachOf(dim.slides, place.size);
      break;
    case BlockDim::whole:
      break;
    }
    offsets.push_back(offset);
    shape.push_back(extent);
    if (ShapedType::isDynamic(extent))
      sizes.push_back(
          memref::DimOp::create(builder, loc, operand, i).getResult());
    else
      sizes.push_back(builder.getIndexAttr(extent));
  }
  MemRefType result = memref::SubViewOp::inferRankReducedResultType(
      shape, type, offsets, sizes, strides);
  return memref::SubViewOp::create(builder, loc, result, operand, offsets,
                                   sizes, strides);
}

/// The part of an input that a task's windows reach, in a buffer of its own
/// with the border that falls to it.
Value BlockSlices::padded(const BlockPadding &padding, ArrayRef<BlockDim> dims,
                          const BlockPlace &place) {
  Value buffer = memref::AllocOp(padding.buffer), source = padding.source();
  IndexMath index{builder, loc};
  auto type = cast<MemRefType>(buffer.getType());
  auto from = cast<MemRefType>(source.getType());
  SmallVector<int64_t> shape, insideShape;
  SmallVector<OpFoldResult> low, inner, offsets, sizes;
  for (auto [i, dim] : llvm::enumerate(dims)) {
    if (dim.kind == BlockDim::unit) {
      offsets.push_back(place.units[dim.number]);
      sizes.push_back(builder.getIndexAttr(1));
      continue;
    }
    int64_t extent = type.getDimSize(i), begin = padding.low(i);
    int64_t inside = from.getDimSize(i);
    OpFoldResult offset = builder.getIndexAttr(0);
    if (dim.kind == BlockDim::window) {
      extent = reachOf(dim.slides, place.size);
      if (auto start = constantOf(place.start)) {
        int64_t first = *start * dim.slides.stride - begin;
        begin = std::max<int64_t>(-first, 0);
        first = std::max<int64_t>(first, 0);
        inside = std::min(inside - first, extent - begin);
        offset = builder.getIndexAttr(first);
      } else {
        // A block that reaches no border.
        offset = index.add(index.mul(place.start, dim.slides.stride), -begin);
        begin = 0;
        inside = extent;
      }
    }
    shape.push_back(extent);
    insideShape.push_back(inside);
    low.push_back(builder.getIndexAttr(begin));
    inner.push_back(builder.getIndexAttr(inside));
    offsets.push_back(offset);
    sizes.push_back(inner.back());
  }
  auto alloc = memref::AllocOp::create(
      builder, loc, MemRefType::get(shape, type.getElementType()),
      builder.getI64IntegerAttr(64));
  IRMapping mapping;
  mapping.map(buffer, alloc.getResult());
  builder.clone(*padding.fill, mapping);
  SmallVector<OpFoldResult> ones(from.getRank(), builder.getIndexAttr(1));
  Value interior = memref::SubViewOp::create(
      builder, loc, alloc, low, inner,
      ArrayRef<OpFoldResult>(ones).take_front(shape.size()));
  Value part =
      memref::SubViewOp::create(builder, loc,
                                memref::SubViewOp::inferRankReducedResultType(
                                    insideShape, from, offsets, sizes, ones),
                                source, offsets, sizes, ones);
  memref::CopyOp::create(builder, loc, part, interior);
  return alloc;
}

} // namespace cornu::codegen
