//===- convolution.cpp - Derivatives of convolutions ----------------------===//
//
// y = convolution(x, w) is linear in x and in w. Its two transposes are ops of
// their own, and the three are each other's derivatives:
//
//   <y, convolution(x, w)> = <x, input_gradient(y, w)>
//                          = <w, kernel_gradient(x, y)>
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Derivatives.h"

using namespace mlir;

namespace cornu::graph {

template <typename Op>
static Value convolution(Op op, Value x, Value w, const Rule &r) {
  return r.make<nn::ConvolutionOp>(x, w, op.getStrides(), op.getPadding(),
                                   op.getDilations(), op.getGroups());
}

template <typename Op>
static Value inputGradient(Op op, Type type, Value y, Value w, const Rule &r) {
  return r.make<nn::ConvolutionInputGradientOp>(
      type, y, w, op.getStrides(), op.getPadding(), op.getDilations(),
      op.getGroups());
}

template <typename Op>
static Value kernelGradient(Op op, Type type, Value x, Value y, const Rule &r) {
  return r.make<nn::ConvolutionKernelGradientOp>(
      type, x, y, op.getStrides(), op.getPadding(), op.getDilations(),
      op.getGroups());
}

static Gradients ofConvolution(nn::ConvolutionOp op, const Rule &r) {
  Value x = op.getInput(), w = op.getKernel();
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] = inputGradient(op, x.getType(), r.gradient, w, r);
  if (r.needed[1])
    gradients[1] = kernelGradient(op, w.getType(), x, r.gradient, r);
  return gradients;
}

static Gradients ofInputGradient(nn::ConvolutionInputGradientOp op,
                                 const Rule &r) {
  Value y = op.getOutput(), w = op.getKernel();
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] = convolution(op, r.gradient, w, r);
  if (r.needed[1])
    gradients[1] = kernelGradient(op, w.getType(), r.gradient, y, r);
  return gradients;
}

static Gradients ofKernelGradient(nn::ConvolutionKernelGradientOp op,
                                  const Rule &r) {
  Value x = op.getInput(), y = op.getOutput();
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] = inputGradient(op, x.getType(), y, r.gradient, r);
  if (r.needed[1])
    gradients[1] = convolution(op, x, r.gradient, r);
  return gradients;
}

void attachConvolutionDerivatives(MLIRContext *context) {
  attachRule<nn::ConvolutionOp, ofConvolution>(context);
  attachRule<nn::ConvolutionInputGradientOp, ofInputGradient>(context);
  attachRule<nn::ConvolutionKernelGradientOp, ofKernelGradient>(context);
}

} // namespace cornu::graph
