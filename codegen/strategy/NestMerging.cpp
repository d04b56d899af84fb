//===- NestMerging.cpp - Nests over the same loops become one -------------===//
//
// y = f(x); z = g(x)   ->   y, z = f(x), g(x)
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/NestLoops.h"
#include "codegen/strategy/BufferAccess.h"
#include "codegen/strategy/GenericBuilder.h"
#include "codegen/strategy/GenericLoops.h"
#include "codegen/strategy/NestFills.h"
#include "codegen/strategy/NestFusion.h"

using namespace mlir;

namespace cornu::codegen {

/// True if `b` may read or write what `a` writes only at the same point.
static bool dependsPointwise(linalg::GenericOp a, linalg::GenericOp b) {
  SmallVector<AffineMap> mapsA = a.getIndexingMapsArray();
  SmallVector<AffineMap> mapsB = b.getIndexingMapsArray();
  for (unsigned i = 0; i < a->getNumOperands(); ++i)
    for (unsigned j = 0; j < b->getNumOperands(); ++j) {
      bool written = i >= a.getNumDpsInputs() || j >= b.getNumDpsInputs();
      Value x = a->getOperand(i), y = b->getOperand(j);
      if (!written || baseBuffer(x) != baseBuffer(y))
        continue;
      if (x != y || mapsA[i] != mapsB[j] || !mapsA[i].isPermutation() ||
          !isAllParallel(a))
        return false;
      // Both write it: the second only counts, but keep it simple.
      if (i >= a.getNumDpsInputs() && j >= b.getNumDpsInputs())
        return false;
    }
  return !gathersFrom(b, buffersWritten(a)) &&
         !gathersFrom(a, buffersWritten(b));
}

static bool touchesAny(Operation *op, ArrayRef<Value> buffers, bool writes) {
  return llvm::any_of(buffers, [&](Value buffer) {
    return writes ? writesBuffer(op, buffer) : readsBuffer(op, buffer);
  });
}

/// Merges `a` and the later `b` if they run over the same loops.
static bool mergePair(RewriterBase &rewriter, linalg::GenericOp a,
                      linalg::GenericOp b) {
  if (a.getNumLoops() != b.getNumLoops() || a->hasAttr(kGuardsAttr) ||
      b->hasAttr(kGuardsAttr) ||
      a.getIteratorTypesArray() != b.getIteratorTypesArray() ||
      a.getStaticLoopRanges() != b.getStaticLoopRanges() ||
      !dependsPointwise(a, b))
    return false;
  // It must pay, and dynamic loops must be known to be the same: an operand in
  // common, read or written with the same indices.
  bool related = false;
  SmallVector<AffineMap> mapsA = a.getIndexingMapsArray();
  SmallVector<AffineMap> mapsB = b.getIndexingMapsArray();
  for (unsigned i = 0; i < a->getNumOperands(); ++i)
    for (unsigned j = 0; j < b.getNumDpsInputs(); ++j)
      related |= a->getOperand(i) == b->getOperand(j) && mapsA[i] == mapsB[j] &&
                 inversePermutation(mapsA[i]) != AffineMap();
  if (!related)
    return false;
  if (!isAllParallel(a))
    for (linalg::GenericOp op : {a, b})
      if (llvm::is_contained(findCombiners(op), nullptr))
        return false;
  // `a` moves down to `b`, or `b` up to `a`, with the fills of its outputs.
  bool down = true, up = true;
  SmallVector<linalg::FillOp> fills;
  for (unsigned o = 0; o < b.getNumDpsInits(); ++o)
    if (linalg::FillOp fill = fillOf(b, o))
      if (a->isBeforeInBlock(fill))
        fills.push_back(fill);
  for (Operation *op : opsBetween(a, b)) {
    bool isFill = llvm::is_contained(fills, dyn_cast<linalg::FillOp>(op));
    for (Value operand : b->getOperands())
      up &= operand.getDefiningOp() != op;
    if (isFill) {
      up &= llvm::all_of(op->getOperands(), [&](Value operand) {
        Operation *source = operand.getDefiningOp();
        return !source || source->getBlock() != a->getBlock() ||
               source->isBeforeInBlock(a);
      });
      continue;
    }
    down &= !touchesAny(op, buffersWritten(a), false) &&
            !touchesAny(op, buffersWritten(a), true) &&
            !touchesAny(op, buffersRead(a), true);
    up &= !touchesAny(op, buffersWritten(b), false) &&
          !touchesAny(op, buffersWritten(b), true) &&
          !touchesAny(op, buffersRead(b), true);
  }
  if (!down && !up)
    return false;

  unsigned numLoops = a.getNumLoops();
  GenericBuilder merged;
  SmallVector<unsigned> fromA, fromB;
  for (unsigned i = 0; i < a.getNumDpsInputs(); ++i)
    fromA.push_back(merged.addInput(a->getOperand(i), mapsA[i]));
  // Results of `a` that `b` reads are forwarded.
  constexpr unsigned kForwarded = 1u << 31;
  for (unsigned j = 0; j < b.getNumDpsInputs(); ++j) {
    unsigned from = ~0u;
    for (unsigned o = 0; o < a.getNumDpsInits(); ++o)
      if (a.getDpsInits()[o] == b->getOperand(j))
        from = kForwarded | o;
    fromB.push_back(from != ~0u ? from
                                : merged.addInput(b->getOperand(j), mapsB[j]));
  }
  for (unsigned o = 0; o < a.getNumDpsInits(); ++o)
    merged.addOutput(a.getDpsInits()[o], mapsA[a.getNumDpsInputs() + o]);
  for (unsigned o = 0; o < b.getNumDpsInits(); ++o)
    merged.addOutput(b.getDpsInits()[o], mapsB[b.getNumDpsInputs() + o]);
  if (!merged.loopsAreKnown(a.getContext()))
    return false;
  // Up, next to what `b` depends on.
  if (up)
    for (linalg::FillOp fill : fills)
      fill->moveBefore(a);
  rewriter.setInsertionPoint(up ? a : b);
  merged.create(rewriter, b.getLoc(), a.getIteratorTypesArray(),
                [&](OpBuilder &builder, ValueRange inputs, ValueRange outputs) {
                  SmallVector<AffineExpr> own = ownLoops(builder, numLoops);
                  IRMapping map;
                  for (unsigned i = 0; i < a.getNumDpsInputs(); ++i)
                    map.map(a.getBody()->getArgument(i), inputs[fromA[i]]);
                  for (auto [argument, output] :
                       llvm::zip(a.getRegionOutputArgs(), outputs))
                    map.map(argument, output);
                  SmallVector<Value> results = cloneBody(builder, a, map, own);
                  for (unsigned j = 0; j < b.getNumDpsInputs(); ++j)
                    map.map(b.getBody()->getArgument(j),
                            fromB[j] & kForwarded
                                ? results[fromB[j] & ~kForwarded]
                                : inputs[fromB[j]]);
                  for (auto [argument, output] :
                       llvm::zip(b.getRegionOutputArgs(),
                                 outputs.drop_front(a.getNumDpsInits())))
                    map.map(argument, output);
                  llvm::append_range(results, cloneBody(builder, b, map, own));
                  return results;
                });
  rewriter.eraseOp(b);
  rewriter.eraseOp(a);
  return true;
}

void mergeNests(RewriterBase &rewriter, func::FuncOp kernel) {
  bool changed = true;
  while (changed) {
    changed = false;
    SmallVector<linalg::GenericOp> generics;
    kernel.walk([&](linalg::GenericOp op) { generics.push_back(op); });
    for (size_t i = 0; i < generics.size() && !changed; ++i)
      for (size_t j = i + 1; j < generics.size() && !changed; ++j)
        changed = generics[i]->getBlock() == generics[j]->getBlock() &&
                  mergePair(rewriter, generics[i], generics[j]);
    eraseDeadBuffers(rewriter, kernel);
  }
}

} // namespace cornu::codegen
