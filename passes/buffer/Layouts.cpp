//===- Layouts.cpp - Kernels for operands that lie elsewhere --------------===//

#include "passes/buffer/Layouts.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace cornu::buffer {

MemRefType collapsedType(MemRefType source,
                         ArrayRef<ReassociationIndices> groups) {
  if (!memref::CollapseShapeOp::isGuaranteedCollapsible(source, groups))
    return {};
  return memref::CollapseShapeOp::computeCollapsedType(source, groups);
}

MemRefType expandedType(MemRefType source, ArrayRef<int64_t> shape,
                        ArrayRef<ReassociationIndices> groups) {
  FailureOr<MemRefType> expanded =
      memref::ExpandShapeOp::computeExpandedType(source, shape, groups);
  return succeeded(expanded) ? *expanded : MemRefType();
}

/// The type of `view` if what it is a view of had the type `source`; null if
/// there is no such view.
static MemRefType typeOfView(Operation *view, MemRefType source) {
  auto type = cast<MemRefType>(view->getResult(0).getType());
  if (auto cast = dyn_cast<memref::CastOp>(view))
    return memref::CastOp::areCastCompatible(source, type) ? type
                                                           : MemRefType();
  if (auto part = dyn_cast<memref::SubViewOp>(view))
    return memref::SubViewOp::inferRankReducedResultType(
        type.getShape(), source, part.getStaticOffsets(), part.getStaticSizes(),
        part.getStaticStrides());
  if (auto collapse = dyn_cast<memref::CollapseShapeOp>(view))
    return collapsedType(source, collapse.getReassociationIndices());
  if (auto expand = dyn_cast<memref::ExpandShapeOp>(view))
    return expandedType(source, type.getShape(),
                        expand.getReassociationIndices());
  return {};
}

bool allowsLayout(Value memref, MemRefType type, SymbolTable &symbols) {
  return llvm::all_of(memref.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<ViewLikeOpInterface>(user)) {
      MemRefType viewed = typeOfView(user, type);
      return viewed && (viewed == user->getResult(0).getType() ||
                        allowsLayout(user->getResult(0), viewed, symbols));
    }
    if (auto call = dyn_cast<func::CallOp>(user)) {
      auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
      return !kernel.isExternal() &&
             allowsLayout(kernel.getArgument(use.getOperandNumber()), type,
                          symbols);
    }
    return isa<linalg::LinalgOp, memref::LoadOp, memref::StoreOp, memref::DimOp,
               memref::CopyOp>(user);
  });
}

void setLayout(Value memref, MemRefType type) {
  if (memref.getType() == type)
    return;
  memref.setType(type);
  updateViews(memref);
}

void updateViews(Value memref) {
  for (Operation *user : memref.getUsers())
    if (isa<ViewLikeOpInterface>(user))
      setLayout(user->getResult(0),
                typeOfView(user, cast<MemRefType>(memref.getType())));
}

void specializeCallsByLayout(ModuleOp module) {
  SymbolTable symbols(module);
  // The calls of each kernel, by the types of their operands.
  llvm::MapVector<Operation *, llvm::MapVector<Type, SmallVector<func::CallOp>>>
      callsOf;
  module.walk([&](func::CallOp call) {
    Operation *kernel = symbols.lookup(call.getCallee());
    callsOf[kernel][call.getCalleeType()].push_back(call);
  });
  for (auto &[op, groups] : callsOf) {
    auto kernel = cast<func::FuncOp>(op);
    FunctionType own = kernel.getFunctionType();
    bool isFree = !groups.contains(own);
    for (auto &[key, calls] : groups) {
      auto type = cast<FunctionType>(key);
      if (type == own)
        continue;
      func::FuncOp version = kernel;
      if (!isFree) {
        version = kernel.clone();
        symbols.insert(version, Block::iterator(kernel));
      }
      isFree = false;
      for (auto [argument, operand] :
           llvm::zip_equal(version.getArguments(), type.getInputs()))
        setLayout(argument, cast<MemRefType>(operand));
      version.setFunctionType(type);
      for (func::CallOp call : calls)
        call.setCallee(version.getName());
    }
  }
}

} // namespace cornu::buffer
