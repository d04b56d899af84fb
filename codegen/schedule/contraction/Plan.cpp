//===- Plan.cpp - From the strategy to the loops of a nest ----------------===//
//
// Extents, addresses, merged and blocked loops; the versions of a nest; and
// the removal of what it has absorbed:
//
//   kc = 256, reduction (ky = 3, kx = 3, c = 64)
//     -> loops ky (step 1), kx * c merged (192, step 192)
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Nest.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

/// Lanes of a task of the single-row version.
static constexpr int64_t kSingleRowLanes = 128;

//===----------------------------------------------------------------------===//
// Setting up
//===----------------------------------------------------------------------===//

/// Moves what defines `value` before `op`, which availableBefore() allows.
static void moveBefore(RewriterBase &rewriter, Value value, Operation *op) {
  Operation *def = value.getDefiningOp();
  if (!def || def->getBlock() != op->getBlock() || def->isBeforeInBlock(op))
    return;
  for (Value operand : def->getOperands())
    moveBefore(rewriter, operand, op);
  rewriter.moveOpBefore(def, op);
}

void ContractionNest::hoistOperands() {
  for (EpilogueOp &epilogue : fusion.epilogue)
    epilogue.op->walk([&](Operation *op) {
      for (Value operand : op->getOperands())
        moveBefore(builder, operand, root);
    });
}

void ContractionNest::prepare() {
  hoistOperands();
  builder.setInsertionPoint(root);
  unsigned loops = root.getNumLoops();
  extents.resize(loops);
  for (unsigned loop = 0; loop < loops; ++loop) {
    if (!ShapedType::isDynamic(form.extents[loop])) {
      extents[loop] = math.constant(form.extents[loop]);
      continue;
    }
    for (unsigned number = 0; number < 3 && !extents[loop]; ++number)
      for (auto [dim, expr] : llvm::enumerate(maps[number].getResults()))
        if (expr == builder.getAffineDimExpr(loop)) {
          // The source of a padded or computed operand outlives it, and what
          // moves with the batch is not padded.
          Value memref = root->getOperand(number);
          if (number < 2 && fusion.inputs[number].needsCopy())
            memref = fusion.inputs[number].source;
          extents[loop] = memref::DimOp::create(builder, loc, memref, dim);
          break;
        }
    assert(extents[loop] && "linalg's maps determine every loop");
  }

  copies[0] =
      fusion.inputs[0].needsCopy() ||
      (form.left == 0 ? strategy.getCopyLeft() : strategy.getCopyRight());
  copies[1] =
      fusion.inputs[1].needsCopy() ||
      (form.left == 1 ? strategy.getCopyLeft() : strategy.getCopyRight());
  for (unsigned number = 0; number < 3; ++number) {
    Value operand = root->getOperand(number);
    known[number] =
        knownStrides(cast<MemRefType>(operand.getType()), maps[number]);
    if (number < 2 && !copies[number])
      views[number] = LinearView::of(builder, loc, operand, maps[number]);
    if (number == 2 && !(fusion.outputUnused && fusion.startsAtZero))
      output = LinearView::of(builder, loc, operand, maps[2]);
    if (number == 2 && strategy.getOutputPanels())
      layInPanels(output, number, strategy.getOutputPanels());
  }
}

/// Merges and blocks the loops as the strategy says.
void ContractionNest::plan() {
  // A copied region has the strides of its block, so that merged loops must
  // lie in a block in full, and without a gap.
  auto dense = [&](ArrayRef<unsigned> numbers) {
    return [this, numbers](unsigned outer, const NestLoop &inside) {
      return llvm::all_of(numbers, [&](unsigned number) {
        return !copies[number] ||
               staysDense(cast<MemRefType>(root->getOperand(number).getType()),
                          maps[number], outer, inside);
      });
    };
  };
  SmallVector<unsigned> both = {0, 1}, leftOnly = {form.left};
  // The innermost reduction loop is the one that walks the operands' memory.
  auto distance = [&](unsigned loop) {
    int64_t far = std::numeric_limits<int64_t>::max();
    return std::max(std::abs(known[0][loop].value_or(far)),
                    std::abs(known[1][loop].value_or(far)));
  };
  llvm::sort(form.reduction, [&](unsigned a, unsigned b) {
    return std::make_pair(-distance(a), a) < std::make_pair(-distance(b), b);
  });
  constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max() / 4;
  reductionLoops = mergeLoops(
      math, form.reduction, extents, {known[0], known[1]},
      copies[0] || copies[1] ? strategy.getKc() : kNoLimit, dense(both));
  // Epilogue and prologue are told the indices of the root's own loops.
  int64_t rowLimit = copies[form.left] ? strategy.getMc() : kNoLimit;
  rowLoops =
      mergeLoops(math, form.rows, extents, {known[form.left], known[2]},
                 fusion.epilogue.empty() ? rowLimit : 0, dense(leftOnly));
  blockLoops(reductionLoops, strategy.getKc());
  blockLoops(rowLoops, strategy.getMc());
  // Merged loops of a copied operand stay whole, see above.
  auto keepWhole = [](MutableArrayRef<NestLoop> loops) {
    for (NestLoop &loop : loops)
      if (loop.loops.size() > 1)
        loop.step = *loop.staticExtent();
  };
  if (copies[0] || copies[1])
    keepWhole(reductionLoops);
  if (copies[form.left])
    keepWhole(rowLoops);
  reductionBlocked = false;
  for (NestLoop &loop : reductionLoops)
    reductionBlocked |= loop.staticExtent() != loop.step;
  rowBlock = 1;
  for (NestLoop &loop : rowLoops)
    rowBlock *= loop.step;
  std::optional<int64_t> laneExtent = constantOf(extents[form.lane]);
  laneBlock =
      laneExtent ? std::min(*laneExtent, strategy.getNc()) : strategy.getNc();
  sumsInWorkspace =
      reductionBlocked && (fusion.outputUnused || !fusion.epilogue.empty());
  rowTilesInRun = !strategy.getFlattenRows();
  // The taps of a window overlap: what one has brought near, the next reads.
  constexpr int64_t kMostInside = 32;
  innerColumn.reset();
  if (!form.columns.empty() && !sumsInWorkspace)
    if (auto extent = constantOf(extents[form.columns.back()]);
        extent && *extent <= kMostInside)
      innerColumn = form.columns.back();
}

//===----------------------------------------------------------------------===//
// Versions, and the end
//===----------------------------------------------------------------------===//

/// With one row, every element of the right operand is used once: a tile of
/// many lanes, nothing packed, the reduction in one block. Where the right
/// operand lies along the reduction, so do the accumulators.
void ContractionNest::emitSingleRow(unsigned loop) {
  ContractionAttr general = strategy;
  Value extent = extents[loop];
  Blocking single(general);
  single.mr = single.mc = 1;
  single.nr = general.getSingleRowNr();
  single.nc = llvm::alignTo(kSingleRowLanes, single.nr);
  single.kc = std::numeric_limits<int32_t>::max();
  single.packRight = single.flattenRows = false;
  single.alongReduction =
      !general.getPanels() && known[form.right][form.lane] != 1;
  single.singleRowNr = 0;
  single.winograd = nullptr;
  strategy = single.get(general.getContext());
  extents[loop] = math.constant(1);
  plan();
  emitGrid();
  strategy = general;
  extents[loop] = extent;
}

LogicalResult ContractionNest::emitVersions() {
  // The loop that decides whether there is one row.
  std::optional<unsigned> loop;
  int64_t others = 1;
  for (unsigned row : form.rows) {
    if (std::optional<int64_t> extent = constantOf(extents[row]))
      others *= *extent;
    else
      others = loop ? 0 : (loop = row, others);
  }
  auto general = [&] {
    plan();
    emitGrid();
  };
  FailureOr<bool> emitted = emitWinogradVersion(general);
  if (failed(emitted))
    return failure();
  if (*emitted)
    return success();
  if (!loop || others != 1 || strategy.getSingleRowNr() == 0) {
    general();
    return success();
  }
  Value single = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       extents[*loop], math.constant(1));
  ifElse(single, [&] { emitSingleRow(*loop); }, general);
  return success();
}

LogicalResult ContractionNest::emit() {
  prepare();
  if (failed(emitVersions()))
    return failure();
  if (workspaceNeeded)
    requireWorkspace(root->getParentOfType<func::FuncOp>(), workspaceNeeded);

  // The absorbed ops, then the memrefs that they alone touched.
  SmallVector<Operation *> dead(fusion.absorbed.begin(), fusion.absorbed.end());
  llvm::sort(dead,
             [](Operation *a, Operation *b) { return b->isBeforeInBlock(a); });
  SmallVector<Value> memrefs;
  for (Operation *op : dead)
    for (Value operand : op->getOperands())
      if (isa<MemRefType>(operand.getType()))
        memrefs.push_back(operand);
  for (Operation *op : dead)
    builder.eraseOp(op);
  llvm::SetVector<Operation *> unused;
  for (Value memref : memrefs)
    if (Operation *def = memref.getDefiningOp())
      unused.insert(def);
  for (bool changed = true; changed;) {
    changed = false;
    for (Operation *def : llvm::to_vector(unused)) {
      if (!isa<memref::AllocOp, memref::AllocaOp, ViewLikeOpInterface>(def))
        continue;
      // Sizes of an allocation are its operands.
      for (Operation *user : llvm::to_vector(def->getUsers())) {
        if (auto dim = dyn_cast<memref::DimOp>(user)) {
          std::optional<int64_t> index = dim.getConstantIndex();
          if (!index)
            continue;
          if (auto alloc = dyn_cast<memref::AllocOp>(def)) {
            MemRefType type = alloc.getType();
            if (type.isDynamicDim(*index))
              builder.replaceOp(
                  dim,
                  alloc.getDynamicSizes()[type.getDynamicDimIndex(*index)]);
          } else if (auto subview = dyn_cast<memref::SubViewOp>(def)) {
            builder.setInsertionPoint(dim);
            if (subview.getType().getRank() ==
                subview.getSourceType().getRank())
              builder.replaceOp(dim,
                                math.value(subview.getMixedSizes()[*index]));
          }
        } else if (isa<memref::DeallocOp>(user) &&
                   llvm::hasSingleElement(def->getUsers())) {
          builder.eraseOp(user);
        }
      }
      if (!def->use_empty())
        continue;
      for (Value operand : def->getOperands())
        if (Operation *next = operand.getDefiningOp();
            next && isa<MemRefType>(operand.getType()))
          unused.insert(next);
      unused.remove(def);
      builder.eraseOp(def);
      changed = true;
    }
  }
  return success();
}

} // namespace cornu::codegen
