//===- MathBuilder.h - Arithmetic on scalars and vectors alike ------------===//
//
// A formula written once for every element type and every vector width:
//
//   MathBuilder m(builder, loc, x.getType());       // f32, vector<8xf64>, ...
//   Value y = m.mulAdd(x, x, m.constant(1));        // x^2 + 1
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_CODEGEN_EMIT_MATHBUILDER_H
#define CORNU_CODEGEN_EMIT_MATHBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace cornu::codegen {

class MathBuilder {
public:
  using Value = mlir::Value;
  using Type = mlir::Type;

  MathBuilder(mlir::OpBuilder &b, mlir::Location loc, Type type)
      : b(b), loc(loc), type(type),
        width(mlir::getElementTypeOrSelf(type).getIntOrFloatBitWidth()) {}

  static bool isSupported(Type type) {
    Type element = mlir::getElementTypeOrSelf(type);
    return (element.isF32() || element.isF64()) &&
           (type == element || mlir::isa<mlir::VectorType>(type));
  }

  bool isF64() const { return width == 64; }
  /// The same shape with elements of f32 or f64.
  MathBuilder withWidth(unsigned bits) const {
    return MathBuilder(
        b, loc,
        shaped(bits == 64 ? Type(b.getF64Type()) : Type(b.getF32Type())));
  }

  //===--- Floating point -------------------------------------------------===//
  Value constant(double value) {
    return splat(b.getFloatAttr(mlir::getElementTypeOrSelf(type), value), type);
  }
  Value add(Value x, Value y) {
    return mlir::arith::AddFOp::create(b, loc, x, y);
  }
  Value sub(Value x, Value y) {
    return mlir::arith::SubFOp::create(b, loc, x, y);
  }
  Value mul(Value x, Value y) {
    return mlir::arith::MulFOp::create(b, loc, x, y);
  }
  Value div(Value x, Value y) {
    return mlir::arith::DivFOp::create(b, loc, x, y);
  }
  Value negate(Value x) { return mlir::arith::NegFOp::create(b, loc, x); }
  Value abs(Value x) { return mlir::math::AbsFOp::create(b, loc, x); }
  Value squareRoot(Value x) { return mlir::math::SqrtOp::create(b, loc, x); }
  Value roundEven(Value x) {
    return mlir::math::RoundEvenOp::create(b, loc, x);
  }
  Value copySign(Value magnitude, Value sign) {
    return mlir::math::CopySignOp::create(b, loc, magnitude, sign);
  }
  /// x * y + z, one rounding where the target can.
  Value mulAdd(Value x, Value y, Value z) {
    auto contract = mlir::arith::FastMathFlags::contract;
    Value product = mlir::arith::MulFOp::create(b, loc, x, y, contract);
    return mlir::arith::AddFOp::create(b, loc, product, z, contract);
  }
  /// x - y * z, one rounding where the target can.
  Value subMul(Value x, Value y, Value z) {
    auto contract = mlir::arith::FastMathFlags::contract;
    Value product = mlir::arith::MulFOp::create(b, loc, y, z, contract);
    return mlir::arith::SubFOp::create(b, loc, x, product, contract);
  }
  /// Horner's scheme, lowest degree first.
  Value polynomial(llvm::ArrayRef<double> coefficients, Value x) {
    Value result = constant(coefficients.back());
    for (double c : llvm::reverse(coefficients.drop_back()))
      result = mulAdd(result, x, constant(c));
    return result;
  }
  /// min(x, limit), NaN if x is: written so that it is one minps.
  Value minimum(Value x, double limit) {
    Value bound = constant(limit);
    return select(compare(mlir::arith::CmpFPredicate::OLT, bound, x), bound, x);
  }
  Value clamp(Value x, double low, double high) {
    Value bound = constant(low);
    x = select(compare(mlir::arith::CmpFPredicate::OGT, bound, x), bound, x);
    return minimum(x, high);
  }
  Value compare(mlir::arith::CmpFPredicate predicate, Value x, Value y) {
    return mlir::arith::CmpFOp::create(b, loc, predicate, x, y);
  }
  Value select(Value condition, Value x, Value y) {
    return mlir::arith::SelectOp::create(b, loc, condition, x, y);
  }
  /// f32 to this builder's f64 and back; f64 stays.
  Value extend(Value x) {
    if (x.getType() == type)
      return x;
    return mlir::arith::ExtFOp::create(b, loc, type, x);
  }
  Value truncate(Value x) {
    return mlir::arith::TruncFOp::create(b, loc, shaped(b.getF32Type()), x);
  }

  //===--- Integers as wide as the floats ---------------------------------===//
  Value integer(int64_t value) {
    return splat(b.getIntegerAttr(b.getIntegerType(width), value),
                 integerType());
  }
  Value toIntegerBits(Value x) {
    return mlir::arith::BitcastOp::create(b, loc, integerType(), x);
  }
  Value toFloatBits(Value x) {
    return mlir::arith::BitcastOp::create(b, loc, type, x);
  }
  Value integerToFloat(Value x) {
    return mlir::arith::SIToFPOp::create(b, loc, type, x);
  }
  /// From i32 to this builder's i64.
  Value extendInt(Value x) {
    return mlir::arith::ExtSIOp::create(b, loc, integerType(), x);
  }
  Value addInt(Value x, Value y) {
    return mlir::arith::AddIOp::create(b, loc, x, y);
  }
  Value subInt(Value x, Value y) {
    return mlir::arith::SubIOp::create(b, loc, x, y);
  }
  Value maxInt(Value x, Value y) {
    return mlir::arith::MaxSIOp::create(b, loc, x, y);
  }
  Value andInt(Value x, Value y) {
    return mlir::arith::AndIOp::create(b, loc, x, y);
  }
  Value xorInt(Value x, Value y) {
    return mlir::arith::XOrIOp::create(b, loc, x, y);
  }
  /// Of two conditions.
  Value andBits(Value x, Value y) { return andInt(x, y); }
  Value compareInt(Value x, Value y) {
    return mlir::arith::CmpIOp::create(b, loc, mlir::arith::CmpIPredicate::eq,
                                       x, y);
  }
  Value shiftLeft(Value x, int64_t bits) {
    return mlir::arith::ShLIOp::create(b, loc, x, integer(bits));
  }
  Value shiftRight(Value x, int64_t bits) {
    return mlir::arith::ShRSIOp::create(b, loc, x, integer(bits));
  }
  Value shiftRightUnsigned(Value x, int64_t bits) {
    return mlir::arith::ShRUIOp::create(b, loc, x, integer(bits));
  }
  /// table[first + index], an f64 for each i32 lane of the index.
  Value gather(Value table, Value index, int64_t first);

private:
  Type shaped(Type element) const {
    auto vector = mlir::dyn_cast<mlir::VectorType>(type);
    return vector ? Type(vector.clone(element)) : element;
  }
  Type integerType() const { return shaped(b.getIntegerType(width)); }
  Value splat(mlir::TypedAttr value, Type shape) {
    if (auto vector = mlir::dyn_cast<mlir::VectorType>(shape))
      value = mlir::DenseElementsAttr::get(vector, mlir::Attribute(value));
    return mlir::arith::ConstantOp::create(b, loc, value);
  }

  mlir::OpBuilder &b;
  mlir::Location loc;
  Type type;
  unsigned width;
};

inline mlir::Value MathBuilder::gather(Value table, Value index,
                                       int64_t first) {
  Value base = mlir::arith::ConstantIndexOp::create(b, loc, first);
  auto vector = mlir::dyn_cast<mlir::VectorType>(type);
  if (!vector) {
    Value position = mlir::arith::AddIOp::create(
        b, loc, base,
        mlir::arith::IndexCastOp::create(b, loc, b.getIndexType(), index));
    return mlir::memref::LoadOp::create(b, loc, table, position);
  }
  mlir::VectorType result = vector.clone(b.getF64Type());
  Value mask = splat(b.getBoolAttr(true), shaped(b.getI1Type()));
  Value other = splat(b.getF64FloatAttr(0), result);
  return mlir::vector::GatherOp::create(
      b, loc, result, table, mlir::ValueRange{base}, index, mask, other);
}

} // namespace cornu::codegen

#endif // CORNU_CODEGEN_EMIT_MATHBUILDER_H
