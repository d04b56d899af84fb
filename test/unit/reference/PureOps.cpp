//===- PureOps.cpp - From an op without state to its formula ------------------
//===//

#include "test/unit/reference/Formulas.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

Type resultElement(Operation &op) { return nn::elementType(op.getResult(0)); }

Sizes resultShape(Operation &op, int64_t batch) {
  Sizes shape(nn::tensorType(op.getResult(0)).getShape());
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = batch;
  return shape;
}

Array map(Operands x, const std::function<double(const double *)> &formula) {
  nn::Shape shape;
  for (const Array &operand : x)
    shape = *nn::broadcastShapes(shape, operand.shape);
  Array result(Sizes(shape.begin(), shape.end()));
  Sizes index(result.rank(), 0);
  if (result.size() == 0)
    return result;
  int64_t i = 0;
  do {
    double operands[3];
    for (size_t k = 0; k < x.size(); ++k)
      operands[k] = x[k].atBroadcast(index);
    result.data[i++] = formula(operands);
  } while (increment(index, result.shape));
  return result;
}

Array generate(Sizes shape, const std::function<double(const Sizes &)> &f) {
  Array result(std::move(shape));
  if (result.size() == 0)
    return result;
  Sizes index(result.rank(), 0);
  int64_t i = 0;
  do {
    result.data[i++] = f(index);
  } while (increment(index, result.shape));
  return result;
}

double maximum(double a, double b) {
  return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b);
}
double minimum(double a, double b) { return -maximum(-a, -b); }

Array evaluatePure(Operation &op, Operands x) {
  if (nn::isElementwise(&op))
    return elementwise(op, x);
  return llvm::TypeSwitch<Operation *, Array>(&op)
      .Case([&](nn::ConstantOp op) { return constant(op); })
      .Case([&](nn::IotaOp iota) {
        return generate(resultShape(op, 0), [&](const Sizes &index) {
          return double(index[iota.getAxis()]);
        });
      })
      .Case([&](nn::BatchSizeOp) { return Array({}, double(x[0].shape[0])); })
      .Case([&](nn::ReshapeOp op) { return reshape(op, x[0]); })
      .Case([&](nn::TransposeOp op) { return transpose(op, x[0]); })
      .Case([&](nn::BroadcastOp op) { return broadcast(op, x); })
      .Case([&](nn::ConcatenateOp op) { return concatenate(op, x); })
      .Case([&](nn::SliceOp op) { return slice(op, x[0]); })
      .Case([&](nn::PadOp op) { return pad(op, x[0]); })
      .Case([&](nn::ReverseOp op) { return reverse(op, x[0]); })
      .Case([&](nn::ReduceOp op) {
        return reduceAxes(x[0], op.getAxes(), op.getKeepAxes(), op.getKind());
      })
      .Case([&](nn::ArgmaxOp op) { return argmax(op, x[0]); })
      .Case([&](nn::SoftmaxOp op) {
        return softmax(x[0], op.getAxisAttr().getInt(), false);
      })
      .Case([&](nn::LogSoftmaxOp op) {
        return softmax(x[0], op.getAxisAttr().getInt(), true);
      })
      .Case([&](nn::ContractOp op) { return contract(op, x); })
      .Case<nn::ConvolutionOp, nn::ConvolutionInputGradientOp,
            nn::ConvolutionKernelGradientOp>(
          [&](auto op) { return convolution(*op, x); })
      .Case([&](nn::SumPoolOp op) { return sumPool(op, x[0]); })
      .Case([&](nn::SumPoolGradientOp op) { return sumPoolGradient(op, x[0]); })
      .Case<nn::MaxPoolOp, nn::MaxPoolScatterOp, nn::MaxPoolGatherOp>(
          [&](auto op) { return maxPool(*op, x); })
      .Case([&](nn::GatherOp) { return gather(x[0], x[1]); })
      .Case([&](nn::ScatterAddOp op) { return scatterAdd(op, x[0], x[1]); })
      .Case([&](nn::RandomUniformOp op) { return randomUniform(op, x); })
      .Default([](Operation *op) -> Array {
        llvm::report_fatal_error("the interpreter lacks an op");
      });
}

} // namespace cornu::reference
