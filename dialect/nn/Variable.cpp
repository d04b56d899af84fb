//===- Variable.cpp - State that outlives a call --------------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cornu::nn;

LogicalResult VariableOp::verify() {
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitOpError("must have a static shape");
  if (getValue() && getValue()->getShapedType() != type)
    return emitOpError("value has type ")
           << getValue()->getShapedType() << ", needs " << type;
  return success();
}

/// Checks that `op` names a variable of the type it reads or assigns.
static LogicalResult verifyUse(Operation *op, FlatSymbolRefAttr name, Type type,
                               SymbolTableCollection &symbols) {
  auto variable = symbols.lookupNearestSymbolFrom<VariableOp>(op, name);
  if (!variable)
    return op->emitOpError("there is no variable ") << name;
  if (variable.getType() != type)
    return op->emitOpError("variable ")
           << name << " has type " << variable.getType() << ", not " << type;
  return success();
}

LogicalResult ReadOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyUse(*this, getVariableAttr(), getType(), symbols);
}

LogicalResult AssignOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyUse(*this, getVariableAttr(), getValue().getType(), symbols);
}
