//===- Pooling.cpp - Reductions of windows --------------------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cornu::nn;

/// The type of a pooling of `input`.
template <typename OpOrAdaptor>
static FailureOr<RankedTensorType>
poolType(std::optional<Location> loc, RankedTensorType input, OpOrAdaptor op) {
  SmallVector<int64_t> dilations(op.getWindow().size(), 1);
  FailureOr<Shape> shape = failure();
  if (input.getRank() >= 3)
    shape =
        windowOutputShape(input.getShape(), op.getWindow(), op.getStrides(),
                          dilations, op.getPadding(), input.getShape().back());
  if (failed(shape)) {
    (void)emitOptionalError(
        loc, "window ", formatShape(op.getWindow()), " does not fit input ",
        formatShape(input.getShape()), " with these strides and padding");
    return failure();
  }
  return RankedTensorType::get(*shape, input.getElementType());
}

template <typename Adaptor>
static LogicalResult inferPool(std::optional<Location> loc, Adaptor adaptor,
                               SmallVectorImpl<Type> &types) {
  FailureOr<RankedTensorType> type =
      poolType(loc, tensorType(adaptor.getInput()), adaptor);
  if (failed(type))
    return failure();
  types.push_back(*type);
  return success();
}

LogicalResult SumPoolOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location> loc,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  return inferPool(loc, adaptor, types);
}

LogicalResult MaxPoolOp::inferReturnTypes(MLIRContext *,
                                          std::optional<Location> loc,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  return inferPool(loc, adaptor, types);
}

LogicalResult MaxPoolGatherOp::inferReturnTypes(MLIRContext *,
                                                std::optional<Location> loc,
                                                Adaptor adaptor,
                                                SmallVectorImpl<Type> &types) {
  if (adaptor.getInput().getType() != adaptor.getValues().getType())
    return emitOptionalError(loc, "values must have the type of input");
  return inferPool(loc, adaptor, types);
}

/// Checks that pooling `input` gives the type of `output`.
template <typename Op>
static LogicalResult verifyOutput(Op op, RankedTensorType input,
                                  RankedTensorType output) {
  FailureOr<RankedTensorType> type = poolType(op.getLoc(), input, op);
  if (failed(type))
    return failure();
  if (*type != output)
    return op.emitOpError("output has type ")
           << output << ", the pooling gives " << *type;
  return success();
}

LogicalResult SumPoolGradientOp::verify() {
  return verifyOutput(*this, cast<RankedTensorType>(getType()),
                      tensorType(getOutput()));
}

LogicalResult MaxPoolScatterOp::verify() {
  if (getType() != getInput().getType())
    return emitOpError("result must have the type of input");
  return verifyOutput(*this, tensorType(getInput()), tensorType(getOutput()));
}
