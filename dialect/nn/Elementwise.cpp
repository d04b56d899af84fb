//===- Elementwise.cpp - Shapes and folds of elementwise ops --------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace cornu::nn;

//===----------------------------------------------------------------------===//
// Result types
//===----------------------------------------------------------------------===//

/// Broadcasts the shapes of `operands` to a tensor of `elementType`.
static LogicalResult inferBroadcast(std::optional<Location> loc,
                                    ValueRange operands, Type elementType,
                                    SmallVectorImpl<Type> &types) {
  Shape shape;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    FailureOr<Shape> next =
        broadcastShapes(shape, tensorType(operand).getShape());
    if (failed(next))
      return emitOptionalError(
          loc, "shape ", formatShape(tensorType(operand).getShape()),
          " of operand #", i, " does not broadcast with ", formatShape(shape));
    shape = *next;
  }
  types.push_back(RankedTensorType::get(shape, elementType));
  return success();
}

static LogicalResult inferBinary(std::optional<Location> loc, Value lhs,
                                 Value rhs, SmallVectorImpl<Type> &types) {
  if (elementType(lhs) != elementType(rhs))
    return emitOptionalError(loc, "element types of lhs (", elementType(lhs),
                             ") and rhs (", elementType(rhs), ") differ");
  return inferBroadcast(loc, {lhs, rhs}, elementType(lhs), types);
}

#define INFER_BINARY(OP)                                                       \
  LogicalResult OP::inferReturnTypes(                                          \
      MLIRContext *, std::optional<Location> loc, Adaptor adaptor,             \
      SmallVectorImpl<Type> &types) {                                          \
    return inferBinary(loc, adaptor.getLhs(), adaptor.getRhs(), types);        \
  }
INFER_BINARY(AddOp)
INFER_BINARY(SubtractOp)
INFER_BINARY(MultiplyOp)
INFER_BINARY(DivideOp)
INFER_BINARY(MaximumOp)
INFER_BINARY(MinimumOp)
INFER_BINARY(PowerOp)
INFER_BINARY(RemainderOp)
INFER_BINARY(LogicalAndOp)
INFER_BINARY(LogicalOrOp)
INFER_BINARY(LogicalXorOp)
#undef INFER_BINARY

LogicalResult CompareOp::inferReturnTypes(MLIRContext *context,
                                          std::optional<Location> loc,
                                          Adaptor adaptor,
                                          SmallVectorImpl<Type> &types) {
  if (failed(inferBinary(loc, adaptor.getLhs(), adaptor.getRhs(), types)))
    return failure();
  types.back() =
      cast<RankedTensorType>(types.back()).clone(IntegerType::get(context, 1));
  return success();
}

LogicalResult SelectOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  if (elementType(adaptor.getOnTrue()) != elementType(adaptor.getOnFalse()))
    return emitOptionalError(loc, "element types of on_true and on_false "
                                  "differ");
  return inferBroadcast(loc, adaptor.getOperands(),
                        elementType(adaptor.getOnTrue()), types);
}

//===----------------------------------------------------------------------===//
// Folds
//===----------------------------------------------------------------------===//

/// The value of a constant whose elements are all equal to one number.
static std::optional<double> splatValue(Attribute constant) {
  auto splat = dyn_cast_or_null<SplatElementsAttr>(constant);
  if (!splat)
    return std::nullopt;
  Type type = splat.getElementType();
  if (isa<FloatType>(type))
    return splat.getSplatValue<APFloat>().convertToDouble();
  if (type.isSignlessInteger() && !type.isInteger(1))
    return static_cast<double>(splat.getSplatValue<APInt>().getSExtValue());
  return std::nullopt;
}

/// `kept` if the other operand is the neutral number and broadcasting leaves
/// the type as it is; null otherwise.
static Value foldNeutral(Operation *op, Value kept, Attribute other,
                         double neutral) {
  std::optional<double> value = splatValue(other);
  bool isNeutral = value && *value == neutral;
  return isNeutral && kept.getType() == op->getResult(0).getType() ? kept
                                                                   : Value();
}

OpFoldResult NegateOp::fold(FoldAdaptor) {
  if (auto inner = getInput().getDefiningOp<NegateOp>())
    return inner.getInput();
  return {};
}

// x + 0 is not x for x = -0, but no formula of Keras tells the zeros apart.
OpFoldResult AddOp::fold(FoldAdaptor adaptor) {
  if (Value kept = foldNeutral(*this, getLhs(), adaptor.getRhs(), 0))
    return kept;
  return foldNeutral(*this, getRhs(), adaptor.getLhs(), 0);
}

OpFoldResult SubtractOp::fold(FoldAdaptor adaptor) {
  return foldNeutral(*this, getLhs(), adaptor.getRhs(), 0);
}

OpFoldResult MultiplyOp::fold(FoldAdaptor adaptor) {
  if (Value kept = foldNeutral(*this, getLhs(), adaptor.getRhs(), 1))
    return kept;
  return foldNeutral(*this, getRhs(), adaptor.getLhs(), 1);
}

OpFoldResult DivideOp::fold(FoldAdaptor adaptor) {
  return foldNeutral(*this, getLhs(), adaptor.getRhs(), 1);
}

OpFoldResult PowerOp::fold(FoldAdaptor adaptor) {
  return foldNeutral(*this, getLhs(), adaptor.getRhs(), 1);
}

OpFoldResult ConvertOp::fold(FoldAdaptor) {
  return getInput().getType() == getType() ? getInput() : Value();
}
