//===- Elementwise.cpp - Formulas of elementwise ops on scalars -----------===//
//
// nn.sigmoid %x     1 / (1 + math.exp(-x))
// nn.relu %x        arith.maximumf %x, 0     (NaN stays NaN)
// nn.compare ne     arith.cmpf une
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

namespace {

/// Scalar arithmetic at one place, for floats and integers alike.
class Arithmetic {
public:
  Arithmetic(OpBuilder &builder, Location loc, Type nnElement)
      : builder(builder), loc(loc), type(loweredType(nnElement)),
        isFloat(isa<FloatType>(nnElement)),
        isUnsigned(nnElement.isUnsignedInteger() || nnElement.isInteger(1)) {}

  Value constant(double value) {
    TypedAttr attr;
    if (isFloat)
      attr = builder.getFloatAttr(type, value);
    else
      attr = builder.getIntegerAttr(type, static_cast<int64_t>(value));
    return arith::ConstantOp::create(builder, loc, attr);
  }

  template <typename Op> Value make(ValueRange operands) {
    return Op::create(builder, loc, ArrayRef<Type>(type), operands);
  }
  template <typename FloatOp, typename IntOp>
  Value choose(ValueRange operands) {
    return isFloat ? make<FloatOp>(operands) : make<IntOp>(operands);
  }
  template <typename FloatOp, typename SignedOp, typename UnsignedOp>
  Value choose(ValueRange operands) {
    if (isFloat)
      return make<FloatOp>(operands);
    return isUnsigned ? make<UnsignedOp>(operands) : make<SignedOp>(operands);
  }

  Value add(Value a, Value b) {
    return choose<arith::AddFOp, arith::AddIOp>({a, b});
  }
  Value subtract(Value a, Value b) {
    return choose<arith::SubFOp, arith::SubIOp>({a, b});
  }
  Value multiply(Value a, Value b) {
    return choose<arith::MulFOp, arith::MulIOp>({a, b});
  }
  Value divide(Value a, Value b) {
    return choose<arith::DivFOp, arith::DivSIOp, arith::DivUIOp>({a, b});
  }
  Value maximum(Value a, Value b) {
    return choose<arith::MaximumFOp, arith::MaxSIOp, arith::MaxUIOp>({a, b});
  }
  Value minimum(Value a, Value b) {
    return choose<arith::MinimumFOp, arith::MinSIOp, arith::MinUIOp>({a, b});
  }
  Value negate(Value a) {
    return isFloat ? make<arith::NegFOp>({a}) : subtract(constant(0), a);
  }
  Value absolute(Value a) {
    if (isUnsigned)
      return a;
    return choose<math::AbsFOp, math::AbsIOp>({a});
  }
  Value select(Value condition, Value a, Value b) {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
  Value compare(Predicate predicate, Value a, Value b);
  Value sign(Value a);
  Value sigmoid(Value a);
  Value softplus(Value a);
  Value remainder(Value a, Value b);
  Value convertTo(Type nnTarget, Value a);

private:
  OpBuilder &builder;
  Location loc;
  Type type;
  bool isFloat, isUnsigned;
};

} // namespace

Value Arithmetic::compare(Predicate predicate, Value a, Value b) {
  // Columns: floats, signed, unsigned integers; rows as in Predicate.
  using F = arith::CmpFPredicate;
  using I = arith::CmpIPredicate;
  static constexpr struct {
    F ordered;
    I withSign, without;
  } table[] = {{F::OEQ, I::eq, I::eq},   {F::UNE, I::ne, I::ne},
               {F::OLT, I::slt, I::ult}, {F::OLE, I::sle, I::ule},
               {F::OGT, I::sgt, I::ugt}, {F::OGE, I::sge, I::uge}};
  const auto &row = table[static_cast<unsigned>(predicate)];
  if (isFloat)
    return arith::CmpFOp::create(builder, loc, row.ordered, a, b);
  return arith::CmpIOp::create(builder, loc,
                               isUnsigned ? row.without : row.withSign, a, b);
}

Value Arithmetic::sign(Value a) {
  // The last choice returns zeros and NaN as they are.
  Value zero = constant(0);
  Value negative =
      isUnsigned ? a : select(compare(Predicate::lt, a, zero), constant(-1), a);
  return select(compare(Predicate::gt, a, zero), constant(1), negative);
}

Value Arithmetic::sigmoid(Value a) {
  Value one = constant(1);
  Value decay = make<math::ExpOp>({negate(a)});
  return divide(one, add(one, decay));
}

Value Arithmetic::softplus(Value a) {
  Value decay = make<math::ExpOp>({negate(absolute(a))});
  return add(maximum(a, constant(0)), make<math::Log1pOp>({decay}));
}

Value Arithmetic::remainder(Value a, Value b) {
  if (isFloat)
    return subtract(a, multiply(b, make<math::FloorOp>({divide(a, b)})));
  if (isUnsigned)
    return make<arith::RemUIOp>({a, b});
  // The sign of the divisor, as Python has it.
  Value zero = constant(0), rest = make<arith::RemSIOp>({a, b});
  Value nonzero = compare(Predicate::ne, rest, zero);
  Value differ = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                       compare(Predicate::lt, rest, zero),
                                       compare(Predicate::lt, b, zero));
  Value wrap = arith::AndIOp::create(builder, loc, nonzero, differ);
  return select(wrap, add(rest, b), rest);
}

Value Arithmetic::convertTo(Type nnTarget, Value a) {
  Type target = loweredType(nnTarget);
  if (target == type)
    return a;
  if (target.isInteger(1))
    return compare(Predicate::ne, a, constant(0));
  if (isFloat && isa<FloatType>(target)) {
    if (target.getIntOrFloatBitWidth() > type.getIntOrFloatBitWidth())
      return arith::ExtFOp::create(builder, loc, target, a);
    return arith::TruncFOp::create(builder, loc, target, a);
  }
  if (isFloat) {
    if (nnTarget.isUnsignedInteger())
      return arith::FPToUIOp::create(builder, loc, target, a);
    return arith::FPToSIOp::create(builder, loc, target, a);
  }
  if (isa<FloatType>(target)) {
    if (isUnsigned)
      return arith::UIToFPOp::create(builder, loc, target, a);
    return arith::SIToFPOp::create(builder, loc, target, a);
  }
  if (target.getIntOrFloatBitWidth() < type.getIntOrFloatBitWidth())
    return arith::TruncIOp::create(builder, loc, target, a);
  if (isUnsigned)
    return arith::ExtUIOp::create(builder, loc, target, a);
  return arith::ExtSIOp::create(builder, loc, target, a);
}

Value emitElementwise(OpBuilder &builder, Operation *op, ValueRange x) {
  // Comparisons and selections compute on the type of their last operand.
  Arithmetic m(builder, op->getLoc(), elementType(op->getOperands().back()));
  return llvm::TypeSwitch<Operation *, Value>(op)
      .Case([&](NegateOp) { return m.negate(x[0]); })
      .Case([&](AbsoluteOp) { return m.absolute(x[0]); })
      .Case([&](SignOp) { return m.sign(x[0]); })
      .Case([&](ExpOp) { return m.make<math::ExpOp>(x); })
      .Case([&](Expm1Op) { return m.make<math::ExpM1Op>(x); })
      .Case([&](LogOp) { return m.make<math::LogOp>(x); })
      .Case([&](Log1pOp) { return m.make<math::Log1pOp>(x); })
      .Case([&](SqrtOp) { return m.make<math::SqrtOp>(x); })
      .Case([&](RsqrtOp) { return m.make<math::RsqrtOp>(x); })
      .Case([&](SinOp) { return m.make<math::SinOp>(x); })
      .Case([&](CosOp) { return m.make<math::CosOp>(x); })
      .Case([&](TanhOp) { return m.make<math::TanhOp>(x); })
      .Case([&](SigmoidOp) { return m.sigmoid(x[0]); })
      .Case([&](ErfOp) { return m.make<math::ErfOp>(x); })
      .Case([&](SoftplusOp) { return m.softplus(x[0]); })
      .Case([&](FloorOp) { return m.make<math::FloorOp>(x); })
      .Case([&](ReluOp) { return m.maximum(x[0], m.constant(0)); })
      .Case([&](StopGradientOp) { return x[0]; })
      .Case([&](LogicalNotOp) {
        return m.make<arith::XOrIOp>({x[0], m.constant(1)});
      })
      .Case([&](AddOp) { return m.add(x[0], x[1]); })
      .Case([&](SubtractOp) { return m.subtract(x[0], x[1]); })
      .Case([&](MultiplyOp) { return m.multiply(x[0], x[1]); })
      .Case([&](DivideOp) { return m.divide(x[0], x[1]); })
      .Case([&](MaximumOp) { return m.maximum(x[0], x[1]); })
      .Case([&](MinimumOp) { return m.minimum(x[0], x[1]); })
      .Case([&](PowerOp) { return m.make<math::PowFOp>(x); })
      .Case([&](RemainderOp) { return m.remainder(x[0], x[1]); })
      .Case([&](LogicalAndOp) { return m.make<arith::AndIOp>(x); })
      .Case([&](LogicalOrOp) { return m.make<arith::OrIOp>(x); })
      .Case([&](LogicalXorOp) { return m.make<arith::XOrIOp>(x); })
      .Case([&](CompareOp op) {
        return m.compare(op.getPredicate(), x[0], x[1]);
      })
      .Case([&](SelectOp) { return m.select(x[0], x[1], x[2]); })
      .Case([&](ConvertOp op) {
        return m.convertTo(elementType(op.getResult()), x[0]);
      });
}

} // namespace cornu::lower
