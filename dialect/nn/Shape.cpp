//===- Shape.cpp - Constants and ops that move elements -------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace cornu::nn;

static bool inRange(int64_t axis, RankedTensorType type) {
  return axis >= 0 && axis < type.getRank();
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

void ConstantOp::build(OpBuilder &builder, OperationState &state,
                       Type elementType, double value) {
  auto type = RankedTensorType::get({}, elementType);
  Attribute number;
  if (auto floatType = dyn_cast<FloatType>(elementType))
    number = builder.getFloatAttr(floatType, value);
  else
    number = builder.getIntegerAttr(elementType, static_cast<int64_t>(value));
  build(builder, state, type, DenseElementsAttr::get(type, number));
}

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

LogicalResult IotaOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitOpError("result must have a static shape");
  if (!inRange(getAxis(), type))
    return emitOpError("axis ") << getAxis() << " is outside the result";
  return success();
}

LogicalResult BatchSizeOp::verify() {
  if (tensorType(getInput()).getRank() == 0)
    return emitOpError("input has no leading dimension");
  if (cast<RankedTensorType>(getType()).getRank() != 0)
    return emitOpError("result must be a scalar");
  return success();
}

OpFoldResult BatchSizeOp::fold(FoldAdaptor) {
  RankedTensorType input = tensorType(getInput());
  if (input.isDynamicDim(0))
    return {};
  auto type = cast<RankedTensorType>(getType());
  Builder builder(getContext());
  int64_t size = input.getDimSize(0);
  Type element = type.getElementType();
  Attribute number =
      isa<FloatType>(element)
          ? Attribute(builder.getFloatAttr(element, static_cast<double>(size)))
          : Attribute(builder.getIntegerAttr(element, size));
  return DenseElementsAttr::get(type, number);
}

//===----------------------------------------------------------------------===//
// Reshape, transpose, broadcast
//===----------------------------------------------------------------------===//

/// The product of the static sizes.
static int64_t staticElements(RankedTensorType type) {
  int64_t count = 1;
  for (int64_t size : type.getShape())
    if (!ShapedType::isDynamic(size))
      count *= size;
  return count;
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType input = tensorType(getInput());
  auto result = cast<RankedTensorType>(getType());
  if (input.getElementType() != result.getElementType())
    return emitOpError("changes the element type");
  if (result.getNumDynamicDims() > 1 ||
      (result.getNumDynamicDims() == 1 && !result.isDynamicDim(0)))
    return emitOpError("only the leading dimension of the result may be "
                       "dynamic");
  if (input.hasStaticShape() != result.hasStaticShape())
    return emitOpError("result is dynamic exactly if the input is");
  int64_t from = staticElements(input), to = staticElements(result);
  bool fits = input.hasStaticShape()
                  ? from == to
                  : from != 0 && to != 0 && (from % to == 0 || to % from == 0);
  if (!fits)
    return emitOpError("cannot turn shape ")
           << formatShape(input.getShape()) << " into "
           << formatShape(result.getShape());
  return success();
}

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  if (auto inner = getInput().getDefiningOp<ReshapeOp>()) {
    getInputMutable().assign(inner.getInput());
    return getResult();
  }
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput()))
    return splat.resizeSplat(cast<ShapedType>(getType()));
  return {};
}

LogicalResult TransposeOp::inferReturnTypes(MLIRContext *,
                                            std::optional<Location> loc,
                                            Adaptor adaptor,
                                            SmallVectorImpl<Type> &types) {
  RankedTensorType input = tensorType(adaptor.getInput());
  ArrayRef<int64_t> permutation = adaptor.getPermutation();
  if (!isPermutationVector(permutation) ||
      static_cast<int64_t>(permutation.size()) != input.getRank())
    return emitOptionalError(loc, "permutation is not one of the input's ",
                             input.getRank(), " dimensions");
  Shape shape;
  for (int64_t axis : permutation)
    shape.push_back(input.getDimSize(axis));
  types.push_back(RankedTensorType::get(shape, input.getElementType()));
  return success();
}

OpFoldResult TransposeOp::fold(FoldAdaptor) {
  auto isIdentity = [](ArrayRef<int64_t> permutation) {
    for (auto [i, axis] : llvm::enumerate(permutation))
      if (axis != static_cast<int64_t>(i))
        return false;
    return true;
  };
  if (isIdentity(getPermutation()))
    return getInput();
  // Two transposes in a row are one.
  auto inner = getInput().getDefiningOp<TransposeOp>();
  if (!inner)
    return {};
  Shape combined;
  for (int64_t axis : getPermutation())
    combined.push_back(inner.getPermutation()[axis]);
  if (isIdentity(combined))
    return inner.getInput();
  setPermutation(combined);
  getInputMutable().assign(inner.getInput());
  return getResult();
}

LogicalResult BroadcastOp::verify() {
  RankedTensorType input = tensorType(getInput());
  auto result = cast<RankedTensorType>(getType());
  if (input.getElementType() != result.getElementType())
    return emitOpError("changes the element type");
  FailureOr<Shape> shape = broadcastShapes(input.getShape(), result.getShape());
  if (failed(shape) || ArrayRef<int64_t>(*shape) != result.getShape())
    return emitOpError("cannot broadcast input of shape ")
           << formatShape(input.getShape()) << " to "
           << formatShape(result.getShape());
  bool supplied = input.getRank() == result.getRank() && input.getRank() > 0 &&
                  input.isDynamicDim(0);
  if (!result.hasStaticShape() && !supplied && !getLike())
    return emitOpError("needs `like` to know the result's leading dimension");
  if (getLike() && tensorType(getLike()).getRank() == 0)
    return emitOpError("`like` has no leading dimension");
  return success();
}

OpFoldResult BroadcastOp::fold(FoldAdaptor adaptor) {
  if (getInput().getType() == getType())
    return getInput();
  auto type = cast<ShapedType>(getType());
  auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getInput());
  if (splat && type.hasStaticShape())
    return splat.resizeSplat(type);
  return {};
}

//===----------------------------------------------------------------------===//
// Concatenate, slice, pad, reverse
//===----------------------------------------------------------------------===//

LogicalResult ConcatenateOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location> loc,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  if (adaptor.getInputs().empty())
    return emitOptionalError(loc, "has no inputs");
  RankedTensorType first = tensorType(adaptor.getInputs().front());
  int64_t axis = adaptor.getAxis();
  if (!inRange(axis, first) || first.isDynamicDim(axis))
    return emitOptionalError(loc, "axis ", axis,
                             " is not a static dimension of the inputs");
  Shape shape(first.getShape());
  shape[axis] = 0;
  for (auto [i, input] : llvm::enumerate(adaptor.getInputs())) {
    RankedTensorType type = tensorType(input);
    bool agrees = type.getRank() == first.getRank() &&
                  type.getElementType() == first.getElementType();
    for (int64_t d = 0; agrees && d < type.getRank(); ++d)
      agrees = d == axis ? !type.isDynamicDim(d)
                         : type.getDimSize(d) == first.getDimSize(d);
    if (!agrees)
      return emitOptionalError(
          loc, "input #", i, " of shape ", formatShape(type.getShape()),
          " does not fit the first, ", formatShape(first.getShape()));
    shape[axis] += type.getDimSize(axis);
  }
  types.push_back(RankedTensorType::get(shape, first.getElementType()));
  return success();
}

OpFoldResult ConcatenateOp::fold(FoldAdaptor) {
  return getInputs().size() == 1 ? getInputs().front() : Value();
}

LogicalResult SliceOp::inferReturnTypes(MLIRContext *,
                                        std::optional<Location> loc,
                                        Adaptor adaptor,
                                        SmallVectorImpl<Type> &types) {
  RankedTensorType input = tensorType(adaptor.getInput());
  size_t rank = input.getRank();
  if (adaptor.getStarts().size() != rank ||
      adaptor.getLimits().size() != rank || adaptor.getStrides().size() != rank)
    return emitOptionalError(loc,
                             "starts, limits and strides need one number "
                             "for each of the input's ",
                             rank, " dimensions");
  Shape shape;
  for (size_t d = 0; d < rank; ++d) {
    int64_t start = adaptor.getStarts()[d], limit = adaptor.getLimits()[d],
            stride = adaptor.getStrides()[d], size = input.getDimSize(d);
    if (ShapedType::isDynamic(size)) {
      if (start != 0 || limit != -1 || stride != 1)
        return emitOptionalError(loc, "dimension ", d,
                                 " is dynamic and must be taken whole: start "
                                 "0, limit -1, stride 1");
      shape.push_back(size);
      continue;
    }
    if (start < 0 || start > limit || limit > size || stride < 1)
      return emitOptionalError(loc, "dimension ", d, ": [", start, ", ", limit,
                               ") by ", stride,
                               " is not a range within its size ", size);
    shape.push_back((limit - start + stride - 1) / stride);
  }
  types.push_back(RankedTensorType::get(shape, input.getElementType()));
  return success();
}

OpFoldResult SliceOp::fold(FoldAdaptor) {
  bool whole = getInput().getType() == getType() &&
               llvm::all_of(getStarts(), [](int64_t s) { return s == 0; });
  return whole ? getInput() : Value();
}

LogicalResult PadOp::inferReturnTypes(MLIRContext *,
                                      std::optional<Location> loc,
                                      Adaptor adaptor,
                                      SmallVectorImpl<Type> &types) {
  RankedTensorType input = tensorType(adaptor.getInput());
  size_t rank = input.getRank();
  if (adaptor.getLow().size() != rank || adaptor.getHigh().size() != rank ||
      adaptor.getInterior().size() != rank)
    return emitOptionalError(loc,
                             "low, high and interior need one number for "
                             "each of the input's ",
                             rank, " dimensions");
  Shape shape;
  for (size_t d = 0; d < rank; ++d) {
    int64_t low = adaptor.getLow()[d], high = adaptor.getHigh()[d],
            interior = adaptor.getInterior()[d], size = input.getDimSize(d);
    if (low < 0 || high < 0 || interior < 0)
      return emitOptionalError(loc, "dimension ", d,
                               " has a negative amount of padding");
    if (ShapedType::isDynamic(size)) {
      if (low || high || interior)
        return emitOptionalError(loc, "dimension ", d,
                                 " is dynamic and cannot be padded");
      shape.push_back(size);
      continue;
    }
    int64_t between = size > 0 ? (size - 1) * interior : 0;
    shape.push_back(low + size + between + high);
  }
  types.push_back(RankedTensorType::get(shape, input.getElementType()));
  return success();
}

OpFoldResult PadOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? getInput() : Value();
}

/// An order that is reversed twice is the old one.
OpFoldResult ReverseOp::fold(FoldAdaptor) {
  if (getAxes().empty())
    return getInput();
  auto inner = getInput().getDefiningOp<ReverseOp>();
  if (!inner)
    return {};
  SmallVector<int64_t> axes;
  for (auto [here, there] : {std::pair(getAxes(), inner.getAxes()),
                             std::pair(inner.getAxes(), getAxes())})
    llvm::copy_if(here, std::back_inserter(axes), [other = there](int64_t a) {
      return !llvm::is_contained(other, a);
    });
  if (axes.empty())
    return inner.getInput();
  llvm::sort(axes);
  setAxes(axes);
  getInputMutable().assign(inner.getInput());
  return getResult();
}

LogicalResult ReverseOp::verify() {
  RankedTensorType type = tensorType(getInput());
  if (failed(reducedShape(type.getShape(), getAxes(), true)))
    return emitOpError("axes are not distinct dimensions of the input");
  for (int64_t axis : getAxes())
    if (type.isDynamicDim(axis))
      return emitOpError("axis ") << axis << " is dynamic";
  return success();
}
