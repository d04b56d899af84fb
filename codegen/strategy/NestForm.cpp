//===- NestForm.cpp - The order of loops ----------------------------------===//
//
// d0 = reduction, d1 = parallel, d2 = parallel   ->   (d1, d2), d0: two loops
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/NestForm.h"

#include "codegen/schedule/LinearExpr.h"
#include "codegen/schedule/NestLoops.h"
#include "codegen/strategy/GenericLoops.h"
#include "codegen/strategy/NestFills.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

//===----------------------------------------------------------------------===//
// Order of loops
//===----------------------------------------------------------------------===//

/// New loop i is what loop `order[i]` was. (linalg's own interchange leaves
/// affine.apply in the body, which does not run on vectors.)
static void interchangeLoops(RewriterBase &rewriter, linalg::GenericOp op,
                             ArrayRef<unsigned> order) {
  SmallVector<AffineExpr> replacement(order.size());
  SmallVector<unsigned> newLoop(order.size());
  SmallVector<Attribute> iterators(order.size());
  for (auto [i, loop] : llvm::enumerate(order)) {
    replacement[loop] = rewriter.getAffineDimExpr(i);
    newLoop[loop] = i;
    iterators[i] = op.getIteratorTypes()[loop];
  }
  rewriter.modifyOpInPlace(op, [&] {
    SmallVector<AffineMap> maps;
    for (AffineMap map : op.getIndexingMapsArray())
      maps.push_back(
          map.replaceDimsAndSymbols(replacement, {}, order.size(), 0));
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    op.setIteratorTypesAttr(rewriter.getArrayAttr(iterators));
    op.getBody()->walk(
        [&](linalg::IndexOp index) { index.setDim(newLoop[index.getDim()]); });
  });
}

/// The loops of an index, the one that goes farthest first: in 2*h + i, h and
/// then i.
static SmallVector<unsigned> loopsByDistance(AffineExpr expr, unsigned loops) {
  SmallVector<unsigned> result;
  auto index = LinearExpr::of(expr, loops);
  if (!index)
    return result;
  for (unsigned loop = 0; loop < loops; ++loop)
    if (index->moves(loop))
      result.push_back(loop);
  llvm::sort(result, [&](unsigned a, unsigned b) {
    return std::make_pair(-index->coefficients[a], a) <
           std::make_pair(-index->coefficients[b], b);
  });
  return result;
}

void orderLoops(RewriterBase &rewriter, NestGroup &group) {
  for (auto [s, stage] : llvm::enumerate(group.stages)) {
    SmallVector<unsigned> order;
    auto add = [&](unsigned loop) {
      if (!llvm::is_contained(order, loop))
        order.push_back(loop);
    };
    for (ArrayRef<unsigned> row : group.rows)
      add(row[s]);
    for (unsigned o = 0; o < stage.getNumDpsInits(); ++o)
      for (AffineExpr expr :
           stage.getIndexingMapsArray()[stage.getNumDpsInputs() + o]
               .getResults())
        for (unsigned loop : loopsByDistance(expr, stage.getNumLoops()))
          if (isParallel(stage, loop))
            add(loop);
    for (bool parallel : {true, false})
      for (unsigned loop = 0; loop < stage.getNumLoops(); ++loop)
        if (isParallel(stage, loop) == parallel)
          add(loop);
    if (!llvm::is_sorted(order))
      interchangeLoops(rewriter, stage, order);
    for (auto [i, row] : llvm::enumerate(group.rows))
      row[s] = i;
  }
}

//===----------------------------------------------------------------------===//
// Collapsing
//===----------------------------------------------------------------------===//

/// True if loops `first` to `i + 1` can be one in operand `operand`, given that
/// `first` to `i` can.
static bool canCollapse(linalg::GenericOp op, unsigned operand, unsigned first,
                        unsigned i) {
  AffineMap map = op.getIndexingMapsArray()[operand];
  if (!map.isFunctionOfDim(i) && !map.isFunctionOfDim(i + 1))
    return true;
  unsigned at = map.getNumResults();
  for (auto [d, expr] : llvm::enumerate(map.getResults())) {
    if (plainLoop(expr) == i)
      at = at == map.getNumResults() ? d : ~0u;
    else if (expr.isFunctionOfDim(i))
      return false;
  }
  if (at + 1 >= map.getNumResults() ||
      plainLoop(map.getResult(at + 1)) != i + 1)
    return false;
  for (auto [d, expr] : llvm::enumerate(map.getResults()))
    if (d != at + 1 && expr.isFunctionOfDim(i + 1))
      return false;
  // The whole run, not the pair alone: a dimension of size 1 lies well with
  // either neighbour even where the neighbours do not with each other.
  auto type = cast<MemRefType>(op->getOperand(operand).getType());
  SmallVector<ReassociationIndices> pieces;
  for (unsigned d = 0; d < type.getRank(); ++d)
    if (d > at + first - i && d <= at + 1)
      pieces.back().push_back(d);
    else
      pieces.push_back({int64_t(d)});
  return memref::CollapseShapeOp::isGuaranteedCollapsible(type, pieces);
}

void collapseLoops(RewriterBase &rewriter, NestGroup &group) {
  if (group.numRoots() != 1 || group.isEpilogue[0] || !group.rows.empty())
    return;
  // An epilogue runs at the root's parallel points: those loops stay.
  const bool hasEpilogue = group.stages.size() > 1;
  linalg::GenericOp op = group.stages[0];
  if (op->hasAttr(kGuardsAttr) || op.getNumLoops() < 2)
    return;
  llvm::SmallDenseSet<unsigned> indexed;
  op.getBody()->walk(
      [&](linalg::IndexOp index) { indexed.insert(index.getDim()); });
  // Runs of loops that become one.
  SmallVector<SmallVector<unsigned>> runs;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    bool joins = loop > 0 && isParallel(op, loop) == isParallel(op, loop - 1) &&
                 !indexed.count(loop) && !indexed.count(loop - 1) &&
                 !(hasEpilogue && isParallel(op, loop));
    for (unsigned i = 0; joins && i < op->getNumOperands(); ++i)
      joins = isa<MemRefType>(op->getOperand(i).getType()) &&
              canCollapse(op, i, runs.back().front(), loop - 1);
    if (joins)
      runs.back().push_back(loop);
    else
      runs.push_back({loop});
  }
  if (runs.size() == op.getNumLoops())
    return;

  SmallVector<unsigned> newLoop(op.getNumLoops());
  for (auto [n, run] : llvm::enumerate(runs))
    for (unsigned loop : run)
      newLoop[loop] = n;
  rewriter.setInsertionPoint(op);
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    AffineMap map = op.getIndexingMapsArray()[i];
    SmallVector<ReassociationIndices> pieces;
    SmallVector<AffineExpr> results;
    SmallVector<AffineExpr> replacement;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      replacement.push_back(rewriter.getAffineDimExpr(newLoop[loop]));
    std::optional<unsigned> previous;
    for (auto [d, expr] : llvm::enumerate(map.getResults())) {
      auto loop = plainLoop(expr);
      bool continues = previous && loop && *loop == *previous + 1 &&
                       newLoop[*loop] == newLoop[*previous];
      if (continues) {
        pieces.back().push_back(d);
      } else {
        pieces.push_back({int64_t(d)});
        results.push_back(expr.replaceDims(replacement));
      }
      previous = loop;
    }
    Value operand = op->getOperand(i);
    if (pieces.size() < map.getNumResults())
      operand = memref::CollapseShapeOp::create(rewriter, op.getLoc(), operand,
                                                pieces);
    operands.push_back(operand);
    maps.push_back(
        AffineMap::get(runs.size(), 0, results, rewriter.getContext()));
  }
  SmallVector<utils::IteratorType> iterators;
  for (ArrayRef<unsigned> run : runs)
    iterators.push_back(op.getIteratorTypesArray()[run.front()]);
  op.getBody()->walk([&](linalg::IndexOp index) {
    rewriter.modifyOpInPlace(index,
                             [&] { index.setDim(newLoop[index.getDim()]); });
  });
  // A fill that the nest takes over fills the same view.
  for (unsigned o = 0; o < op.getNumDpsInits(); ++o) {
    Value output = operands[op.getNumDpsInputs() + o];
    linalg::FillOp fill = fillOf(op, o);
    if (!fill || output == op.getDpsInits()[o])
      continue;
    linalg::FillOp::create(rewriter, fill.getLoc(), fill.getInputs(), output);
    rewriter.eraseOp(fill);
  }
  auto inputs = ArrayRef(operands).take_front(op.getNumDpsInputs());
  auto outputs = ArrayRef(operands).drop_front(op.getNumDpsInputs());
  auto collapsed = linalg::GenericOp::create(rewriter, op.getLoc(), inputs,
                                             outputs, maps, iterators);
  rewriter.inlineRegionBefore(op.getRegion(), collapsed.getRegion(),
                              collapsed.getRegion().end());
  rewriter.eraseOp(op);
  group.stages[0] = collapsed;
}

} // namespace cornu::codegen
