//===- CutReduction.cpp - Reductions in parts -----------------------------===//
//
// sum over 1000000 -> 64 sums over 15625, and their sum
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/CutReduction.h"

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/NestBuffers.h"
#include "codegen/schedule/NestedGrids.h"
#include "codegen/schedule/TaskGrid.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

/// Partial results of a reduction that is cut: at most so many tasks.
static constexpr int64_t kMaxPartials = 64;

std::optional<unsigned> reductionToCut(const Nest &nest, func::FuncOp kernel) {
  linalg::GenericOp root = nest.root;
  NestKind kind = nest.strategy.getKind();
  if ((kind != NestKind::Reduce && kind != NestKind::Fold) ||
      root->hasAttr(kGuardsAttr) || enclosingGrid(root) ||
      llvm::is_contained(findCombiners(root), nullptr))
    return std::nullopt;
  // The partial results need a place.
  auto arguments = kernel.getArguments();
  auto last = arguments.empty()
                  ? MemRefType()
                  : dyn_cast<MemRefType>(arguments.back().getType());
  if (!last || last.getRank() != 1 || !last.getElementType().isInteger(8))
    return std::nullopt;
  for (Value output : root.getDpsInits()) {
    auto type = cast<MemRefType>(output.getType());
    // Where the outputs are many, their loops are cut instead.
    if (!type.hasStaticShape() || type.getNumElements() > 16384)
      return std::nullopt;
  }
  auto types = root.getIteratorTypesArray();
  for (unsigned loop = 0; loop < types.size(); ++loop)
    if (types[loop] == utils::IteratorType::reduction)
      return loop;
  return std::nullopt;
}

/// The part of `partials` that belongs to `task`.
static Value sliceOf(OpBuilder &builder, Location loc, Value partials,
                     Value task) {
  auto type = cast<MemRefType>(partials.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> ones(type.getRank(), builder.getIndexAttr(1));
  SmallVector<OpFoldResult> sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(builder.getIndexAttr(size));
  offsets[0] = task;
  sizes[0] = builder.getIndexAttr(1);
  auto sliceType = memref::SubViewOp::inferRankReducedResultType(
      type.getShape().drop_front(), type, offsets, sizes, ones);
  return memref::SubViewOp::create(builder, loc, cast<MemRefType>(sliceType),
                                   partials, offsets, sizes, ones);
}

/// Computes the part [first, last) of loop `cut` into slices of `partials`.
static void emitPart(OpBuilder &builder, const Nest &nest, unsigned cut,
                     ArrayRef<NestRange> allRanges, ArrayRef<Value> partials,
                     Value task, NestRange part) {
  linalg::GenericOp root = nest.root;
  auto clone = cast<linalg::GenericOp>(builder.clone(*root.getOperation()));
  SmallVector<Operation *> combiners = findCombiners(root);
  Nest partial;
  partial.root = clone;
  partial.strategy = nest.strategy;
  for (auto [o, buffer] : llvm::enumerate(partials)) {
    clone->setOperand(root.getNumDpsInputs() + o,
                      sliceOf(builder, root.getLoc(), buffer, task));
    partial.initial.push_back(neutralElement(combiners[o]));
  }
  // The slices are made before the clone's loops.
  OpBuilder inner = OpBuilder::atBlockEnd(builder.getInsertionBlock());
  SmallVector<NestRange> ranges(allRanges);
  ranges[cut] = part;
  emitNestLoops(inner, partial, ranges);
  clone->erase();
}

/// For each output element: old combined with the partials, in order.
static void combineParts(RewriterBase &rewriter, const Nest &nest,
                         ArrayRef<NestRange> allRanges,
                         ArrayRef<Value> partials, Value count) {
  linalg::GenericOp root = nest.root;
  Location loc = root.getLoc();
  SmallVector<Operation *> combiners = findCombiners(root);
  SmallVector<unsigned> newLoop(root.getNumLoops());
  SmallVector<NestRange> ranges;
  SmallVector<utils::IteratorType> iterators;
  for (unsigned loop = 0; loop < root.getNumLoops(); ++loop)
    if (root.getIteratorTypesArray()[loop] == utils::IteratorType::parallel) {
      newLoop[loop] = iterators.size();
      iterators.push_back(utils::IteratorType::parallel);
      ranges.push_back(allRanges[loop]);
    }
  unsigned numLoops = iterators.size() + 1;
  AffineExpr task = rewriter.getAffineDimExpr(iterators.size());
  iterators.push_back(utils::IteratorType::reduction);
  ranges.push_back({arith::ConstantIndexOp::create(rewriter, loc, 0), count});
  SmallVector<AffineMap> maps, outputMaps;
  int lane = -1;
  for (unsigned o = 0; o < root.getNumDpsInits(); ++o) {
    AffineMap map = root.getIndexingMapsArray()[root.getNumDpsInputs() + o];
    SmallVector<AffineExpr> results, partialResults{task};
    for (AffineExpr expr : map.getResults())
      results.push_back(rewriter.getAffineDimExpr(
          newLoop[cast<AffineDimExpr>(expr).getPosition()]));
    llvm::append_range(partialResults, results);
    maps.push_back(
        AffineMap::get(numLoops, 0, partialResults, rewriter.getContext()));
    outputMaps.push_back(
        AffineMap::get(numLoops, 0, results, rewriter.getContext()));
    if (!results.empty())
      lane = cast<AffineDimExpr>(results.back()).getPosition();
  }
  llvm::append_range(maps, outputMaps);
  auto total = linalg::GenericOp::create(
      rewriter, loc, partials, root.getDpsInits(), maps, iterators,
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        SmallVector<Value> results;
        for (auto [o, combiner] : llvm::enumerate(combiners)) {
          IRMapping map;
          BlockArgument old = root.getRegionOutputArgs()[o];
          Value added =
              combiner->getOperand(combiner->getOperand(0) == old ? 1 : 0);
          map.map(old, args[combiners.size() + o]);
          map.map(added, args[o]);
          results.push_back(builder.clone(*combiner, map)->getResult(0));
        }
        linalg::YieldOp::create(builder, loc, results);
      });
  Nest combine;
  combine.root = total;
  combine.initial = nest.initial;
  combine.epilogues = nest.epilogues;
  combine.dead = nest.dead;
  combine.strategy =
      NestAttr::get(rewriter.getContext(), NestKind::Reduce, lane, 0,
                    lane >= 0 ? nest.strategy.getWidth() : 1, lane >= 0 ? 4 : 1,
                    -1, 1, 0, nest.strategy.getGroup(), 0, 0);
  emitNestLoops(rewriter, combine, ranges);
  rewriter.eraseOp(total);
}

void emitCutReduction(RewriterBase &rewriter, func::FuncOp kernel,
                      const Nest &nest, ArrayRef<NestRange> allRanges,
                      unsigned cut) {
  linalg::GenericOp root = nest.root;
  Location loc = root.getLoc();
  IndexMath index{rewriter, loc};
  GridShape shape;
  shape.total = allRanges[cut].upper;
  shape.points = index.constant(1);
  for (unsigned loop = 0; loop < root.getNumLoops(); ++loop)
    if (loop != cut)
      shape.points = index.mul(shape.points, allRanges[loop].upper);
  shape.grain = nest.strategy.getGrain();
  shape.serial = nest.strategy.getSerial();
  shape.maxTasks = kMaxPartials;
  int cutLoop = cut;
  if (cutLoop == nest.strategy.getLane())
    shape.multiple = iterationsPerStep(nest, allRanges);
  else if (cutLoop == nest.strategy.getTileLoop())
    shape.multiple = nest.strategy.getTile();
  Value steps = stepsPerTask(index, shape);
  if (constantOf(index.ceilDiv(shape.total, steps)) == 1)
    return emitNestLoops(rewriter, nest, allRanges);

  SmallVector<Value> partials;
  for (Value output : root.getDpsInits()) {
    auto type = cast<MemRefType>(output.getType());
    SmallVector<int64_t> partialShape{kMaxPartials};
    llvm::append_range(partialShape, type.getShape());
    partials.push_back(
        workspaceView(rewriter, loc, kernel,
                      MemRefType::get(partialShape, type.getElementType())));
  }
  Value count = emitGrid(
      rewriter, loc, shape,
      [&](OpBuilder &builder, Value task, Value first, Value last) {
        emitPart(builder, nest, cut, allRanges, partials, task, {first, last});
      });
  combineParts(rewriter, nest, allRanges, partials, count);
}

} // namespace cornu::codegen
