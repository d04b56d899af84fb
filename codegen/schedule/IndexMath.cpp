//===- IndexMath.cpp - Index arithmetic that folds ------------------------===//
//
// %c4 + %c4 -> %c8
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/IndexMath.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cornu::codegen {

std::optional<int64_t> constantOf(Value value) {
  IntegerAttr attr;
  if (value && matchPattern(value, m_Constant(&attr)))
    return attr.getInt();
  return std::nullopt;
}

std::optional<int64_t> constantOf(OpFoldResult value) {
  if (auto attr = dyn_cast<Attribute>(value))
    return cast<IntegerAttr>(attr).getInt();
  return constantOf(cast<Value>(value));
}

Value IndexMath::constant(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value IndexMath::value(OpFoldResult v) {
  if (auto attr = dyn_cast<Attribute>(v))
    return constant(cast<IntegerAttr>(attr).getInt());
  return cast<Value>(v);
}

Value IndexMath::add(Value a, Value b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant(*left + *right);
  if (left && *left == 0)
    return b;
  if (right && *right == 0)
    return a;
  return arith::AddIOp::create(builder, loc, a, b);
}

Value IndexMath::add(Value a, int64_t b) {
  if (b == 0)
    return a;
  return add(a, constant(b));
}

Value IndexMath::sub(Value a, Value b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant(*left - *right);
  if (right && *right == 0)
    return a;
  return arith::SubIOp::create(builder, loc, a, b);
}

Value IndexMath::mul(Value a, OpFoldResult b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant(*left * *right);
  if ((left && *left == 0) || (right && *right == 1))
    return a;
  if (left && *left == 1)
    return value(b);
  if (right && *right == 0)
    return constant(0);
  return arith::MulIOp::create(builder, loc, a, value(b));
}

Value IndexMath::min(Value a, Value b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant(std::min(*left, *right));
  return arith::MinSIOp::create(builder, loc, a, b);
}

Value IndexMath::max(Value a, Value b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant(std::max(*left, *right));
  return arith::MaxUIOp::create(builder, loc, a, b);
}

Value IndexMath::div(Value a, Value b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant(*left / *right);
  if (right && *right == 1)
    return a;
  return arith::DivUIOp::create(builder, loc, a, b);
}

Value IndexMath::rem(Value a, Value b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant(*left % *right);
  if (right && *right == 1)
    return constant(0);
  return arith::RemUIOp::create(builder, loc, a, b);
}

Value IndexMath::ceilDiv(Value a, int64_t b) {
  return div(add(a, b - 1), constant(b));
}

Value IndexMath::ceilDiv(Value a, Value b) {
  auto left = constantOf(a), right = constantOf(b);
  if (left && right)
    return constant((*left + *right - 1) / *right);
  if (right && *right == 1)
    return a;
  return arith::CeilDivUIOp::create(builder, loc, a, b);
}

} // namespace cornu::codegen
