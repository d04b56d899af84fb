//===- Derivatives.cpp - Registration and the shared helper ---------------===//

#include "passes/graph/Derivatives.h"

using namespace mlir;

namespace cornu::graph {

void registerDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, nn::NNDialect *) {
    attachElementwiseDerivatives(context);
    attachShapeDerivatives(context);
    attachReductionDerivatives(context);
    attachContractionDerivatives(context);
    attachConvolutionDerivatives(context);
    attachPoolingDerivatives(context);
    attachIndexingDerivatives(context);
    attachControlDerivatives(context);
  });
}

Value unbroadcast(const Math &math, Value gradient, Type operandType) {
  if (!gradient || gradient.getType() == operandType)
    return gradient;
  auto from = nn::tensorType(gradient);
  auto to = cast<RankedTensorType>(operandType);
  int64_t leading = from.getRank() - to.getRank();
  SmallVector<int64_t> repeated;
  for (int64_t axis = 0; axis < from.getRank(); ++axis)
    if (axis < leading ||
        (to.getDimSize(axis - leading) == 1 && from.getDimSize(axis) != 1))
      repeated.push_back(axis);
  Value summed = repeated.empty() ? gradient : math.sum(gradient, repeated);
  return math.reshape(summed, operandType);
}

} // namespace cornu::graph
