//===- DeadBuffers.cpp - Buffers that nobody reads are gone ---------------===//
//
// %t = memref.alloc; linalg.generic outs(%y, %t)   ->   linalg.generic outs(%y)
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/NestLoops.h"
#include "codegen/strategy/GenericBuilder.h"
#include "codegen/strategy/NestFusion.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

/// `op` without output `output`, which nobody reads.
static bool dropOutput(RewriterBase &rewriter, linalg::GenericOp op,
                       unsigned output) {
  GenericBuilder rest;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<unsigned> from;
  for (unsigned i = 0; i < op.getNumDpsInputs(); ++i)
    from.push_back(rest.addInput(op->getOperand(i), maps[i]));
  for (unsigned o = 0; o < op.getNumDpsInits(); ++o)
    if (o != output)
      rest.addOutput(op.getDpsInits()[o], maps[op.getNumDpsInputs() + o]);
  if (!rest.loopsAreKnown(op.getContext()))
    return false;
  rewriter.setInsertionPoint(op);
  rest.create(rewriter, op.getLoc(), op.getIteratorTypesArray(),
              [&](OpBuilder &builder, ValueRange inputs, ValueRange outputs) {
                IRMapping map;
                for (unsigned i = 0; i < op.getNumDpsInputs(); ++i)
                  map.map(op.getBody()->getArgument(i), inputs[from[i]]);
                unsigned next = 0;
                for (unsigned o = 0; o < op.getNumDpsInits(); ++o)
                  if (o != output)
                    map.map(op.getRegionOutputArgs()[o], outputs[next++]);
                // What only fed the dropped output is dead code.
                BlockArgument dropped = op.getRegionOutputArgs()[output];
                if (!dropped.use_empty())
                  map.map(dropped, arith::ConstantOp::create(
                                       builder, op.getLoc(),
                                       builder.getZeroAttr(dropped.getType())));
                SmallVector<Value> results = cloneBody(
                    builder, op, map, ownLoops(builder, op.getNumLoops()));
                results.erase(results.begin() + output);
                return results;
              });
  rewriter.eraseOp(op);
  return true;
}

/// True if output `output` can go: nothing else in the body needs its old
/// value.
static bool canDropOutput(linalg::GenericOp op, unsigned output) {
  return !op->hasAttr(kGuardsAttr) &&
         (op.getRegionOutputArgs()[output].use_empty() ||
          findCombiners(op)[output]);
}

/// Removes one use of a buffer that nobody reads; true if something changed.
static bool removeDeadWrite(RewriterBase &rewriter, Operation *user,
                            Value buffer) {
  auto generic = dyn_cast<linalg::GenericOp>(user);
  if (!generic || generic.getNumDpsInits() == 1) {
    rewriter.eraseOp(user);
    return true;
  }
  for (unsigned o = 0; o < generic.getNumDpsInits(); ++o)
    if (generic.getDpsInits()[o] == buffer && canDropOutput(generic, o))
      return dropOutput(rewriter, generic, o);
  return false;
}

void eraseDeadBuffers(RewriterBase &rewriter, func::FuncOp kernel) {
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<memref::AllocOp> allocs;
    kernel.walk([&](memref::AllocOp op) { allocs.push_back(op); });
    for (memref::AllocOp alloc : allocs) {
      bool needed = llvm::any_of(alloc->getUses(), [](OpOperand &use) {
        Operation *user = use.getOwner();
        if (isa<memref::DeallocOp, linalg::FillOp>(user))
          return false;
        auto generic = dyn_cast<linalg::GenericOp>(user);
        // A nest that only takes the shape of an operand needs it too.
        if (!generic || generic.isDpsInput(&use))
          return true;
        unsigned output = use.getOperandNumber() - generic.getNumDpsInputs();
        return generic.getNumDpsInits() > 1 && !canDropOutput(generic, output);
      });
      if (needed)
        continue;
      bool dropped = true;
      while (dropped && !alloc->use_empty()) {
        dropped = false;
        for (Operation *user : alloc->getUsers())
          if ((dropped = removeDeadWrite(rewriter, user, alloc)))
            break;
        changed |= dropped;
      }
      if (alloc->use_empty()) {
        rewriter.eraseOp(alloc);
        changed = true;
      }
    }
  }
}

} // namespace cornu::codegen
