//===- Convolution.cpp - Convolutions of any rank -------------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cornu::nn;

/// The shape of convolution(input, kernel), shared by the op and the verifiers
/// of its two derivatives.
template <typename OpOrAdaptor>
static FailureOr<Shape>
convolutionShape(std::optional<Location> loc, RankedTensorType input,
                 RankedTensorType kernel, OpOrAdaptor op) {
  auto fail = [&](const Twine &message) -> FailureOr<Shape> {
    (void)emitOptionalError(loc, message);
    return failure();
  };
  if (input.getElementType() != kernel.getElementType())
    return fail("element types of the operands differ");
  if (input.getRank() < 3 || kernel.getRank() != input.getRank())
    return fail("input (N, spatial..., C) and kernel (window..., C / groups, "
                "F) need the same rank of at least 3");
  ArrayRef<int64_t> kernelShape = kernel.getShape();
  int64_t groups = op.getGroups(), channels = input.getShape().back();
  int64_t filters = kernelShape.back();
  int64_t groupChannels = kernelShape[kernelShape.size() - 2];
  if (!kernel.hasStaticShape() || ShapedType::isDynamic(channels))
    return fail("kernel and channels must be static");
  if (groups < 1 || groupChannels * groups != channels || filters % groups != 0)
    return fail("input of " + Twine(channels) + " channels and kernel " +
                formatShape(kernelShape) + " do not fit " + Twine(groups) +
                " groups");
  FailureOr<Shape> shape = windowOutputShape(
      input.getShape(), kernelShape.drop_back(2), op.getStrides(),
      op.getDilations(), op.getPadding(), filters);
  if (failed(shape))
    return fail("window of kernel " + formatShape(kernelShape) +
                " does not fit input " + formatShape(input.getShape()) +
                " with these strides, dilations and padding");
  return shape;
}

LogicalResult ConvolutionOp::inferReturnTypes(MLIRContext *,
                                              std::optional<Location> loc,
                                              Adaptor adaptor,
                                              SmallVectorImpl<Type> &types) {
  RankedTensorType input = tensorType(adaptor.getInput());
  FailureOr<Shape> shape =
      convolutionShape(loc, input, tensorType(adaptor.getKernel()), adaptor);
  if (failed(shape))
    return failure();
  types.push_back(RankedTensorType::get(*shape, input.getElementType()));
  return success();
}

/// Checks that convolution(input, kernel) has the shape of `output`.
template <typename Op>
static LogicalResult verifyOutput(Op op, RankedTensorType input,
                                  RankedTensorType kernel,
                                  RankedTensorType output) {
  FailureOr<Shape> shape = convolutionShape(op.getLoc(), input, kernel, op);
  if (failed(shape))
    return failure();
  if (output.getShape() != ArrayRef<int64_t>(*shape))
    return op.emitOpError("output has shape ")
           << formatShape(output.getShape()) << ", the convolution gives "
           << formatShape(*shape);
  return success();
}

LogicalResult ConvolutionInputGradientOp::verify() {
  return verifyOutput(*this, cast<RankedTensorType>(getType()),
                      tensorType(getKernel()), tensorType(getOutput()));
}

LogicalResult ConvolutionKernelGradientOp::verify() {
  return verifyOutput(*this, tensorType(getInput()),
                      cast<RankedTensorType>(getType()),
                      tensorType(getOutput()));
}
