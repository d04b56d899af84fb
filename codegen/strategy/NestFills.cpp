//===- NestFills.cpp - Which fills a nest takes over ----------------------===//
//
// fill 0 -> %t; %t[i] = f(x[i])   ->   %t[i] = f(x[i])
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/NestFills.h"

#include "codegen/strategy/BufferAccess.h"
#include "codegen/strategy/GenericLoops.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cornu::codegen {

linalg::FillOp fillOf(linalg::GenericOp op, unsigned output) {
  Value buffer = op.getDpsInits()[output];
  Value base = baseBuffer(buffer);
  for (Operation *before = op->getPrevNode(); before;
       before = before->getPrevNode()) {
    if (auto fill = dyn_cast<linalg::FillOp>(before))
      if (fill.getOutputs()[0] == buffer)
        return matchPattern(fill.getInputs()[0], m_Constant()) ? fill : nullptr;
    if (readsBuffer(before, base) || writesBuffer(before, base))
      return {};
  }
  return {};
}

void resolveFills(RewriterBase &rewriter, Block &block) {
  SmallVector<linalg::FillOp> fills(block.getOps<linalg::FillOp>());
  for (linalg::FillOp fill : fills) {
    Value buffer = fill.getOutputs()[0];
    Value base = baseBuffer(buffer);
    // Who touches it next?
    bool absorbed = false, overwritten = false;
    for (Operation *op = fill->getNextNode(); op; op = op->getNextNode()) {
      if (!readsBuffer(op, base) && !writesBuffer(op, base))
        continue;
      auto generic = dyn_cast<linalg::GenericOp>(op);
      if (!generic)
        break;
      for (unsigned o = 0; o < generic.getNumDpsInits(); ++o) {
        if (generic.getDpsInits()[o] != buffer)
          continue;
        bool once = llvm::count(generic->getOperands(), buffer) == 1;
        if (isAllParallel(generic))
          overwritten =
              once && generic.getRegionOutputArgs()[o].use_empty() &&
              generic.getIndexingMapsArray()[generic.getNumDpsInputs() + o]
                  .isPermutation();
        else
          absorbed = once && fillOf(generic, o);
      }
      break;
    }
    if (absorbed)
      continue;
    if (!overwritten) {
      auto type = cast<MemRefType>(buffer.getType());
      rewriter.setInsertionPoint(fill);
      SmallVector<utils::IteratorType> parallel(type.getRank(),
                                                utils::IteratorType::parallel);
      linalg::GenericOp::create(
          rewriter, fill.getLoc(), ValueRange(), buffer,
          rewriter.getMultiDimIdentityMap(type.getRank()), parallel,
          [&](OpBuilder &builder, Location loc, ValueRange) {
            linalg::YieldOp::create(builder, loc, fill.getInputs()[0]);
          });
    }
    rewriter.eraseOp(fill);
  }
}

} // namespace cornu::codegen
