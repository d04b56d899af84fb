//===- NestInlining.cpp - Producers are computed where they are used ------===//
//
// %t = f(x); y = g(%t)   ->   y = g(f(x))
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/LinearExpr.h"
#include "codegen/schedule/NestLoops.h"
#include "codegen/strategy/BufferAccess.h"
#include "codegen/strategy/GenericBuilder.h"
#include "codegen/strategy/GenericLoops.h"
#include "codegen/strategy/NestFusion.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

/// An estimate of the body's time, in additions.
static int64_t bodyCost(linalg::GenericOp op) {
  int64_t cost = 0;
  op.getBody()->walk([&](Operation *inner) {
    if (isa<arith::ConstantOp, linalg::YieldOp, linalg::IndexOp>(inner))
      return;
    if (isa<arith::DivFOp, math::SqrtOp, memref::LoadOp>(inner))
      cost += 5;
    else if (inner->getDialect() &&
             inner->getDialect()->getNamespace() ==
                 math::MathDialect::getDialectNamespace() &&
             !isa<math::AbsFOp, math::FmaOp, math::CopySignOp>(inner))
      cost += 12;
    else
      cost += 1;
  });
  return cost;
}

/// True if the loops of `op` meet every element of a buffer of `type` exactly
/// once by `map`, where an index may be made of several: the rows 2*h + i of
/// windows that touch.
static bool isTiling(linalg::GenericOp op, AffineMap map, MemRefType type) {
  SmallVector<int64_t> sizes = op.getStaticLoopRanges();
  SmallVector<bool> seen(sizes.size(), false);
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    auto index = LinearExpr::of(expr, sizes.size());
    if (!index || index->constant != 0)
      return false;
    SmallVector<std::pair<int64_t, unsigned>> loops;
    for (auto [loop, coefficient] : llvm::enumerate(index->coefficients))
      if (coefficient != 0)
        loops.push_back({coefficient, loop});
    llvm::sort(loops);
    // Each loop begins where those inside end; one alone may be dynamic.
    int64_t reach = 1;
    for (auto [coefficient, loop] : loops) {
      if (coefficient != reach || seen[loop])
        return false;
      seen[loop] = true;
      reach = ShapedType::isDynamic(sizes[loop]) ? ShapedType::kDynamic
                                                 : reach * sizes[loop];
    }
    if (loops.empty() || (loops.size() > 1 && reach != type.getDimSize(dim)))
      return false;
  }
  return llvm::all_of(seen, [](bool loop) { return loop; });
}

namespace {
/// The loops of a nest and of the producer inside it, as functions of those of
/// the two as one.
struct CommonLoops {
  SmallVector<AffineExpr> consumer, producer;
  SmallVector<utils::IteratorType> iterators;
};
} // namespace

/// The loops that `plain` shows one by one, as what `other` has in their place.
static SmallVector<AffineExpr> loopsAs(AffineMap plain, AffineMap other) {
  SmallVector<AffineExpr> loops(plain.getNumDims());
  for (auto [loop, expr] : llvm::zip(plain.getResults(), other.getResults()))
    loops[cast<AffineDimExpr>(loop).getPosition()] = expr;
  return loops;
}

/// The consumer's loops, or the producer's where it writes several to one of
/// the consumer's.
static CommonLoops commonLoops(OpBuilder &builder, linalg::GenericOp consumer,
                               AffineMap read, linalg::GenericOp producer,
                               AffineMap written) {
  if (written.isPermutation())
    return {ownLoops(builder, consumer.getNumLoops()), loopsAs(written, read),
            consumer.getIteratorTypesArray()};
  return {loopsAs(read, written), ownLoops(builder, producer.getNumLoops()),
          producer.getIteratorTypesArray()};
}

/// Replaces input `operand` of `consumer` by the body of `producer`, whose
/// output `output` it reads. Null if that cannot be expressed.
static linalg::GenericOp
inlineInto(RewriterBase &rewriter, linalg::GenericOp consumer, unsigned operand,
           linalg::GenericOp producer, unsigned output) {
  SmallVector<AffineMap> consumerMaps = consumer.getIndexingMapsArray();
  SmallVector<AffineMap> producerMaps = producer.getIndexingMapsArray();
  AffineMap written = producerMaps[producer.getNumDpsInputs() + output];
  CommonLoops loops =
      commonLoops(rewriter, consumer, consumerMaps[operand], producer, written);
  const unsigned numLoops = loops.iterators.size();
  for (AffineMap &map : consumerMaps)
    map = map.replaceDimsAndSymbols(loops.consumer, {}, numLoops, 0);

  GenericBuilder fused;
  SmallVector<unsigned> fromConsumer(consumer.getNumDpsInputs()),
      fromProducer(producer.getNumDpsInputs());
  for (unsigned i = 0; i < consumer.getNumDpsInputs(); ++i)
    if (i != operand)
      fromConsumer[i] =
          fused.addInput(consumer->getOperand(i), consumerMaps[i]);
  for (unsigned i = 0; i < producer.getNumDpsInputs(); ++i) {
    AffineMap composed =
        producerMaps[i].replaceDimsAndSymbols(loops.producer, {}, numLoops, 0);
    fromProducer[i] = fused.addInput(producer->getOperand(i), composed);
  }
  for (auto [i, value] : llvm::enumerate(consumer.getDpsInits()))
    fused.addOutput(value, consumerMaps[consumer.getNumDpsInputs() + i]);
  if (!fused.loopsAreKnown(consumer.getContext()))
    return {};

  // Guards keep their extents and move to the new operands.
  SmallVector<int64_t> guards;
  if (auto attr = consumer->getAttrOfType<DenseI64ArrayAttr>(kGuardsAttr)) {
    ArrayRef<int64_t> triples = attr.asArrayRef();
    for (size_t g = 0; g + 2 < triples.size(); g += 3) {
      unsigned guarded = triples[g], dim = triples[g + 1];
      if (guarded != operand) {
        guards.append({fromConsumer[guarded], dim, triples[g + 2]});
        continue;
      }
      // Any input of the producer that is indexed by the guarded dimension.
      bool found = false;
      for (unsigned i = 0; !found && i < producer.getNumDpsInputs(); ++i)
        for (auto [d, expr] : llvm::enumerate(producerMaps[i].getResults()))
          if (!found && expr == written.getResult(dim)) {
            guards.append({fromProducer[i], int64_t(d), triples[g + 2]});
            found = true;
          }
      if (!found)
        return {};
    }
  }

  rewriter.setInsertionPoint(consumer);
  linalg::GenericOp result = fused.create(
      rewriter, consumer.getLoc(), loops.iterators,
      [&](OpBuilder &builder, ValueRange inputs, ValueRange outputs) {
        IRMapping map;
        for (unsigned i = 0; i < producer.getNumDpsInputs(); ++i)
          map.map(producer.getBody()->getArgument(i), inputs[fromProducer[i]]);
        Value value = cloneBody(builder, producer, map, loops.producer)[output];
        for (unsigned i = 0; i < consumer.getNumDpsInputs(); ++i)
          map.map(consumer.getBody()->getArgument(i),
                  i == operand ? value : inputs[fromConsumer[i]]);
        for (auto [argument, output] :
             llvm::zip(consumer.getRegionOutputArgs(), outputs))
          map.map(argument, output);
        return cloneBody(builder, consumer, map, loops.consumer);
      });
  if (!guards.empty())
    result->setAttr(kGuardsAttr, rewriter.getDenseI64ArrayAttr(guards));
  rewriter.eraseOp(consumer);
  return result;
}

/// True if `map` does not depend on the loop that the operands of `op` with
/// the most dimensions run along in memory, and there is one.
static bool isUniformAlongMemory(linalg::GenericOp op, AffineMap map) {
  unsigned rank = 0;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (AffineMap other : maps)
    rank = std::max(rank, other.getNumResults());
  if (rank <= map.getNumResults() && map.isPermutation())
    return false;
  bool along = false;
  for (AffineMap other : maps) {
    if (other.getNumResults() != rank ||
        isa<AffineConstantExpr>(other.getResults().back()))
      continue;
    auto dim = dyn_cast<AffineDimExpr>(other.getResults().back());
    if (!dim || map.isFunctionOfDim(dim.getPosition()))
      return false;
    along = true;
  }
  return along;
}

/// Tries to compute `producer` inside the nests that read its results.
static bool inlineProducer(RewriterBase &rewriter, linalg::GenericOp producer) {
  if (!isAllParallel(producer) || producer->hasAttr(kGuardsAttr) ||
      llvm::any_of(producer.getRegionOutputArgs(),
                   [](Value arg) { return !arg.use_empty(); }))
    return false;
  bool changed = false;
  for (unsigned o = 0; o < producer.getNumDpsInits(); ++o) {
    Value buffer = producer.getDpsInits()[o];
    AffineMap written =
        producer.getIndexingMapsArray()[producer.getNumDpsInputs() + o];
    const bool tiles =
        !written.isPermutation() &&
        isTiling(producer, written, cast<MemRefType>(buffer.getType()));
    if (!isPrivateBuffer(buffer) || !(written.isPermutation() || tiles))
      continue;
    // Everybody else only reads it, whole, after the producer.
    SmallVector<OpOperand *> reads;
    bool simple = true;
    for (OpOperand &use : buffer.getUses()) {
      Operation *user = use.getOwner();
      if (user == producer || isa<memref::DeallocOp, memref::DimOp>(user))
        continue;
      if (isa<linalg::FillOp>(user) &&
          user->getBlock() == producer->getBlock() &&
          user->isBeforeInBlock(producer))
        continue;
      auto generic = dyn_cast<linalg::GenericOp>(user);
      simple &= generic && generic.isDpsInput(&use) &&
                user->getBlock() == producer->getBlock() &&
                producer->isBeforeInBlock(user);
      reads.push_back(&use);
    }
    if (!simple)
      continue;
    int64_t cost = bodyCost(producer);
    bool cheap = cost <= 6;
    for (OpOperand *read : reads) {
      auto consumer = cast<linalg::GenericOp>(read->getOwner());
      AffineMap map = consumer.getMatchingIndexingMap(read);
      // Once per point, or once per vector: what does not depend on the
      // innermost dimension of the consumer's largest operand is a scalar.
      bool oncePerPoint = map.isPermutation();
      if (tiles && (!oncePerPoint || !isAllParallel(consumer) ||
                    consumer->hasAttr(kGuardsAttr)))
        continue;
      bool oncePerVector = cost <= 20 && isUniformAlongMemory(consumer, map);
      if (!cheap && !(reads.size() == 1 && oncePerPoint) && !oncePerVector)
        continue;
      bool overwritten = false;
      for (Value source : buffersRead(producer))
        for (Operation *op : opsBetween(producer, consumer))
          overwritten |= writesBuffer(op, source);
      if (overwritten)
        continue;
      changed |= bool(inlineInto(rewriter, consumer, read->getOperandNumber(),
                                 producer, o));
      // The operands of the consumer have changed: look again.
      if (changed)
        return true;
    }
  }
  return changed;
}

void inlineProducers(RewriterBase &rewriter, func::FuncOp kernel) {
  bool changed = true;
  while (changed) {
    changed = false;
    eraseDeadBuffers(rewriter, kernel);
    SmallVector<linalg::GenericOp> generics;
    kernel.walk([&](linalg::GenericOp op) { generics.push_back(op); });
    for (linalg::GenericOp op : generics)
      if ((changed = inlineProducer(rewriter, op)))
        break;
  }
}

} // namespace cornu::codegen
