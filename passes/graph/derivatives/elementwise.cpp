//===- elementwise.cpp - Derivatives of elementwise ops -------------------===//
//
// For each rule: x the operand, y the result, g the gradient of y.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Derivatives.h"

#include <cmath>

using namespace mlir;
using cornu::nn::Predicate;

namespace cornu::graph {

//===----------------------------------------------------------------------===//
// Unary
//===----------------------------------------------------------------------===//

static Gradients negate(nn::NegateOp op, const Rule &r) {
  return {r.negate(r.gradient)};
}

// g where x >= 0, else -g: +1 at 0.
static Gradients absolute(nn::AbsoluteOp op, const Rule &r) {
  Value positive = r.compare(Predicate::ge, op.getInput(), 0.0);
  return {r.select(positive, r.gradient, r.negate(r.gradient))};
}

// g y
static Gradients exp(nn::ExpOp op, const Rule &r) {
  return {r.multiply(r.gradient, op.getResult())};
}

// g (y + 1)
static Gradients expm1(nn::Expm1Op op, const Rule &r) {
  return {r.multiply(r.gradient, r.add(op.getResult(), 1.0))};
}

// g / x
static Gradients log(nn::LogOp op, const Rule &r) {
  return {r.divide(r.gradient, op.getInput())};
}

// g / (1 + x)
static Gradients log1p(nn::Log1pOp op, const Rule &r) {
  return {r.divide(r.gradient, r.add(op.getInput(), 1.0))};
}

// g / 2 / y
static Gradients sqrt(nn::SqrtOp op, const Rule &r) {
  return {r.divide(r.multiply(r.gradient, 0.5), op.getResult())};
}

// -g / 2 * y / x
static Gradients rsqrt(nn::RsqrtOp op, const Rule &r) {
  Value slope = r.divide(op.getResult(), op.getInput());
  return {r.multiply(r.multiply(r.gradient, -0.5), slope)};
}

static Gradients sin(nn::SinOp op, const Rule &r) {
  return {r.multiply(r.gradient, r.make<nn::CosOp>(op.getInput()))};
}

static Gradients cos(nn::CosOp op, const Rule &r) {
  Value slope = r.negate(r.make<nn::SinOp>(op.getInput()));
  return {r.multiply(r.gradient, slope)};
}

// g (1 - y^2)
static Gradients tanh(nn::TanhOp op, const Rule &r) {
  Value y = op.getResult();
  return {r.multiply(r.gradient, r.subtract(r.number(y, 1.0), r.square(y)))};
}

// g y (1 - y)
static Gradients sigmoid(nn::SigmoidOp op, const Rule &r) {
  Value y = op.getResult();
  Value slope = r.multiply(y, r.subtract(r.number(y, 1.0), y));
  return {r.multiply(r.gradient, slope)};
}

// g 2/sqrt(pi) e^(-x^2)
static Gradients erf(nn::ErfOp op, const Rule &r) {
  Value bell = r.exp(r.negate(r.square(op.getInput())));
  return {r.multiply(r.multiply(r.gradient, 2.0 / std::sqrt(M_PI)), bell)};
}

static Gradients softplus(nn::SoftplusOp op, const Rule &r) {
  return {r.multiply(r.gradient, r.make<nn::SigmoidOp>(op.getInput()))};
}

// g where y > 0, which is where x > 0; so x need not be kept.
static Gradients relu(nn::ReluOp op, const Rule &r) {
  Value positive = r.compare(Predicate::gt, op.getResult(), 0.0);
  return {r.select(positive, r.gradient, r.number(r.gradient, 0.0))};
}

//===----------------------------------------------------------------------===//
// Binary; the operands are a and b
//===----------------------------------------------------------------------===//

static Gradients add(nn::AddOp op, const Rule &r) {
  return {r.unbroadcast(r.gradient, op.getLhs()),
          r.unbroadcast(r.gradient, op.getRhs())};
}

static Gradients subtract(nn::SubtractOp op, const Rule &r) {
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] = r.unbroadcast(r.gradient, op.getLhs());
  if (r.needed[1])
    gradients[1] = r.negate(r.unbroadcast(r.gradient, op.getRhs()));
  return gradients;
}

static Gradients multiply(nn::MultiplyOp op, const Rule &r) {
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] =
        r.unbroadcast(r.multiply(r.gradient, op.getRhs()), op.getLhs());
  if (r.needed[1])
    gradients[1] =
        r.unbroadcast(r.multiply(r.gradient, op.getLhs()), op.getRhs());
  return gradients;
}

// g / b and -(g / b) y
static Gradients divide(nn::DivideOp op, const Rule &r) {
  Gradients gradients(2);
  Value scaled = r.divide(r.gradient, op.getRhs());
  if (r.needed[0])
    gradients[0] = r.unbroadcast(scaled, op.getLhs());
  if (r.needed[1])
    gradients[1] = r.negate(
        r.unbroadcast(r.multiply(scaled, op.getResult()), op.getRhs()));
  return gradients;
}

/// g to the chosen operand, half of it to each where they are equal.
template <typename Op, Predicate lhsWins>
static Gradients extremum(Op op, const Rule &r) {
  Value a = op.getLhs(), b = op.getRhs();
  Value zero = r.number(r.gradient, 0.0);
  Value tie = r.select(r.compare(Predicate::eq, a, b),
                       r.multiply(r.gradient, 0.5), zero);
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] =
        r.unbroadcast(r.select(r.compare(lhsWins, a, b), r.gradient, tie), a);
  if (r.needed[1])
    gradients[1] =
        r.unbroadcast(r.select(r.compare(lhsWins, b, a), r.gradient, tie), b);
  return gradients;
}

// g b a^(b-1), and g ln(a) y with ln 0 taken as 0.
static Gradients power(nn::PowerOp op, const Rule &r) {
  Value a = op.getLhs(), b = op.getRhs();
  Value one = r.number(a, 1.0);
  Gradients gradients(2);
  if (r.needed[0]) {
    // b - 1, but 1 for b = 0, where the product with b is 0 for every base.
    Value lowered =
        r.select(r.compare(Predicate::eq, b, 0.0), one, r.subtract(b, one));
    Value slope = r.multiply(b, r.power(a, lowered));
    gradients[0] = r.unbroadcast(r.multiply(r.gradient, slope), a);
  }
  if (r.needed[1]) {
    Value base = r.select(r.compare(Predicate::eq, a, 0.0), one, a);
    Value slope = r.multiply(r.log(base), op.getResult());
    gradients[1] = r.unbroadcast(r.multiply(r.gradient, slope), b);
  }
  return gradients;
}

// a - b floor(a / b): g and -g floor(a / b)
static Gradients remainder(nn::RemainderOp op, const Rule &r) {
  Value a = op.getLhs(), b = op.getRhs();
  Gradients gradients(2);
  if (r.needed[0])
    gradients[0] = r.unbroadcast(r.gradient, a);
  if (r.needed[1])
    gradients[1] = r.unbroadcast(
        r.negate(r.multiply(r.gradient, r.floor(r.divide(a, b)))), b);
  return gradients;
}

//===----------------------------------------------------------------------===//
// Choice and conversion
//===----------------------------------------------------------------------===//

static Gradients select(nn::SelectOp op, const Rule &r) {
  Value c = op.getCondition(), zero = r.number(r.gradient, 0.0);
  Gradients gradients(3);
  if (r.needed[1])
    gradients[1] = r.unbroadcast(r.select(c, r.gradient, zero), op.getOnTrue());
  if (r.needed[2])
    gradients[2] =
        r.unbroadcast(r.select(c, zero, r.gradient), op.getOnFalse());
  return gradients;
}

static Gradients convert(nn::ConvertOp op, const Rule &r) {
  Type element = nn::elementType(op.getInput());
  if (!isa<FloatType>(element) || !isa<FloatType>(nn::elementType(r.gradient)))
    return {Value()};
  return {r.convert(r.gradient, element)};
}

void attachElementwiseDerivatives(MLIRContext *context) {
  attachRule<nn::NegateOp, negate>(context);
  attachRule<nn::AbsoluteOp, absolute>(context);
  attachRule<nn::ExpOp, exp>(context);
  attachRule<nn::Expm1Op, expm1>(context);
  attachRule<nn::LogOp, log>(context);
  attachRule<nn::Log1pOp, log1p>(context);
  attachRule<nn::SqrtOp, sqrt>(context);
  attachRule<nn::RsqrtOp, rsqrt>(context);
  attachRule<nn::SinOp, sin>(context);
  attachRule<nn::CosOp, cos>(context);
  attachRule<nn::TanhOp, tanh>(context);
  attachRule<nn::SigmoidOp, sigmoid>(context);
  attachRule<nn::ErfOp, erf>(context);
  attachRule<nn::SoftplusOp, softplus>(context);
  attachRule<nn::ReluOp, relu>(context);
  attachRule<nn::AddOp, add>(context);
  attachRule<nn::SubtractOp, subtract>(context);
  attachRule<nn::MultiplyOp, multiply>(context);
  attachRule<nn::DivideOp, divide>(context);
  attachRule<nn::MaximumOp, extremum<nn::MaximumOp, Predicate::gt>>(context);
  attachRule<nn::MinimumOp, extremum<nn::MinimumOp, Predicate::lt>>(context);
  attachRule<nn::PowerOp, power>(context);
  attachRule<nn::RemainderOp, remainder>(context);
  attachRule<nn::SelectOp, select>(context);
  attachRule<nn::ConvertOp, convert>(context);
  attachZero<nn::SignOp, nn::FloorOp, nn::StopGradientOp>(context);
}

} // namespace cornu::graph
