//===- Reduction.cpp - Sums, extrema and softmax --------------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cornu::nn;

void ReduceOp::build(OpBuilder &builder, OperationState &state,
                     ReductionKind kind, Value input, ArrayRef<int64_t> axes,
                     bool keepAxes) {
  FailureOr<Shape> shape =
      reducedShape(tensorType(input).getShape(), axes, keepAxes);
  assert(succeeded(shape) && "axes are not distinct dimensions of the input");
  build(builder, state, RankedTensorType::get(*shape, elementType(input)), kind,
        axes, keepAxes, input);
}

LogicalResult ReduceOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  Type element = elementType(adaptor.getInput());
  ReductionKind kind = adaptor.getKind();
  bool isLogical = kind == ReductionKind::any || kind == ReductionKind::all;
  if (isLogical != element.isInteger(1))
    return emitOptionalError(loc, "cannot reduce ", element, " by ",
                             stringifyReductionKind(kind));
  if (kind == ReductionKind::mean && !isa<FloatType>(element))
    return emitOptionalError(loc, "mean needs floats, not ", element);
  FailureOr<Shape> shape =
      reducedShape(tensorType(adaptor.getInput()).getShape(), adaptor.getAxes(),
                   adaptor.getKeepAxes());
  if (failed(shape))
    return emitOptionalError(loc, "axes are not distinct dimensions of the "
                                  "input");
  types.push_back(RankedTensorType::get(*shape, element));
  return success();
}

OpFoldResult ReduceOp::fold(FoldAdaptor) {
  return getAxes().empty() ? getInput() : Value();
}

LogicalResult ArgmaxOp::inferReturnTypes(MLIRContext *context,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  FailureOr<Shape> shape = reducedShape(
      tensorType(adaptor.getInput()).getShape(), adaptor.getAxis(), false);
  if (failed(shape))
    return emitOptionalError(loc, "axis ", adaptor.getAxis(),
                             " is not a dimension of the input");
  types.push_back(RankedTensorType::get(*shape, IntegerType::get(context, 32)));
  return success();
}

static LogicalResult verifyAxis(Operation *op, int64_t axis, Value input) {
  if (axis < 0 || axis >= tensorType(input).getRank())
    return op->emitOpError("axis ")
           << axis << " is not a dimension of the input";
  return success();
}

LogicalResult SoftmaxOp::verify() {
  return verifyAxis(*this, getAxis(), getInput());
}

LogicalResult LogSoftmaxOp::verify() {
  return verifyAxis(*this, getAxis(), getInput());
}
