//===- NestFusion.cpp - Fewer, larger nests -------------------------------===//
//
//   %t = f(x); y = g(%t)   ->   y = g(f(x))
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/NestFusion.h"

#include "codegen/schedule/NestLoops.h"
#include "codegen/strategy/NestForm.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

Value baseBuffer(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

bool isPrivateBuffer(Value base) {
  return base.getDefiningOp<memref::AllocOp>() ||
         base.getDefiningOp<memref::AllocaOp>();
}

/// Calls `visit` with every buffer that `op` or an op inside it touches.
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

/// The base buffers that a generic reads: inputs, read outputs, and memrefs
/// that its body loads from.
static SmallVector<Value> buffersRead(linalg::GenericOp op) {
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

static SmallVector<Value> buffersWritten(linalg::GenericOp op) {
  SmallVector<Value> buffers;
  for (Value output : op.getDpsInits())
    buffers.push_back(baseBuffer(output));
  return buffers;
}

/// The ops strictly between two ops of one block.
static SmallVector<Operation *> opsBetween(Operation *first,
                                           Operation *second) {
  SmallVector<Operation *> ops;
  for (Operation *op = first->getNextNode(); op && op != second;
       op = op->getNextNode())
    ops.push_back(op);
  return ops;
}

/// Moves allocations and everything that has no effect to the front of each
/// block, so that nests can move freely behind them.
static void hoistDefinitions(func::FuncOp kernel) {
  SmallVector<Block *> blocks;
  kernel.walk([&](Block *block) {
    if (!isa<linalg::LinalgOp>(block->getParentOp()))
      blocks.push_back(block);
  });
  for (Block *block : blocks) {
    llvm::SmallDenseSet<Operation *> staying;
    Operation *front = nullptr; // the last op that has moved
    for (Operation &op :
         llvm::make_early_inc_range(block->without_terminator())) {
      bool movable = isa<memref::AllocOp>(op) ||
                     (isMemoryEffectFree(&op) && op.getNumRegions() == 0);
      for (Value operand : op.getOperands())
        if (Operation *source = operand.getDefiningOp())
          movable &= !staying.count(source);
      if (!movable) {
        staying.insert(&op);
        continue;
      }
      if (front)
        op.moveAfter(front);
      else
        op.moveBefore(block, block->begin());
      front = &op;
    }
  }
}

//===----------------------------------------------------------------------===//
// Generalization
//===----------------------------------------------------------------------===//

void generalizeOps(RewriterBase &rewriter, func::FuncOp kernel) {
  SmallVector<Operation *> ops;
  kernel.walk([&](Operation *op) {
    if (isa<memref::CopyOp>(op) ||
        (isa<linalg::LinalgOp>(op) &&
         !isa<linalg::GenericOp, linalg::FillOp>(op)))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    rewriter.setInsertionPoint(op);
    if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      auto type = cast<MemRefType>(copy.getSource().getType());
      AffineMap identity = rewriter.getMultiDimIdentityMap(type.getRank());
      SmallVector<utils::IteratorType> parallel(type.getRank(),
                                                utils::IteratorType::parallel);
      linalg::GenericOp::create(
          rewriter, copy.getLoc(), copy.getSource(), copy.getTarget(),
          ArrayRef<AffineMap>{identity, identity}, parallel,
          [](OpBuilder &builder, Location loc, ValueRange args) {
            linalg::YieldOp::create(builder, loc, args[0]);
          });
      rewriter.eraseOp(op);
      continue;
    }
    // A map that only yields a constant is a fill.
    if (auto map = dyn_cast<linalg::MapOp>(op)) {
      Value yielded = map.getBody()->getTerminator()->getOperand(0);
      if (map.getInputs().empty() &&
          yielded.getParentBlock() != map.getBody()) {
        linalg::FillOp::create(rewriter, op->getLoc(), yielded, map.getInit());
        rewriter.eraseOp(op);
        continue;
      }
    }
    (void)linalg::generalizeNamedOp(rewriter, cast<linalg::LinalgOp>(op));
  }
  // A buffer must not stay for its size alone.
  SmallVector<memref::DimOp> dims;
  kernel.walk([&](memref::DimOp op) { dims.push_back(op); });
  for (memref::DimOp dim : dims) {
    rewriter.setInsertionPoint(dim);
    if (auto index = dim.getConstantIndex())
      rewriter.replaceOp(dim, rewriter.createOrFold<memref::DimOp>(
                                  dim.getLoc(), dim.getSource(), *index));
  }
  hoistDefinitions(kernel);
  // A generic that only yields a constant is a fill.
  SmallVector<linalg::GenericOp> generics;
  kernel.walk([&](linalg::GenericOp op) { generics.push_back(op); });
  for (linalg::GenericOp op : generics) {
    Value yielded = op.getBody()->getTerminator()->getOperand(0);
    if (op->getNumOperands() != 1 || yielded.getParentBlock() == op.getBody() ||
        !op.getIndexingMapsArray()[0].isPermutation())
      continue;
    rewriter.setInsertionPoint(op);
    linalg::FillOp::create(rewriter, op.getLoc(), yielded, op.getDpsInits()[0]);
    rewriter.eraseOp(op);
  }
}

//===----------------------------------------------------------------------===//
// Building generics from parts
//===----------------------------------------------------------------------===//

Value expandInBody(OpBuilder &builder, Location loc, AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return arith::ConstantIndexOp::create(builder, loc, constant.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return linalg::IndexOp::create(builder, loc, dim.getPosition());
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = expandInBody(builder, loc, binary.getLHS());
  Value rhs = expandInBody(builder, loc, binary.getRHS());
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return arith::AddIOp::create(builder, loc, lhs, rhs);
  case AffineExprKind::Mul:
    return arith::MulIOp::create(builder, loc, lhs, rhs);
  case AffineExprKind::FloorDiv:
    return arith::FloorDivSIOp::create(builder, loc, lhs, rhs);
  case AffineExprKind::CeilDiv:
    return arith::CeilDivSIOp::create(builder, loc, lhs, rhs);
  default:
    return arith::RemUIOp::create(builder, loc, lhs, rhs);
  }
}

namespace {
/// Collects operands (equal ones once) and builds a generic from the bodies of
/// others.
class GenericBuilder {
public:
  explicit GenericBuilder(unsigned numLoops) : numLoops(numLoops) {}

  unsigned addInput(Value value, AffineMap map) {
    for (auto [i, input] : llvm::enumerate(inputs))
      if (input == value && maps[i] == map)
        return i;
    inputs.push_back(value);
    maps.push_back(map);
    return inputs.size() - 1;
  }
  unsigned addOutput(Value value, AffineMap map) {
    outputs.push_back(value);
    outputMaps.push_back(map);
    return outputs.size() - 1;
  }
  bool loopsAreKnown(MLIRContext *context) const {
    SmallVector<AffineMap> all(maps);
    llvm::append_range(all, outputMaps);
    AffineMap joined = concatAffineMaps(all, context);
    return joined && inversePermutation(joined);
  }
  linalg::GenericOp
  create(OpBuilder &builder, Location loc,
         ArrayRef<utils::IteratorType> iterators,
         llvm::function_ref<SmallVector<Value>(OpBuilder &, ValueRange inputs,
                                               ValueRange outputs)>
             body) const {
    SmallVector<AffineMap> all(maps);
    llvm::append_range(all, outputMaps);
    return linalg::GenericOp::create(
        builder, loc, inputs, outputs, all, iterators,
        [&](OpBuilder &inner, Location loc, ValueRange args) {
          SmallVector<Value> results =
              body(inner, args.take_front(inputs.size()),
                   args.drop_front(inputs.size()));
          linalg::YieldOp::create(inner, loc, results);
        });
  }

  unsigned numLoops;
  SmallVector<Value> inputs, outputs;
  SmallVector<AffineMap> maps, outputMaps;
};
} // namespace

/// Clones the body of `op` with its arguments mapped and its loop indices
/// given by `loops`; returns the yielded values.
static SmallVector<Value> cloneBody(OpBuilder &builder, linalg::GenericOp op,
                                    IRMapping &map,
                                    ArrayRef<AffineExpr> loops) {
  for (Operation &operation : op.getBody()->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(operation)) {
      map.map(index.getResult(),
              expandInBody(builder, index.getLoc(), loops[index.getDim()]));
      continue;
    }
    builder.clone(operation, map);
  }
  SmallVector<Value> results;
  for (Value value : op.getBody()->getTerminator()->getOperands())
    results.push_back(map.lookupOrDefault(value));
  return results;
}

//===----------------------------------------------------------------------===//
// Inlining
//===----------------------------------------------------------------------===//

static bool isAllParallel(linalg::GenericOp op) {
  return op.getNumParallelLoops() == op.getNumLoops();
}

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

/// Replaces input `operand` of `consumer` by the body of `producer`, whose
/// output `output` it reads. Null if that cannot be expressed.
static linalg::GenericOp
inlineInto(RewriterBase &rewriter, linalg::GenericOp consumer, unsigned operand,
           linalg::GenericOp producer, unsigned output) {
  SmallVector<AffineMap> consumerMaps = consumer.getIndexingMapsArray();
  SmallVector<AffineMap> producerMaps = producer.getIndexingMapsArray();
  AffineMap written = producerMaps[producer.getNumDpsInputs() + output];
  AffineMap read = consumerMaps[operand];

  // The producer's loops as functions of the consumer's.
  SmallVector<AffineExpr> loops(producer.getNumLoops());
  for (auto [dim, expr] : llvm::enumerate(written.getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = read.getResult(dim);

  unsigned numLoops = consumer.getNumLoops();
  GenericBuilder fused(numLoops);
  SmallVector<unsigned> fromConsumer(consumer.getNumDpsInputs()),
      fromProducer(producer.getNumDpsInputs());
  for (unsigned i = 0; i < consumer.getNumDpsInputs(); ++i)
    if (i != operand)
      fromConsumer[i] =
          fused.addInput(consumer->getOperand(i), consumerMaps[i]);
  for (unsigned i = 0; i < producer.getNumDpsInputs(); ++i) {
    AffineMap composed =
        producerMaps[i].replaceDimsAndSymbols(loops, {}, numLoops, 0);
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
      if (guarded >= consumer.getNumDpsInputs()) {
        guards.append({int64_t(fused.inputs.size()) + guarded -
                           consumer.getNumDpsInputs(),
                       dim, triples[g + 2]});
        continue;
      }
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
      rewriter, consumer.getLoc(), consumer.getIteratorTypesArray(),
      [&](OpBuilder &builder, ValueRange inputs, ValueRange outputs) {
        IRMapping map;
        for (unsigned i = 0; i < producer.getNumDpsInputs(); ++i)
          map.map(producer.getBody()->getArgument(i), inputs[fromProducer[i]]);
        Value value = cloneBody(builder, producer, map, loops)[output];
        for (unsigned i = 0; i < consumer.getNumDpsInputs(); ++i)
          map.map(consumer.getBody()->getArgument(i),
                  i == operand ? value : inputs[fromConsumer[i]]);
        for (auto [argument, output] :
             llvm::zip(consumer.getRegionOutputArgs(), outputs))
          map.map(argument, output);
        SmallVector<AffineExpr> own;
        for (unsigned i = 0; i < numLoops; ++i)
          own.push_back(builder.getAffineDimExpr(i));
        return cloneBody(builder, consumer, map, own);
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
    if (!isPrivateBuffer(buffer) || !written.isPermutation())
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

//===----------------------------------------------------------------------===//
// Merging
//===----------------------------------------------------------------------===//

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
  bool gathers = false;
  b.getBody()->walk([&](memref::LoadOp load) {
    gathers |=
        llvm::is_contained(buffersWritten(a), baseBuffer(load.getMemRef()));
  });
  a.getBody()->walk([&](memref::LoadOp load) {
    gathers |=
        llvm::is_contained(buffersWritten(b), baseBuffer(load.getMemRef()));
  });
  return !gathers;
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
  GenericBuilder merged(numLoops);
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
                  SmallVector<AffineExpr> own;
                  for (unsigned i = 0; i < numLoops; ++i)
                    own.push_back(builder.getAffineDimExpr(i));
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

//===----------------------------------------------------------------------===//
// Dead buffers
//===----------------------------------------------------------------------===//

/// `op` without output `output`, which nobody reads.
static bool dropOutput(RewriterBase &rewriter, linalg::GenericOp op,
                       unsigned output) {
  GenericBuilder rest(op.getNumLoops());
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
                SmallVector<AffineExpr> own;
                for (unsigned i = 0; i < op.getNumLoops(); ++i)
                  own.push_back(builder.getAffineDimExpr(i));
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
                SmallVector<Value> results = cloneBody(builder, op, map, own);
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
