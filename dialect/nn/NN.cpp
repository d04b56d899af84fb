//===- NN.cpp - The nn dialect --------------------------------------------===//

#include "dialect/nn/NN.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace cornu::nn;

#include "dialect/nn/Dialect.cpp.inc"
#include "dialect/nn/Enums.cpp.inc"
#include "dialect/nn/Interfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/nn/Attributes.cpp.inc"
#define GET_OP_CLASSES
#include "dialect/nn/Ops.cpp.inc"

void NNDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/nn/Attributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/nn/Ops.cpp.inc"
      >();
}

Operation *NNDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                          Type type, Location loc) {
  auto elements = llvm::dyn_cast<ElementsAttr>(value);
  if (!elements || elements.getType() != type)
    return nullptr;
  return ConstantOp::create(builder, loc, type, elements);
}

bool cornu::nn::isElementwise(Operation *op) {
  return op->hasTrait<Elementwise>();
}

Value cornu::nn::scalar(OpBuilder &builder, Location loc, Type elementType,
                        double value) {
  return ConstantOp::create(builder, loc, elementType, value);
}
