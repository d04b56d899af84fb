//===- NN.h - The nn dialect ------------------------------------*- C++ -*-===//
//
// Mathematical ops on tensors, from which layers, losses, metrics and
// optimizer steps are composed. Ops.td documents each op; README.md names the
// files. A short example of building IR:
//
//   Value y = b.create<nn::ContractOp>(loc, "bi,iu->bu", x, kernel);
//   y = b.create<nn::AddOp>(loc, y, bias);       // result types are inferred
//   y = b.create<nn::ReluOp>(loc, y);
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_DIALECT_NN_NN_H
#define CORNU_DIALECT_NN_NN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace cornu::nn {

/// Marks ops that compute each element of the result from the elements of the
/// operands at the same (broadcast) position.
template <typename ConcreteOp>
class Elementwise : public mlir::OpTrait::TraitBase<ConcreteOp, Elementwise> {};

} // namespace cornu::nn

#include "dialect/nn/Dialect.h.inc"
#include "dialect/nn/Enums.h.inc"
#include "dialect/nn/Interfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialect/nn/Attributes.h.inc"
#define GET_OP_CLASSES
#include "dialect/nn/Ops.h.inc"

namespace cornu::nn {

/// True for ops with the Elementwise trait.
bool isElementwise(mlir::Operation *op);

/// A scalar constant (tensor of rank 0) of the element type of `like`.
mlir::Value scalar(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Type elementType, double value);

} // namespace cornu::nn

#endif // CORNU_DIALECT_NN_NN_H
