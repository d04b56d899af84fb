//===- Indexing.cpp - Lookup and random numbers ---------------------------===//

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace cornu::nn;

LogicalResult GatherOp::inferReturnTypes(MLIRContext *,
                                         std::optional<Location> loc,
                                         Adaptor adaptor,
                                         SmallVectorImpl<Type> &types) {
  RankedTensorType table = tensorType(adaptor.getTable());
  if (table.getRank() < 1 || !table.hasStaticShape())
    return emitOptionalError(loc, "table must have rows and a static shape");
  Shape shape(tensorType(adaptor.getIndices()).getShape());
  llvm::append_range(shape, table.getShape().drop_front());
  types.push_back(RankedTensorType::get(shape, table.getElementType()));
  return success();
}

LogicalResult ScatterAddOp::verify() {
  auto result = cast<RankedTensorType>(getType());
  if (result.getRank() < 1 || !result.hasStaticShape())
    return emitOpError("result must have rows and a static shape");
  Shape shape(tensorType(getIndices()).getShape());
  llvm::append_range(shape, result.getShape().drop_front());
  RankedTensorType updates = tensorType(getUpdates());
  if (updates.getShape() != ArrayRef<int64_t>(shape) ||
      updates.getElementType() != result.getElementType())
    return emitOpError("updates have shape ")
           << formatShape(updates.getShape()) << ", need "
           << formatShape(shape);
  return success();
}

LogicalResult RandomUniformOp::verify() {
  if (tensorType(getState()).getShape() != ArrayRef<int64_t>{4})
    return emitOpError("state must be tensor<4xi32>");
  auto type = cast<RankedTensorType>(getType());
  bool onlyBatchIsDynamic =
      type.hasStaticShape() ||
      (type.getNumDynamicDims() == 1 && type.isDynamicDim(0));
  if (!onlyBatchIsDynamic)
    return emitOpError("only the leading dimension may be dynamic");
  if (!type.hasStaticShape() && !getLike())
    return emitOpError("needs `like` to know the result's leading dimension");
  if (getLike() && tensorType(getLike()).getRank() == 0)
    return emitOpError("`like` has no leading dimension");
  return success();
}
