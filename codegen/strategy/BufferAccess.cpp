//===- BufferAccess.cpp - Who reads and writes a buffer -------------------===//
//
// %v = memref.subview %b ...; linalg.fill outs(%v)   writes %b
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/BufferAccess.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace cornu::codegen {

Value baseBuffer(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

bool isPrivateBuffer(Value base) {
  return base.getDefiningOp<memref::AllocOp>() ||
         base.getDefiningOp<memref::AllocaOp>();
}
/// True if `op` or an op inside it reads (or writes) `base`. What is not known
/// does both.
static bool anyAccess(Operation *op, Value base, bool writes) {
  bool found = false;
  op->walk([&](Operation *inner) {
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(inner)) {
      for (OpOperand &operand : inner->getOpOperands()) {
        if (!isa<BaseMemRefType>(operand.get().getType()) ||
            baseBuffer(operand.get()) != base)
          continue;
        bool isOutput = linalgOp.isDpsInit(&operand);
        found |= writes ? isOutput
                        : !isOutput ||
                              linalgOp.payloadUsesValueFromOperand(&operand);
      }
      return;
    }
    if (isa<ViewLikeOpInterface, memref::DeallocOp, memref::DimOp>(inner))
      return;
    if (auto copy = dyn_cast<memref::CopyOp>(inner)) {
      found |= baseBuffer(writes ? copy.getTarget() : copy.getSource()) == base;
      return;
    }
    if (isa<memref::LoadOp>(inner)) {
      found |= !writes && baseBuffer(inner->getOperand(0)) == base;
      return;
    }
    if (auto store = dyn_cast<memref::StoreOp>(inner)) {
      found |= writes && baseBuffer(store.getMemRef()) == base;
      return;
    }
    if (inner->getNumRegions())
      return; // its ops are visited
    for (Value operand : inner->getOperands())
      if (isa<BaseMemRefType>(operand.getType()))
        found |= baseBuffer(operand) == base;
  });
  return found;
}

bool readsBuffer(Operation *op, Value base) {
  return anyAccess(op, base, /*writes=*/false);
}
bool writesBuffer(Operation *op, Value base) {
  return anyAccess(op, base, /*writes=*/true);
}

SmallVector<Value> buffersRead(linalg::GenericOp op) {
  SmallVector<Value> buffers;
  for (OpOperand &operand : op->getOpOperands())
    if (isa<MemRefType>(operand.get().getType()) &&
        op.payloadUsesValueFromOperand(&operand))
      buffers.push_back(baseBuffer(operand.get()));
  op.getBody()->walk([&](memref::LoadOp load) {
    buffers.push_back(baseBuffer(load.getMemRef()));
  });
  return buffers;
}

SmallVector<Value> buffersWritten(linalg::GenericOp op) {
  SmallVector<Value> buffers;
  for (Value output : op.getDpsInits())
    buffers.push_back(baseBuffer(output));
  return buffers;
}

bool gathersFrom(linalg::GenericOp reader, ArrayRef<Value> buffers) {
  WalkResult found = reader.getBody()->walk([&](memref::LoadOp load) {
    return llvm::is_contained(buffers, baseBuffer(load.getMemRef()))
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return found.wasInterrupted();
}

SmallVector<Operation *> opsBetween(Operation *first, Operation *second) {
  SmallVector<Operation *> ops;
  for (Operation *op = first->getNextNode(); op && op != second;
       op = op->getNextNode())
    ops.push_back(op);
  return ops;
}

} // namespace cornu::codegen
