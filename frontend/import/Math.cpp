//===- Math.cpp - Building elementwise nn ops and reductions --------------===//

#include "frontend/import/Math.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

//===----------------------------------------------------------------------===//
// Types and constants
//===----------------------------------------------------------------------===//

Shape Math::shape(Value value) {
  return Shape(nn::tensorType(value).getShape());
}

int64_t Math::size(Value value, int64_t axis) {
  ArrayRef<int64_t> sizes = nn::tensorType(value).getShape();
  return sizes[axis < 0 ? axis + static_cast<int64_t>(sizes.size()) : axis];
}

bool Math::isFloat(Value value) {
  return isa<FloatType>(nn::elementType(value));
}

int64_t Math::axis(Value value, int64_t axis) {
  if (!value)
    return -1;
  int64_t result = axis < 0 ? axis + rank(value) : axis;
  if (result >= 0 && result < rank(value))
    return result;
  fail("axis " + Twine(axis) + " is out of range for the shape " +
       nn::formatShape(shape(value)));
  return -1;
}

Value Math::scalar(double value, Type type) {
  return nn::scalar(builder, location, type ? type : f32(), value);
}

Value Math::constant(ArrayRef<double> values, ArrayRef<int64_t> shape,
                     Type type) {
  if (!type)
    type = f32();
  auto tensor = RankedTensorType::get(shape, type);
  SmallVector<Attribute> elements;
  for (double value : values)
    elements.push_back(isa<FloatType>(type)
                           ? Attribute(builder.getFloatAttr(type, value))
                           : Attribute(builder.getIntegerAttr(
                                 type, static_cast<int64_t>(value))));
  return nn::ConstantOp::create(builder, location, tensor,
                                DenseElementsAttr::get(tensor, elements));
}

Value Math::iota(int64_t size, Type type) {
  return nn::IotaOp::create(builder, location,
                            RankedTensorType::get({size}, type), 0);
}

// A number beside a tensor has the tensor's element type, unless that cannot
// hold it.
Value Math::like(Value other, double value) {
  if (!other)
    return {};
  Type type = nn::elementType(other);
  bool fraction = std::floor(value) != value;
  if (!isa<FloatType>(type) && (fraction || type.isInteger(1)))
    type = fraction ? f32() : i32();
  return scalar(value, type);
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

static int typeRank(Type type) {
  if (type.isInteger(1))
    return 0;
  if (auto integer = dyn_cast<IntegerType>(type))
    return static_cast<int>(integer.getWidth());
  return 100 + static_cast<int>(type.getIntOrFloatBitWidth());
}

void Math::unifyTypes(Value &a, Value &b) {
  Type ta = nn::elementType(a), tb = nn::elementType(b);
  if (typeRank(ta) < typeRank(tb))
    a = convert(a, tb);
  else if (typeRank(tb) < typeRank(ta))
    b = convert(b, ta);
  else if (ta != tb)
    b = convert(b, ta);
}

bool Math::unify(Value &a, Value &b) {
  if (!a || !b)
    return false;
  unifyTypes(a, b);
  if (succeeded(nn::broadcastShapes(shape(a), shape(b))))
    return true;
  fail("the shapes " + nn::formatShape(shape(a)) + " and " +
       nn::formatShape(shape(b)) + " do not broadcast");
  return false;
}

template <typename Op> Value Math::binary(Value a, Value b) {
  if (!unify(a, b))
    return {};
  return Op::create(builder, location, a, b);
}

Value Math::add(Value a, Value b) { return binary<nn::AddOp>(a, b); }
Value Math::subtract(Value a, Value b) { return binary<nn::SubtractOp>(a, b); }
Value Math::multiply(Value a, Value b) { return binary<nn::MultiplyOp>(a, b); }
Value Math::divide(Value a, Value b) {
  return binary<nn::DivideOp>(toFloat(a), toFloat(b));
}
Value Math::maximum(Value a, Value b) { return binary<nn::MaximumOp>(a, b); }
Value Math::minimum(Value a, Value b) { return binary<nn::MinimumOp>(a, b); }
Value Math::power(Value a, Value b) {
  return binary<nn::PowerOp>(toFloat(a), toFloat(b));
}
Value Math::remainder(Value a, Value b) {
  return binary<nn::RemainderOp>(a, b);
}

template <typename Op> Value Math::logical(Value a, Value b) {
  if (!a || !b)
    return {};
  return binary<Op>(convert(a, i1()), convert(b, i1()));
}

Value Math::logicalAnd(Value a, Value b) {
  return logical<nn::LogicalAndOp>(a, b);
}
Value Math::logicalOr(Value a, Value b) {
  return logical<nn::LogicalOrOp>(a, b);
}
Value Math::logicalXor(Value a, Value b) {
  return logical<nn::LogicalXorOp>(a, b);
}
Value Math::logicalNot(Value a) {
  return a ? Value(
                 nn::LogicalNotOp::create(builder, location, convert(a, i1())))
           : Value();
}

Value Math::compare(nn::Predicate predicate, Value a, Value b) {
  if (!unify(a, b))
    return {};
  return nn::CompareOp::create(builder, location, predicate, a, b);
}

Value Math::select(Value condition, Value a, Value b) {
  if (!condition || !unify(a, b))
    return {};
  FailureOr<Shape> both = nn::broadcastShapes(shape(a), shape(b));
  if (failed(nn::broadcastShapes(shape(condition), *both))) {
    fail("the condition's shape " + nn::formatShape(shape(condition)) +
         " does not broadcast with " + nn::formatShape(*both));
    return {};
  }
  return nn::SelectOp::create(builder, location, convert(condition, i1()), a,
                              b);
}

Value Math::convert(Value value, Type type) {
  if (!value || nn::elementType(value) == type)
    return value;
  return nn::ConvertOp::create(builder, location,
                               nn::tensorType(value).clone(type), value);
}

Value Math::toFloat(Value value) {
  return !value || isFloat(value) ? value : convert(value, f32());
}

template <typename Op> Value Math::unary(Value x) {
  if (!x)
    return {};
  return Op::create(builder, location, x.getType(), x);
}

// Negation, absolute value and sign also exist for integers.
static Value numeric(Math &m, Value x) {
  return x && nn::elementType(x).isInteger(1) ? m.convert(x, m.i32()) : x;
}

Value Math::negate(Value x) { return unary<nn::NegateOp>(numeric(*this, x)); }
Value Math::absolute(Value x) {
  return unary<nn::AbsoluteOp>(numeric(*this, x));
}
Value Math::sign(Value x) { return unary<nn::SignOp>(numeric(*this, x)); }
Value Math::relu(Value x) { return unary<nn::ReluOp>(numeric(*this, x)); }
Value Math::stopGradient(Value x) { return unary<nn::StopGradientOp>(x); }
Value Math::exp(Value x) { return unary<nn::ExpOp>(toFloat(x)); }
Value Math::expm1(Value x) { return unary<nn::Expm1Op>(toFloat(x)); }
Value Math::log(Value x) { return unary<nn::LogOp>(toFloat(x)); }
Value Math::log1p(Value x) { return unary<nn::Log1pOp>(toFloat(x)); }
Value Math::sqrt(Value x) { return unary<nn::SqrtOp>(toFloat(x)); }
Value Math::rsqrt(Value x) { return unary<nn::RsqrtOp>(toFloat(x)); }
Value Math::sin(Value x) { return unary<nn::SinOp>(toFloat(x)); }
Value Math::cos(Value x) { return unary<nn::CosOp>(toFloat(x)); }
Value Math::tanh(Value x) { return unary<nn::TanhOp>(toFloat(x)); }
Value Math::sigmoid(Value x) { return unary<nn::SigmoidOp>(toFloat(x)); }
Value Math::erf(Value x) { return unary<nn::ErfOp>(toFloat(x)); }
Value Math::softplus(Value x) { return unary<nn::SoftplusOp>(toFloat(x)); }
Value Math::floor(Value x) { return unary<nn::FloorOp>(toFloat(x)); }

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

Value Math::reduce(nn::ReductionKind kind, Value x, ArrayRef<int64_t> axes,
                   bool keepAxes) {
  if (!x)
    return {};
  Shape normalized;
  for (int64_t a : axes) {
    int64_t index = axis(x, a);
    if (index < 0)
      return {};
    normalized.push_back(index);
  }
  llvm::sort(normalized);
  if (failed(nn::reducedShape(shape(x), normalized, keepAxes))) {
    fail("an axis is reduced twice");
    return {};
  }
  if (normalized.empty())
    return x;
  bool boolean =
      kind == nn::ReductionKind::any || kind == nn::ReductionKind::all;
  if (boolean)
    x = convert(x, i1());
  else if (kind == nn::ReductionKind::mean)
    x = toFloat(x);
  else
    x = numeric(*this, x);
  return nn::ReduceOp::create(builder, location, kind, x, normalized, keepAxes);
}

Value Math::sumAll(Value x) {
  if (!x)
    return {};
  Shape axes;
  for (int64_t i = 0; i < rank(x); ++i)
    axes.push_back(i);
  return sum(x, axes);
}

Value Math::argmax(Value x, int64_t at) {
  at = axis(x, at);
  if (at < 0)
    return {};
  return nn::ArgmaxOp::create(builder, location, at, x);
}

Value Math::softmax(Value x, int64_t at) {
  at = axis(x, at);
  if (at < 0)
    return {};
  x = toFloat(x);
  return nn::SoftmaxOp::create(builder, location, x.getType(), at, x);
}

Value Math::logSoftmax(Value x, int64_t at) {
  at = axis(x, at);
  if (at < 0)
    return {};
  x = toFloat(x);
  return nn::LogSoftmaxOp::create(builder, location, x.getType(), at, x);
}

Value Math::l2Normalize(Value x, ArrayRef<int64_t> axes, double limit) {
  x = toFloat(x);
  return multiply(x, minimum(rsqrt(sum(square(x), axes, true)), limit));
}

SmallVector<Value>
Math::ifTraining(llvm::function_ref<SmallVector<Value>()> training,
                 llvm::function_ref<SmallVector<Value>()> inference) {
  OperationState state(location, nn::IfTrainingOp::getOperationName());
  Block *blocks[2];
  for (Block *&block : blocks) {
    block = new Block;
    state.addRegion()->push_back(block);
  }
  SmallVector<Value> results[2];
  bool complete = true;
  for (int i = 0; i < 2; ++i) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(blocks[i]);
    results[i] = i == 0 ? training() : inference();
    for (Value value : results[i])
      complete &= static_cast<bool>(value);
    // A missing value was reported; the op is dropped with the module.
    if (complete)
      nn::YieldOp::create(builder, location, results[i]);
  }
  if (!complete || results[0].empty())
    return {};
  state.addTypes(ValueRange(results[0]).getTypes());
  auto values = builder.create(state)->getResults();
  return SmallVector<Value>(values.begin(), values.end());
}

Value Math::ifTraining(llvm::function_ref<Value()> training,
                       llvm::function_ref<Value()> inference) {
  SmallVector<Value> results =
      ifTraining([&] { return SmallVector<Value>{training()}; },
                 [&] { return SmallVector<Value>{inference()}; });
  return results.empty() ? Value() : results[0];
}
