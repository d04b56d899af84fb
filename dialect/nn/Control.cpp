//===- Control.cpp - Recurrence and modes ---------------------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cornu::nn;

/// The type of a sequence's element at one step: without the time axis.
static RankedTensorType elementOfSequence(RankedTensorType sequence) {
  Shape shape(sequence.getShape());
  shape.erase(shape.begin() + 1);
  return RankedTensorType::get(shape, sequence.getElementType());
}

/// The type of `steps` stacked outputs.
static RankedTensorType stackedType(RankedTensorType output, int64_t steps) {
  Shape shape(output.getShape());
  shape.insert(shape.begin() + 1, steps);
  return RankedTensorType::get(shape, output.getElementType());
}

void ScanOp::build(
    OpBuilder &builder, OperationState &state, int64_t steps, bool reverse,
    ValueRange initial, ValueRange sequences, ValueRange invariants,
    llvm::function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange,
                                          ValueRange, ValueRange)>
        buildBody) {
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.steps = builder.getI64IntegerAttr(steps);
  if (reverse)
    properties.reverse = builder.getUnitAttr();
  properties.operandSegmentSizes = {static_cast<int32_t>(initial.size()),
                                    static_cast<int32_t>(sequences.size()),
                                    static_cast<int32_t>(invariants.size())};
  state.addOperands(initial);
  state.addOperands(sequences);
  state.addOperands(invariants);

  OpBuilder::InsertionGuard guard(builder);
  Block *body = builder.createBlock(state.addRegion());
  for (Value value : initial)
    body->addArgument(value.getType(), value.getLoc());
  for (Value value : sequences)
    body->addArgument(elementOfSequence(tensorType(value)), value.getLoc());
  for (Value value : invariants)
    body->addArgument(value.getType(), value.getLoc());
  ValueRange arguments = body->getArguments();
  SmallVector<Value> yielded =
      buildBody(builder, state.location, arguments.take_front(initial.size()),
                arguments.slice(initial.size(), sequences.size()),
                arguments.take_back(invariants.size()));
  YieldOp::create(builder, state.location, yielded);
  for (auto [i, value] : llvm::enumerate(yielded))
    state.addTypes(i < initial.size() ? value.getType()
                                      : stackedType(tensorType(value), steps));
}

LogicalResult ScanOp::verifyRegions() {
  int64_t steps = getSteps();
  if (steps < 1)
    return emitOpError("steps must be positive");
  Block *body = getBodyBlock();
  auto yield = dyn_cast<YieldOp>(body->getTerminator());
  if (!yield)
    return emitOpError("body must end in nn.yield");
  if (body->getNumArguments() != getNumOperands())
    return emitOpError("body needs one argument per operand: ")
           << getNumOperands() << ", not " << body->getNumArguments();
  size_t numState = getState().size();
  for (auto [i, operand] : llvm::enumerate(getOperands())) {
    Type expected = operand.getType();
    bool isSequence = i >= numState && i < numState + getSequences().size();
    if (isSequence) {
      RankedTensorType type = tensorType(operand);
      if (type.getRank() < 2 || type.getDimSize(1) != steps)
        return emitOpError("sequence #")
               << i - numState << " has shape " << formatShape(type.getShape())
               << ", its axis 1 must have " << steps << " steps";
      expected = elementOfSequence(type);
    }
    if (body->getArgument(i).getType() != expected)
      return emitOpError("body argument #")
             << i << " has type " << body->getArgument(i).getType()
             << ", needs " << expected;
  }
  if (yield.getNumOperands() != getNumResults() || getNumResults() < numState)
    return emitOpError("body yields ")
           << yield.getNumOperands() << " values for " << getNumResults()
           << " results and " << numState << " states";
  for (auto [i, value] : llvm::enumerate(yield.getOperands())) {
    Type expected = value.getType();
    if (i < numState) {
      if (expected != getState()[i].getType())
        return emitOpError("body yields ")
               << expected << " for state #" << i << " of type "
               << getState()[i].getType();
    } else {
      RankedTensorType output = tensorType(value);
      if (output.getRank() < 1)
        return emitOpError("output #")
               << i - numState << " has no batch dimension";
      expected = stackedType(output, steps);
    }
    if (getResult(i).getType() != expected)
      return emitOpError("result #")
             << i << " has type " << getResult(i).getType() << ", needs "
             << expected;
  }
  return success();
}

LogicalResult IfTrainingOp::verify() {
  for (Region *region : getRegions()) {
    auto yield = dyn_cast<YieldOp>(region->front().getTerminator());
    if (!yield || yield.getOperandTypes() != getResultTypes())
      return emitOpError("both regions must yield the types of the results");
  }
  return success();
}
