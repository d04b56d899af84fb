//===- Shape.cpp - Views, sizes and ops that move elements ----------------===//
//
// Reshapes become collapses and expansions of tensors; pads and concatenations
// that are results write each part into a slice of the destination:
//
//   %0 = tensor.extract_slice %out[0, 0] [%n, 2] [1, 1]
//   %1 = linalg.generic ... ins(%a) outs(%0)
//   %2 = tensor.insert_slice %1 into %out[0, 0] [%n, 2] [1, 1]
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

Index alignIndex(ArrayRef<AffineExpr> index, RankedTensorType result,
                 RankedTensorType operand) {
  int64_t missing = result.getRank() - operand.getRank();
  Index aligned;
  for (int64_t i = 0; i < operand.getRank(); ++i) {
    bool repeated =
        operand.getDimSize(i) == 1 && result.getDimSize(missing + i) != 1;
    aligned.push_back(repeated ? getAffineConstantExpr(0, result.getContext())
                               : index[missing + i]);
  }
  return aligned;
}

//===----------------------------------------------------------------------===//
// Views
//===----------------------------------------------------------------------===//

OpFoldResult tensorSize(OpBuilder &builder, Location loc, Value tensor,
                        int64_t dim) {
  RankedTensorType type = tensorType(tensor);
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  return tensor::DimOp::create(builder, loc, tensor, dim).getResult();
}

OpFoldResult scaleSize(OpBuilder &builder, Location loc, OpFoldResult size,
                       int64_t factor, int64_t divisor) {
  int64_t common = std::gcd(factor, divisor);
  factor /= common;
  divisor /= common;
  if (std::optional<int64_t> known = getConstantIntValue(size))
    return builder.getIndexAttr(*known * factor / divisor);
  Value value = cast<Value>(size);
  if (factor != 1)
    value = arith::MulIOp::create(
        builder, loc, value,
        arith::ConstantIndexOp::create(builder, loc, factor));
  if (divisor != 1)
    value = arith::DivUIOp::create(
        builder, loc, value,
        arith::ConstantIndexOp::create(builder, loc, divisor));
  return value;
}

namespace {
/// Groups of neighbouring dimensions of two shapes with as many elements.
struct Grouping {
  SmallVector<ReassociationIndices> from, to;
};
} // namespace

/// Cuts both shapes, from the last dimension on, wherever the products of the
/// sizes agree. A dynamic size closes the last (leading) group.
static Grouping groupDimensions(ArrayRef<int64_t> from, ArrayRef<int64_t> to) {
  Grouping groups;
  int64_t i = from.size(), j = to.size();
  while (i > 0 && j > 0) {
    ReassociationIndices left{--i}, right{--j};
    int64_t p = from[i], q = to[j];
    while (p != q || ShapedType::isDynamic(p)) {
      if (ShapedType::isDynamic(p) || ShapedType::isDynamic(q)) {
        while (i > 0)
          left.insert(left.begin(), --i);
        while (j > 0)
          right.insert(right.begin(), --j);
        break;
      }
      if (p < q) {
        left.insert(left.begin(), --i);
        p = ShapedType::isDynamic(from[i]) ? ShapedType::kDynamic : p * from[i];
      } else {
        right.insert(right.begin(), --j);
        q = ShapedType::isDynamic(to[j]) ? ShapedType::kDynamic : q * to[j];
      }
    }
    groups.from.insert(groups.from.begin(), left);
    groups.to.insert(groups.to.begin(), right);
  }
  // Leading sizes of 1 on one side.
  while (i > 0 && !groups.from.empty())
    groups.from.front().insert(groups.from.front().begin(), --i);
  while (j > 0 && !groups.to.empty())
    groups.to.front().insert(groups.to.front().begin(), --j);
  return groups;
}

static int64_t product(ArrayRef<int64_t> shape,
                       const ReassociationIndices &dims, bool &dynamic) {
  int64_t count = 1;
  dynamic = false;
  for (int64_t dim : dims) {
    if (ShapedType::isDynamic(shape[dim]))
      dynamic = true;
    else
      count *= shape[dim];
  }
  return count;
}

Value reshapeTensor(OpBuilder &builder, Location loc, Value tensor,
                    RankedTensorType type) {
  RankedTensorType from = tensorType(tensor);
  if (from == type)
    return tensor;
  Type element = type.getElementType();
  Grouping groups = groupDimensions(from.getShape(), type.getShape());

  bool dynamic;
  Shape middle;
  for (const ReassociationIndices &dims : groups.from) {
    int64_t count = product(from.getShape(), dims, dynamic);
    middle.push_back(dynamic ? ShapedType::kDynamic : count);
  }
  auto middleType = RankedTensorType::get(middle, element);
  if (middleType != from)
    tensor = tensor::CollapseShapeOp::create(builder, loc, middleType, tensor,
                                             groups.from);
  if (middleType == type)
    return tensor;

  Sizes sizes(type.getRank());
  for (auto [group, dims] : llvm::enumerate(groups.to)) {
    int64_t count = product(type.getShape(), dims, dynamic);
    for (int64_t dim : dims)
      sizes[dim] =
          type.isDynamicDim(dim)
              ? scaleSize(builder, loc, tensorSize(builder, loc, tensor, group),
                          1, count)
              : OpFoldResult(builder.getIndexAttr(type.getDimSize(dim)));
  }
  if (groups.to.empty()) // From a scalar.
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      sizes[dim] = builder.getIndexAttr(1);
  return tensor::ExpandShapeOp::create(builder, loc, type, tensor, groups.to,
                                       sizes);
}

Value KernelLowering::readReshape(Site &site, Value input,
                                  RankedTensorType type,
                                  ArrayRef<AffineExpr> index) {
  RankedTensorType from = tensorType(input);
  if (from.getShape() == type.getShape())
    return site.read(input, index);
  Index zeros(from.getRank(), getAffineConstantExpr(0, context()));
  if (from.hasStaticShape() && from.getNumElements() == 1)
    return site.read(input, zeros);

  // Only sizes of 1 come and go: the other dimensions keep their index.
  auto large = [](int64_t size) { return size != 1; };
  if (llvm::to_vector(llvm::make_filter_range(from.getShape(), large)) ==
          llvm::to_vector(llvm::make_filter_range(type.getShape(), large)) &&
      from.getNumDynamicDims() <= 1) {
    Index moved(zeros);
    int64_t next = 0;
    for (auto [i, size] : llvm::enumerate(type.getShape())) {
      if (size == 1)
        continue;
      while (from.getDimSize(next) == 1)
        ++next;
      moved[next++] = index[i];
    }
    return site.read(input, moved);
  }

  if (!isStored(input) && !isRoot(input) && !hasDestination(input)) {
    Operation *op = input.getDefiningOp();
    if (auto inner = dyn_cast<ReshapeOp>(op))
      return readReshape(site, inner.getInput(), type, index);
    if (auto constant = dyn_cast<ConstantOp>(op);
        constant && isa<SplatElementsAttr>(constant.getValue()))
      return site.read(input, zeros);
    // Elementwise ops on operands of the same shape do not care about it.
    bool sameShape = llvm::all_of(op->getOperands(), [&](Value operand) {
      RankedTensorType operandType = tensorType(operand);
      return operandType.getShape() == from.getShape() ||
             (operandType.hasStaticShape() &&
              operandType.getNumElements() == 1);
    });
    if (isElementwise(op) && sameShape) {
      SmallVector<Value> operands;
      for (Value operand : op->getOperands())
        operands.push_back(
            readReshape(site, operand,
                        RankedTensorType::get(
                            tensorType(operand).getShape() == from.getShape()
                                ? type.getShape()
                                : tensorType(operand).getShape(),
                            elementType(operand)),
                        tensorType(operand).getShape() == from.getShape()
                            ? Index(index)
                            : Index(tensorType(operand).getRank(),
                                    getAffineConstantExpr(0, context()))));
      return emitElementwise(site.body(), op, operands);
    }
  }

  auto viewType = RankedTensorType::get(type.getShape(),
                                        loweredType(type.getElementType()));
  Value &view = views[{input, viewType}];
  if (!view) {
    Value tensor = tensorOf(input);
    view = reshapeTensor(builder(), input.getLoc(), tensor, viewType);
  }
  return site.readTensor(view, index);
}

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

Sizes KernelLowering::sizesOf(Value value) {
  Sizes sizes;
  for (int64_t dim = 0; dim < tensorType(value).getRank(); ++dim)
    sizes.push_back(sizeOf(value, dim));
  return sizes;
}

OpFoldResult KernelLowering::sizeOf(Value value, int64_t dim) {
  RankedTensorType type = tensorType(value);
  if (!type.isDynamicDim(dim))
    return builder().getIndexAttr(type.getDimSize(dim));
  auto found = stored.find(value);
  if (found != stored.end()) {
    const Stored &known = found->second;
    auto position = llvm::find(known.dims, dim) - known.dims.begin();
    return tensorSize(builder(), value.getLoc(), known.tensor, position);
  }
  SizeSource from = sizeSource(value, dim);
  return scaleSize(builder(), value.getLoc(), sizeOf(from.value, from.dim),
                   from.factor, from.divisor);
}

SizeSource sizeSource(Value value, int64_t dim) {
  RankedTensorType type = tensorType(value);
  // The dimension before a reduction that became `dim`.
  auto unreduced = [&](Value input, ArrayRef<int64_t> axes, bool keep) {
    if (keep)
      return SizeSource{input, dim};
    int64_t position = 0;
    for (int64_t seen = 0;; ++position)
      if (!llvm::is_contained(axes, position) && seen++ == dim)
        return SizeSource{input, position};
  };
  return llvm::TypeSwitch<Operation *, SizeSource>(value.getDefiningOp())
      .Case([&](ContractOp op) {
        char label = op.getResultLabels()[dim];
        size_t left = op.getLhsLabels().find(label);
        if (left != StringRef::npos)
          return SizeSource{op.getLhs(), static_cast<int64_t>(left)};
        return SizeSource{op.getRhs(),
                          static_cast<int64_t>(op.getRhsLabels().find(label))};
      })
      .Case([&](TransposeOp op) {
        return SizeSource{op.getInput(), op.getPermutation()[dim]};
      })
      .Case([&](ReduceOp op) {
        return unreduced(op.getInput(), op.getAxes(), op.getKeepAxes());
      })
      .Case([&](ArgmaxOp op) {
        return unreduced(op.getInput(), {static_cast<int64_t>(op.getAxis())},
                         false);
      })
      .Case([&](BroadcastOp op) {
        RankedTensorType input = tensorType(op.getInput());
        int64_t aligned = dim - (type.getRank() - input.getRank());
        if (aligned >= 0 && input.isDynamicDim(aligned))
          return SizeSource{op.getInput(), aligned};
        return SizeSource{op.getLike(), 0};
      })
      .Case([&](ReshapeOp op) {
        SizeSource source{op.getInput(), 0};
        for (auto [i, size] :
             llvm::enumerate(tensorType(op.getInput()).getShape()))
          if (ShapedType::isDynamic(size))
            source.dim = i;
          else
            source.factor *= size;
        for (int64_t size : type.getShape())
          source.divisor *= ShapedType::isDynamic(size) ? 1 : size;
        return source;
      })
      .Case([&](GatherOp op) { return SizeSource{op.getIndices(), dim}; })
      .Case([&](RandomUniformOp op) { return SizeSource{op.getLike(), 0}; })
      .Default([&](Operation *op) {
        // Elementwise ops broadcast; all others keep the leading dimension.
        for (Value operand : op->getOperands()) {
          RankedTensorType input = tensorType(operand);
          int64_t aligned = dim;
          if (isElementwise(op))
            aligned -= type.getRank() - input.getRank();
          if (aligned >= 0 && aligned < input.getRank() &&
              input.isDynamicDim(aligned))
            return SizeSource{operand, aligned};
        }
        llvm_unreachable("a dynamic size comes from an operand");
      });
}

//===----------------------------------------------------------------------===//
// Pad and concatenate
//===----------------------------------------------------------------------===//

namespace {
/// A rectangular, perhaps strided part of a tensor.
struct Part {
  SmallVector<OpFoldResult> offsets, sizes, strides;
};
} // namespace

static Part wholeOf(OpBuilder &builder, const Sizes &sizes) {
  Part part;
  part.sizes.assign(sizes.begin(), sizes.end());
  part.offsets.assign(sizes.size(), builder.getIndexAttr(0));
  part.strides.assign(sizes.size(), builder.getIndexAttr(1));
  return part;
}

/// Fills the part by `write`, which receives and returns its tensor.
static Value writePart(OpBuilder &builder, Location loc, Value tensor,
                       const Part &part,
                       llvm::function_ref<Value(Value)> write) {
  Value slice = tensor::ExtractSliceOp::create(
      builder, loc, tensor, part.offsets, part.sizes, part.strides);
  Value written = write(slice);
  return tensor::InsertSliceOp::create(builder, loc, written, tensor,
                                       part.offsets, part.sizes, part.strides);
}

/// Computes all elements of `value` into `tensor`.
static Value writeValue(KernelLowering &kernel, Value value, Value tensor) {
  Nest nest(kernel, value.getLoc(), kernel.sizesOf(value));
  Index index = nest.dims(0, nest.numLoops());
  Value element = nest.read(value, index);
  SmallVector<IteratorType> iterators(nest.numLoops(), IteratorType::parallel);
  return nest.finish(tensor, index, iterators, [&](OpBuilder &, ValueRange) {
    return SmallVector<Value>{element};
  })[0];
}

void KernelLowering::lowerConcatenate(ConcatenateOp op) {
  // Roots among the inputs need their tensors first.
  for (Value input : op.getInputs())
    if (isRoot(input))
      (void)tensorOf(input);
  Value tensor = destination(op);
  int64_t axis = op.getAxis(), offset = 0;
  for (Value input : op.getInputs()) {
    Part part = wholeOf(builder(), sizesOf(input));
    part.offsets[axis] = builder().getIndexAttr(offset);
    offset += tensorType(input).getDimSize(axis);
    tensor = writePart(builder(), op.getLoc(), tensor, part, [&](Value slice) {
      return writeValue(*this, input, slice);
    });
  }
  store(op, tensor);
}

void KernelLowering::lowerPad(PadOp op) {
  Location loc = op.getLoc();
  if (isRoot(op.getInput()))
    (void)tensorOf(op.getInput());
  Value number =
      constant(loc, elementType(op), op.getValueAttr().getValueAsDouble());
  Value tensor = destination(op);
  Sizes sizes = sizesOf(op), inner = sizesOf(op.getInput());
  auto attr = [&](int64_t size) { return builder().getIndexAttr(size); };
  auto fillPart = [&](const Part &part) {
    tensor = writePart(builder(), loc, tensor, part,
                       [&](Value slice) { return fill(loc, number, slice); });
  };

  Part interior = wholeOf(builder(), inner);
  bool spread = llvm::any_of(op.getInterior(), [](int64_t n) { return n; });
  if (spread)
    tensor = fill(loc, number, tensor);
  // Slabs before and behind, dimension by dimension; those of later
  // dimensions leave out the slabs of earlier ones.
  Part rest = wholeOf(builder(), sizes);
  for (unsigned d = 0; d < sizes.size(); ++d) {
    int64_t low = op.getLow()[d], high = op.getHigh()[d];
    interior.offsets[d] = attr(low);
    interior.strides[d] = attr(op.getInterior()[d] + 1);
    if (spread || (low == 0 && high == 0))
      continue;
    int64_t size = tensorType(op).getDimSize(d);
    Part slab = rest;
    slab.sizes[d] = attr(low);
    if (low)
      fillPart(slab);
    slab.offsets[d] = attr(size - high);
    slab.sizes[d] = attr(high);
    if (high)
      fillPart(slab);
    rest.offsets[d] = attr(low);
    rest.sizes[d] = attr(size - low - high);
  }
  tensor = writePart(builder(), loc, tensor, interior, [&](Value slice) {
    return writeValue(*this, op.getInput(), slice);
  });
  store(op, tensor);
}

Value KernelLowering::padSpatial(Location loc, Value tensor,
                                 ArrayRef<int64_t> low, ArrayRef<int64_t> high,
                                 double value) {
  RankedTensorType type = tensorType(tensor);
  Sizes sizes, offsets, lows, highs;
  Shape padded(type.getShape());
  bool cuts = false, pads = false;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    bool spatial = d > 0 && d <= static_cast<int64_t>(low.size());
    int64_t before = spatial ? low[d - 1] : 0,
            behind = spatial ? high[d - 1] : 0;
    sizes.push_back(tensorSize(builder(), loc, tensor, d));
    offsets.push_back(builder().getIndexAttr(std::max<int64_t>(0, -before)));
    if (spatial) {
      int64_t kept = type.getDimSize(d) + std::min<int64_t>(0, before) +
                     std::min<int64_t>(0, behind);
      sizes.back() = builder().getIndexAttr(kept);
      padded[d] = type.getDimSize(d) + before + behind;
    }
    cuts |= before < 0 || behind < 0;
    pads |= before > 0 || behind > 0;
    lows.push_back(builder().getIndexAttr(std::max<int64_t>(0, before)));
    highs.push_back(builder().getIndexAttr(std::max<int64_t>(0, behind)));
  }
  if (cuts) {
    Sizes ones(type.getRank(), builder().getIndexAttr(1));
    tensor = tensor::ExtractSliceOp::create(builder(), loc, tensor, offsets,
                                            sizes, ones);
  }
  if (!pads)
    return tensor;
  auto resultType = RankedTensorType::get(padded, type.getElementType());
  Value number = constant(loc, type.getElementType(), value);
  return tensor::PadOp::create(builder(), loc, resultType, tensor, lows, highs,
                               number);
}

} // namespace cornu::lower
