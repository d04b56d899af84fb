//===- BlockKernel.cpp - Cuts a kernel of several contractions ------------===//
//
//   codegen.parallel (%task, %worker) to %units * %blocks {
//     %s = memref.alloc() : memref<64x128xf32>
//     %q = memref.subview ...
//     linalg.generic ins(%q, ...) outs(%s) ...
//   }
//
// What is inside is a kernel of its own, of a known size.
//
//===----------------------------------------------------------------------===//

#include "codegen/IR/Codegen.h"
#include "codegen/schedule/IndexMath.h"
#include "codegen/strategy/BlockSlices.h"
#include "codegen/strategy/BufferAccess.h"
#include "codegen/strategy/Contraction.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// Blocks that have the same code: numbers [first, end).
struct Variant {
  int64_t first, end;
  int64_t size;
};

class BlockEmitter {
public:
  BlockEmitter(RewriterBase &rewriter, func::FuncOp kernel, BlockForm &form,
               int64_t block)
      : kernel(kernel), form(form), block(block), builder(rewriter),
        rewriter(rewriter), loc(kernel.getLoc()),
        slices(rewriter, kernel, form) {}
  void run();

private:
  SmallVector<Variant> variants() const;
  void emitGrid();
  void emitBlock(const Variant &variant, Value number, BlockPlace place);
  void emitStages(const BlockPlace &place);
  void emitSteps(BlockPlace place);
  void emitFill(linalg::FillOp fill, const BlockPlace &place);
  void emitStage(const BlockStage &stage, const BlockPlace &place);
  const BlockStage &writerOf(Value buffer);
  Value unitExtent(unsigned unit);

  func::FuncOp kernel;
  BlockForm &form;
  int64_t block;
  OpBuilder &builder;
  RewriterBase &rewriter;
  Location loc;
  SmallVector<Operation *> ops; ///< stages and fills, in order
  SmallVector<Value> extents;   ///< of the units
  BlockSlices slices;           ///< at the current place
};

} // namespace

Value BlockEmitter::unitExtent(unsigned unit) {
  const BlockStage &first = form.stages.front();
  int64_t known =
      linalg::GenericOp(first.op).getStaticLoopRanges()[first.units[unit]];
  if (!ShapedType::isDynamic(known))
    return arith::ConstantIndexOp::create(builder, loc, known);
  // Of what stays: the buffers between the stages go.
  for (const BlockStage &stage : form.stages) {
    linalg::GenericOp op = stage.op;
    for (OpOperand &operand : op->getOpOperands()) {
      if (isPrivateBuffer(baseBuffer(operand.get())))
        continue;
      for (auto [dim, expr] :
           llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults()))
        if (stage.unitOf(expr) == unit)
          return memref::DimOp::create(builder, loc, operand.get(), dim);
    }
  }
  llvm_unreachable("no operand walks the loop");
}

/// The stage that writes a filled buffer first.
const BlockStage &BlockEmitter::writerOf(Value buffer) {
  return *llvm::find_if(form.stages, [&](const BlockStage &stage) {
    return llvm::is_contained(linalg::GenericOp(stage.op).getDpsInits(),
                              buffer);
  });
}

void BlockEmitter::emitFill(linalg::FillOp fill, const BlockPlace &place) {
  Value buffer = fill.getOutputs()[0];
  const BlockStage &writer = writerOf(buffer);
  linalg::GenericOp op = writer.op;
  auto number = llvm::find(op.getDpsInits(), buffer) - op.getDpsInits().begin();
  linalg::FillOp::create(
      builder, loc, fill.getInputs(),
      slices.of(writer, *op.getDpsInitOperand(number), place));
}

/// A stage without the loops of units, over a part of the block loop.
void BlockEmitter::emitStage(const BlockStage &stage, const BlockPlace &place) {
  linalg::GenericOp op = stage.op;
  unsigned numLoops = op.getNumLoops() - stage.units.size();
  SmallVector<AffineExpr> loops(op.getNumLoops(),
                                builder.getAffineConstantExpr(0));
  SmallVector<utils::IteratorType> iterators;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (!llvm::is_contained(stage.units, loop)) {
      loops[loop] = builder.getAffineDimExpr(iterators.size());
      iterators.push_back(op.getIteratorTypesArray()[loop]);
    }
  SmallVector<AffineMap> maps;
  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    SmallVector<AffineExpr> results;
    for (AffineExpr expr : map.getResults())
      if (!stage.unitOf(expr))
        results.push_back(expr.replaceDims(loops));
    maps.push_back(AffineMap::get(numLoops, 0, results, builder.getContext()));
    operands.push_back(isa<MemRefType>(operand.get().getType())
                           ? slices.of(stage, operand, place)
                           : operand.get());
  }
  ArrayRef<Value> all(operands);
  auto result = linalg::GenericOp::create(
      builder, op.getLoc(), all.take_front(op.getNumDpsInputs()),
      all.drop_front(op.getNumDpsInputs()), maps, iterators);
  result->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  IRMapping mapping;
  op.getRegion().cloneInto(&result.getRegion(), mapping);
  result.walk([&](linalg::IndexOp index) {
    unsigned loop = index.getDim();
    rewriter.setInsertionPoint(index);
    auto unit = llvm::find(stage.units, loop);
    if (unit != stage.units.end()) {
      rewriter.replaceOp(index, place.units[unit - stage.units.begin()]);
      return;
    }
    Value inside = linalg::IndexOp::create(
        rewriter, loc, cast<AffineDimExpr>(loops[loop]).getPosition());
    if (loop == stage.block)
      inside = arith::AddIOp::create(rewriter, loc, inside, place.start);
    rewriter.replaceOp(index, inside);
  });
  builder.setInsertionPointAfter(result);
}

void BlockEmitter::emitStages(const BlockPlace &place) {
  slices.begin(place);
  unsigned next = 0;
  for (Operation *op : ops)
    if (auto fill = dyn_cast<linalg::FillOp>(op))
      emitFill(fill, place);
    else
      emitStage(form.stages[next++], place);
}

/// The blocks of a task, one after another. What is summed over them begins at
/// zero before the first.
void BlockEmitter::emitSteps(BlockPlace place) {
  IndexMath index{builder, loc};
  if (block == form.extent) {
    place.start = index.constant(0);
    place.size = block;
    return emitStages(place);
  }
  slices.clear();
  SmallVector<Operation *> inside;
  for (Operation *op : ops) {
    auto fill = dyn_cast<linalg::FillOp>(op);
    if (fill && writerOf(fill.getOutputs()[0]).reducesBlock())
      emitFill(fill, place);
    else
      inside.push_back(op);
  }
  std::swap(ops, inside);
  auto steps = [&](int64_t first, int64_t end, int64_t size) {
    if (first >= end)
      return;
    place.size = size;
    if (first + size == end) {
      place.start = index.constant(first);
      return emitStages(place);
    }
    auto loop = scf::ForOp::create(builder, loc, index.constant(first),
                                   index.constant(end), index.constant(size));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    place.start = loop.getInductionVar();
    emitStages(place);
  };
  int64_t whole = form.extent / block * block;
  steps(0, whole, block);
  steps(whole, form.extent, form.extent - whole);
  std::swap(ops, inside);
}

/// Which blocks are alike: all but a shorter last one, and but the first and
/// the last where they have a border. The most of them are at the end: the
/// switch's default.
SmallVector<Variant> BlockEmitter::variants() const {
  const bool hasBorders = !form.paddings.empty();
  const int64_t blocks = llvm::divideCeil(form.extent, block);
  const int64_t last = form.extent - (blocks - 1) * block;
  SmallVector<Variant> variants;
  int64_t first = 0, end = blocks; // of those that are alike
  if (blocks > 1 && hasBorders)
    variants.push_back({first++, 1, block});
  if (blocks > 1 && (hasBorders || last != block))
    variants.push_back({--end, blocks, last});
  if (first < end)
    variants.push_back({first, end, block});
  return variants;
}

void BlockEmitter::emitBlock(const Variant &variant, Value number,
                             BlockPlace place) {
  IndexMath index{builder, loc};
  place.size = variant.size;
  place.start = variant.end - variant.first == 1
                    ? index.constant(variant.first * block)
                    : index.mul(number, block);
  emitStages(place);
}

void BlockEmitter::emitGrid() {
  IndexMath index{builder, loc};
  const bool inBlocks = form.extent && !form.isSequential;
  const int64_t blocks = inBlocks ? llvm::divideCeil(form.extent, block) : 1;
  Value total = index.constant(blocks);
  for (Value extent : extents)
    total = index.mul(total, extent);
  // Points of a task in all stages.
  int64_t points = 0;
  for (const BlockStage &stage : form.stages) {
    int64_t own = 1;
    for (auto [loop, extent] :
         llvm::enumerate(linalg::GenericOp(stage.op).getStaticLoopRanges()))
      if (!llvm::is_contained(stage.units, loop))
        own *= loop == stage.block && inBlocks ? block
                                               : std::max<int64_t>(extent, 1);
    points += own;
  }
  Value large = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge,
                                      index.mul(total, points),
                                      index.constant(kSerialWork));
  auto grid = ParallelOp::create(builder, loc, total, large, nullptr);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(grid.getBodyBlock());
  BlockPlace place;
  Value rest = grid.getTask(), number = index.constant(0);
  if (blocks > 1) {
    number = index.rem(rest, index.constant(blocks));
    rest = index.div(rest, index.constant(blocks));
  }
  place.units.resize(extents.size());
  for (unsigned unit = extents.size(); unit-- > 0;) {
    place.units[unit] = unit ? index.rem(rest, extents[unit]) : rest;
    if (unit)
      rest = index.div(rest, extents[unit]);
  }
  if (form.isSequential)
    return emitSteps(place);
  if (!form.extent)
    return emitStages(place);
  SmallVector<Variant> all = variants();
  if (all.size() == 1)
    return emitBlock(all.front(), number, place);
  SmallVector<int64_t> cases;
  for (const Variant &variant : ArrayRef(all).drop_back())
    cases.push_back(variant.first);
  auto choice = scf::IndexSwitchOp::create(builder, loc, TypeRange(), number,
                                           cases, cases.size());
  for (auto [i, variant] : llvm::enumerate(all)) {
    Region &region = i < cases.size() ? choice.getCaseRegions()[i]
                                      : choice.getDefaultRegion();
    builder.setInsertionPointToStart(&region.emplaceBlock());
    emitBlock(variant, number, place);
    scf::YieldOp::create(builder, loc);
  }
}

void BlockEmitter::run() {
  Block &body = kernel.getBody().front();
  for (Operation &op : body)
    if (auto fill = dyn_cast<linalg::FillOp>(op);
        isa<linalg::GenericOp>(op) ||
        (fill && !form.paddingOf(fill.getOutputs()[0])))
      ops.push_back(&op);
  builder.setInsertionPoint(body.getTerminator());
  for (unsigned unit = 0; unit < form.stages.front().units.size(); ++unit)
    extents.push_back(unitExtent(unit));
  emitGrid();
  for (Operation *op : llvm::reverse(ops))
    rewriter.eraseOp(op);
  for (BlockPadding &padding : form.paddings)
    for (Operation *op : {padding.copy.getOperation(), padding.fill,
                          padding.interior.getOperation()})
      rewriter.eraseOp(op);
  SmallVector<Operation *> dead;
  for (Operation &op : body)
    if (auto alloc = dyn_cast<memref::AllocOp>(op);
        alloc && form.buffers.contains(alloc))
      dead.push_back(alloc);
  for (Operation *alloc : dead) {
    for (Operation *user : llvm::make_early_inc_range(alloc->getUsers()))
      rewriter.eraseOp(user);
    rewriter.eraseOp(alloc);
  }
}

/// Sums over a single element are none: a 1 x 1 window is no window.
static void dropUnitReductions(RewriterBase &rewriter, linalg::GenericOp op) {
  SmallVector<AffineExpr> loops;
  SmallVector<utils::IteratorType> iterators;
  for (auto [extent, type] :
       llvm::zip(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (extent == 1 && type == utils::IteratorType::reduction) {
      loops.push_back(rewriter.getAffineConstantExpr(0));
    } else {
      loops.push_back(rewriter.getAffineDimExpr(iterators.size()));
      iterators.push_back(type);
    }
  if (iterators.size() == loops.size() || op.hasIndexSemantics())
    return;
  SmallVector<AffineMap> maps;
  for (AffineMap map : op.getIndexingMapsArray())
    maps.push_back(map.replaceDimsAndSymbols(loops, {}, iterators.size(), 0));
  rewriter.modifyOpInPlace(op, [&] {
    op.setIndexingMapsAttr(rewriter.getAffineMapArrayAttr(maps));
    SmallVector<Attribute> kinds;
    for (utils::IteratorType kind : iterators)
      kinds.push_back(
          linalg::IteratorTypeAttr::get(rewriter.getContext(), kind));
    op.setIteratorTypesAttr(rewriter.getArrayAttr(kinds));
  });
}

bool cutIntoBlocks(RewriterBase &rewriter, func::FuncOp kernel,
                   const Target &target) {
  SmallVector<linalg::GenericOp> products;
  kernel.walk([&](linalg::GenericOp op) {
    if (isProduct(op))
      products.push_back(op);
  });
  if (products.size() < 2)
    return false;
  for (linalg::GenericOp op : products)
    dropUnitReductions(rewriter, op);
  std::optional<BlockForm> form = BlockForm::of(kernel);
  if (!form)
    return false;
  int64_t block = form->chooseBlock(target);
  if (!form->bordersAreBlocks(block))
    return false;
  BlockEmitter(rewriter, kernel, *form, block).run();
  return true;
}

} // namespace cornu::codegen
