//===- NestGrid.cpp - Nests on a grid of tasks ----------------------------===//
//
// A group of nests becomes one grid; its private buffers become buffers of one
// row, or vanish where an epilogue takes the value from registers.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestGrid.h"

#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/NestLoops.h"
#include "codegen/strategy/NestFills.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cornu::codegen {

/// Partial results of a reduction that is cut: at most so many tasks.
static constexpr int64_t kMaxPartials = 64;
/// Row buffers and small intermediates live on the stack up to this size.
static constexpr int64_t kMaxStackBytes = 128 << 10;

//===----------------------------------------------------------------------===//
// Index arithmetic that folds
//===----------------------------------------------------------------------===//

namespace {
struct IndexBuilder {
  OpBuilder &builder;
  Location loc;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  static std::optional<int64_t> constantOf(Value value) {
    APInt constant;
    if (matchPattern(value, m_ConstantInt(&constant)))
      return constant.getSExtValue();
    return std::nullopt;
  }
  Value mul(Value a, Value b) {
    auto x = constantOf(a), y = constantOf(b);
    if (x && y)
      return constant(*x * *y);
    if (x == 1)
      return b;
    return y == 1 ? a : arith::MulIOp::create(builder, loc, a, b).getResult();
  }
  Value ceilDiv(Value a, Value b) {
    auto x = constantOf(a), y = constantOf(b);
    if (x && y)
      return constant((*x + *y - 1) / *y);
    return y == 1 ? a
                  : arith::CeilDivUIOp::create(builder, loc, a, b).getResult();
  }
  Value max(Value a, Value b) {
    auto x = constantOf(a), y = constantOf(b);
    if (x && y)
      return constant(std::max(*x, *y));
    return arith::MaxUIOp::create(builder, loc, a, b);
  }
};

/// What a grid runs over: `total` steps of `points` points each; a task gets a
/// multiple of `multiple` steps, and there are at most `maxTasks` tasks.
struct GridShape {
  Value total;
  Value points;
  int64_t grain = 0, serial = 0, multiple = 1;
  std::optional<int64_t> maxTasks;
};
} // namespace

/// The number of steps per task.
static Value stepsPerTask(IndexBuilder &index, const GridShape &shape) {
  Value steps =
      index.max(index.constant(1),
                index.ceilDiv(index.constant(shape.grain),
                              index.max(shape.points, index.constant(1))));
  if (shape.maxTasks)
    steps = index.max(
        steps, index.ceilDiv(shape.total, index.constant(*shape.maxTasks)));
  if (shape.multiple > 1)
    steps = index.mul(index.ceilDiv(steps, index.constant(shape.multiple)),
                      index.constant(shape.multiple));
  // An even cut of a static total has no shorter last task.
  auto total = IndexBuilder::constantOf(shape.total);
  auto fixed = IndexBuilder::constantOf(steps);
  if (total && fixed && *total > 0) {
    int64_t tasks = (*total + *fixed - 1) / *fixed;
    int64_t even = (*total + tasks - 1) / tasks;
    even = (even + shape.multiple - 1) / shape.multiple * shape.multiple;
    return index.constant(even);
  }
  return steps;
}

using TaskBody =
    llvm::function_ref<void(OpBuilder &, Value task, Value first, Value last)>;

/// Emits the grid; returns the number of tasks.
static Value emitGrid(OpBuilder &builder, Location loc, const GridShape &shape,
                      TaskBody body) {
  IndexBuilder index{builder, loc};
  Value steps = stepsPerTask(index, shape);
  Value count = index.ceilDiv(shape.total, steps);
  if (IndexBuilder::constantOf(count) == 1) {
    Value zero = index.constant(0);
    body(builder, zero, zero, shape.total);
    return count;
  }
  Value work = index.mul(shape.total, shape.points);
  Value large;
  if (auto fixed = IndexBuilder::constantOf(work)) {
    if (*fixed < shape.serial)
      large = arith::ConstantIntOp::create(builder, loc, 0, 1);
  } else {
    large = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::uge, work,
                                  index.constant(shape.serial));
  }
  auto grid = ParallelOp::create(builder, loc, count, large, nullptr);
  OpBuilder inner = OpBuilder::atBlockEnd(grid.getBodyBlock());
  IndexBuilder inside{inner, loc};
  Value first = inside.mul(grid.getTask(), steps);
  auto total = IndexBuilder::constantOf(shape.total);
  auto fixed = IndexBuilder::constantOf(steps);
  Value last;
  if (total && fixed && *total % *fixed == 0)
    last = addConstant(inner, loc, first, *fixed);
  else
    last = arith::MinUIOp::create(
        inner, loc, arith::AddIOp::create(inner, loc, first, steps),
        shape.total);
  body(inner, grid.getTask(), first, last);
  return count;
}

//===----------------------------------------------------------------------===//
// One group
//===----------------------------------------------------------------------===//

namespace {
class GroupScheduler {
public:
  GroupScheduler(RewriterBase &rewriter, func::FuncOp kernel,
                 ArrayRef<linalg::GenericOp> stages);
  void schedule();

private:
  bool isOurs(Operation *op) const {
    return llvm::is_contained(stages, dyn_cast<linalg::GenericOp>(op));
  }
  void findDeadBuffers();
  void makeRowBuffers(OpBuilder &builder);
  void emitUnit(OpBuilder &builder, unsigned unit, ArrayRef<NestRange> ranges);
  void emitFill(OpBuilder &builder, Nest &nest, unsigned output,
                ArrayRef<NestRange> ranges);
  void emitRows();
  void emitAlone();
  void emitCutReduction(unsigned cut);
  std::optional<unsigned> reductionToCut();
  Value size(unsigned unit, unsigned loop) {
    return allRanges[unit][loop].upper;
  }
  Value workspaceView(MemRefType type);

  RewriterBase &rewriter;
  func::FuncOp kernel;
  SmallVector<linalg::GenericOp> stages;
  Location loc;
  unsigned rows = 0;
  SmallVector<Nest> units;
  SmallVector<SmallVector<NestRange>> allRanges; ///< of each unit's root
  SmallVector<linalg::FillOp> fills;
};
} // namespace

GroupScheduler::GroupScheduler(RewriterBase &rewriter, func::FuncOp kernel,
                               ArrayRef<linalg::GenericOp> stages)
    : rewriter(rewriter), kernel(kernel), stages(stages),
      loc(this->stages.front().getLoc()) {
  for (linalg::GenericOp stage : this->stages) {
    auto attr = stage->getAttrOfType<NestAttr>(CodegenDialect::kStrategyAttr);
    if (attr.getKind() == NestKind::Epilogue && !units.empty()) {
      units.back().epilogues.push_back(stage);
      continue;
    }
    Nest nest;
    nest.root = stage;
    nest.strategy = attr;
    rows = attr.getRows();
    for (unsigned o = 0; o < stage.getNumDpsInits(); ++o) {
      linalg::FillOp fill;
      if (attr.getKind() != NestKind::Map)
        fill = fillOf(stage, o);
      TypedAttr constant;
      if (fill) {
        matchPattern(fill.getInputs()[0], m_Constant(&constant));
        fills.push_back(fill);
      }
      nest.initial.push_back(constant);
    }
    units.push_back(nest);
  }
}

/// Buffers that only carry a value from a root to its epilogues.
void GroupScheduler::findDeadBuffers() {
  for (Nest &nest : units) {
    SmallVector<linalg::GenericOp> ops{nest.root};
    llvm::append_range(ops, nest.epilogues);
    for (linalg::GenericOp op : ops)
      for (Value output : op.getDpsInits()) {
        if (!output.getDefiningOp<memref::AllocOp>())
          continue;
        bool inside = llvm::all_of(output.getUsers(), [&](Operation *user) {
          auto generic = dyn_cast<linalg::GenericOp>(user);
          return isa<memref::DeallocOp, linalg::FillOp, memref::DimOp>(user) ||
                 (generic && llvm::is_contained(ops, generic));
        });
        // The root's own old value may come from memory.
        auto position =
            llvm::find(op.getDpsInits(), output) - op.getDpsInits().begin();
        bool read = op == nest.root && !nest.initial[position] &&
                    !op.getRegionOutputArgs()[position].use_empty();
        if (inside && !read && nest.strategy.getKind() != NestKind::Update)
          nest.dead.insert(output);
      }
  }
}

/// Intermediates of the group shrink to what one row needs.
void GroupScheduler::makeRowBuffers(OpBuilder &builder) {
  llvm::SetVector<Value> buffers;
  for (linalg::GenericOp stage : stages)
    for (Value output : stage.getDpsInits())
      if (output.getDefiningOp<memref::AllocOp>())
        buffers.insert(output);
  int64_t bytes = 0;
  for (Value buffer : buffers) {
    if (llvm::any_of(units,
                     [&](Nest &nest) { return nest.dead.contains(buffer); }))
      continue;
    auto type = cast<MemRefType>(buffer.getType());
    std::optional<SmallVector<bool>> isRowDim;
    bool possible = true;
    SmallVector<std::pair<linalg::GenericOp, unsigned>> uses;
    for (OpOperand &use : buffer.getUses()) {
      Operation *user = use.getOwner();
      if (isa<memref::DeallocOp, memref::DimOp>(user))
        continue;
      if (auto fill = dyn_cast<linalg::FillOp>(user)) {
        possible &= llvm::is_contained(fills, fill);
        continue;
      }
      if (!isOurs(user)) {
        possible = false;
        continue;
      }
      auto stage = cast<linalg::GenericOp>(user);
      SmallVector<bool> dims;
      for (AffineExpr expr :
           stage.getIndexingMapsArray()[use.getOperandNumber()].getResults()) {
        auto dim = dyn_cast<AffineDimExpr>(expr);
        dims.push_back(dim && dim.getPosition() < rows);
      }
      possible &= !isRowDim || *isRowDim == dims;
      isRowDim = dims;
      uses.push_back({stage, use.getOperandNumber()});
    }
    if (!possible || !isRowDim)
      continue;
    SmallVector<int64_t> shape;
    int64_t elements = 1;
    for (auto [size, isRow] : llvm::zip(type.getShape(), *isRowDim)) {
      if (isRow)
        continue;
      possible &= !ShapedType::isDynamic(size);
      shape.push_back(size);
      elements *= size;
    }
    unsigned bits = type.getElementTypeBitWidth();
    if (!possible || bytes + elements * ((bits + 7) / 8) > kMaxStackBytes)
      continue;
    bytes += elements * ((bits + 7) / 8);
    Value row = memref::AllocaOp::create(
        builder, loc, MemRefType::get(shape, type.getElementType()),
        builder.getI64IntegerAttr(64));
    for (auto [stage, operand] : uses) {
      SmallVector<AffineMap> maps = stage.getIndexingMapsArray();
      SmallVector<AffineExpr> results;
      for (auto [expr, isRow] :
           llvm::zip(maps[operand].getResults(), *isRowDim))
        if (!isRow)
          results.push_back(expr);
      maps[operand] =
          AffineMap::get(stage.getNumLoops(), 0, results, stage.getContext());
      stage->setOperand(operand, row);
      stage.setIndexingMapsAttr(builder.getAffineMapArrayAttr(maps));
    }
  }
}

/// Fills the part of an output that the fixed loops (the rows) leave.
void GroupScheduler::emitFill(OpBuilder &builder, Nest &nest, unsigned output,
                              ArrayRef<NestRange> ranges) {
  linalg::GenericOp root = nest.root;
  Value buffer = root.getDpsInits()[output];
  AffineMap map = root.getIndexingMapsArray()[root.getNumDpsInputs() + output];
  auto type = cast<MemRefType>(buffer.getType());
  int64_t rank = type.getRank();
  TypedAttr value = nest.initial[output];
  SmallVector<utils::IteratorType> parallel(rank,
                                            utils::IteratorType::parallel);
  auto fill = linalg::GenericOp::create(
      builder, loc, ValueRange(), buffer, builder.getMultiDimIdentityMap(rank),
      parallel, [&](OpBuilder &body, Location loc, ValueRange) {
        Value constant = arith::ConstantOp::create(body, loc, value);
        linalg::YieldOp::create(body, loc, constant);
      });
  SmallVector<NestRange> fillRanges = fullRanges(builder, fill);
  for (auto [d, expr] : llvm::enumerate(map.getResults()))
    if (auto loop = dyn_cast<AffineDimExpr>(expr))
      if (ranges[loop.getPosition()].isFixed())
        fillRanges[d] = ranges[loop.getPosition()];
  int lane = rank - 1;
  if (rank == 0 || fillRanges.back().isFixed())
    lane = -1;
  Nest alone;
  alone.root = fill;
  alone.initial.push_back({});
  alone.strategy =
      NestAttr::get(builder.getContext(), NestKind::Map, lane,
                    nest.strategy.getWidth(), 4, -1, 1, 0, 0, 0, 0);
  emitNestLoops(builder, alone, fillRanges);
  fill->erase();
}

void GroupScheduler::emitUnit(OpBuilder &builder, unsigned unit,
                              ArrayRef<NestRange> ranges) {
  Nest &nest = units[unit];
  // A scatter into a filled buffer fills it first; other nests begin their
  // accumulators with the value.
  if (nest.strategy.getKind() == NestKind::Update)
    for (unsigned o = 0; o < nest.root.getNumDpsInits(); ++o)
      if (nest.initial[o])
        emitFill(builder, nest, o, ranges);
  emitNestLoops(builder, nest, ranges);
}

void GroupScheduler::emitRows() {
  IndexBuilder index{rewriter, loc};
  GridShape shape;
  shape.total = index.constant(1);
  for (unsigned row = 0; row < rows; ++row)
    shape.total = index.mul(shape.total, size(0, row));
  // Points of one row, in all nests; the work of one point differs, so the
  // grains are compared as shares of a task.
  int64_t grain = units[0].strategy.getGrain();
  Value points = index.constant(0);
  for (auto [u, nest] : llvm::enumerate(units)) {
    Value product = index.constant(1);
    for (unsigned loop = rows; loop < nest.root.getNumLoops(); ++loop)
      product = index.mul(product, size(u, loop));
    int64_t weight = std::max<int64_t>(1, grain / nest.strategy.getGrain());
    product = index.mul(product, index.constant(weight));
    auto a = IndexBuilder::constantOf(points);
    auto b = IndexBuilder::constantOf(product);
    points =
        a && b
            ? index.constant(*a + *b)
            : arith::AddIOp::create(rewriter, loc, points, product).getResult();
  }
  shape.points = points;
  shape.grain = grain;
  shape.serial = 2 * grain;
  emitGrid(rewriter, loc, shape,
           [&](OpBuilder &builder, Value task, Value first, Value last) {
             // On the stack of the task, or of the kernel, outside any loop.
             OpBuilder buffers = builder;
             if (!isa<ParallelOp>(builder.getInsertionBlock()->getParentOp()))
               buffers.setInsertionPointToStart(&kernel.getBody().front());
             makeRowBuffers(buffers);
             Value one = arith::ConstantIndexOp::create(builder, loc, 1);
             scf::ForOp::create(
                 builder, loc, first, last, one, {},
                 [&](OpBuilder &inner, Location loc, Value row, ValueRange) {
                   // The index of each row loop, outermost first.
                   SmallVector<Value> indices(rows);
                   Value rest = row;
                   for (unsigned i = rows; i-- > 1;) {
                     Value extent = size(0, i);
                     indices[i] =
                         arith::RemUIOp::create(inner, loc, rest, extent);
                     rest = arith::DivUIOp::create(inner, loc, rest, extent);
                   }
                   indices[0] = rest;
                   for (auto [u, nest] : llvm::enumerate(units)) {
                     SmallVector<NestRange> ranges = allRanges[u];
                     for (unsigned i = 0; i < rows; ++i)
                       ranges[i] = {indices[i], Value()};
                     emitUnit(inner, u, ranges);
                   }
                   scf::YieldOp::create(inner, loc);
                 });
           });
}

/// The reduction loop whose parts can be computed apart: the outermost one.
std::optional<unsigned> GroupScheduler::reductionToCut() {
  Nest &nest = units[0];
  NestKind kind = nest.strategy.getKind();
  if ((kind != NestKind::Reduce && kind != NestKind::Fold) ||
      nest.root->hasAttr(kGuardsAttr) ||
      llvm::is_contained(findCombiners(nest.root), nullptr))
    return std::nullopt;
  // The partial results need a place.
  auto arguments = kernel.getArguments();
  auto last = arguments.empty()
                  ? MemRefType()
                  : dyn_cast<MemRefType>(arguments.back().getType());
  if (!last || last.getRank() != 1 || !last.getElementType().isInteger(8))
    return std::nullopt;
  for (Value output : nest.root.getDpsInits()) {
    auto type = cast<MemRefType>(output.getType());
    // Where the outputs are many, their loops are cut instead.
    if (!type.hasStaticShape() || type.getNumElements() > 16384)
      return std::nullopt;
  }
  auto types = nest.root.getIteratorTypesArray();
  for (unsigned loop = 0; loop < types.size(); ++loop)
    if (types[loop] == utils::IteratorType::reduction)
      return loop;
  return std::nullopt;
}

void GroupScheduler::emitAlone() {
  Nest &nest = units[0];
  auto types = nest.root.getIteratorTypesArray();
  bool parallel = !types.empty() && types[0] == utils::IteratorType::parallel;
  if (auto cut = reductionToCut())
    return emitCutReduction(*cut);
  if (!parallel || nest.strategy.getKind() == NestKind::Update)
    return emitUnit(rewriter, 0, allRanges[0]);
  IndexBuilder index{rewriter, loc};
  GridShape shape;
  shape.total = size(0, 0);
  shape.points = index.constant(1);
  for (unsigned loop = 1; loop < types.size(); ++loop)
    shape.points = index.mul(shape.points, size(0, loop));
  shape.grain = nest.strategy.getGrain();
  shape.serial = nest.strategy.getSerial();
  shape.multiple = nest.strategy.getLane() == 0
                       ? nest.strategy.getWidth() * nest.strategy.getVectors()
                   : nest.strategy.getTileLoop() == 0 ? nest.strategy.getTile()
                                                      : 1;
  emitGrid(rewriter, loc, shape,
           [&](OpBuilder &builder, Value task, Value first, Value last) {
             SmallVector<NestRange> ranges = allRanges[0];
             ranges[0] = {first, last};
             emitNestLoops(builder, nest, ranges);
           });
}

/// A part of the kernel's workspace.
Value GroupScheduler::workspaceView(MemRefType type) {
  auto bytes = KernelWorkspaceOp::create(
      rewriter, loc,
      MemRefType::get({ShapedType::kDynamic}, rewriter.getI8Type()));
  int64_t size =
      type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
  Value offset = arith::ConstantIndexOp::create(
      rewriter, loc, takeSharedWorkspace(kernel, size));
  return memref::ViewOp::create(rewriter, loc, type, bytes, offset,
                                ValueRange());
}

/// Partial results per task, then their combination in order.
void GroupScheduler::emitCutReduction(unsigned cut) {
  Nest &nest = units[0];
  linalg::GenericOp root = nest.root;
  SmallVector<Operation *> combiners = findCombiners(root);
  IndexBuilder index{rewriter, loc};
  GridShape shape;
  shape.total = size(0, cut);
  shape.points = index.constant(1);
  for (unsigned loop = 0; loop < root.getNumLoops(); ++loop)
    if (loop != cut)
      shape.points = index.mul(shape.points, size(0, loop));
  shape.grain = nest.strategy.getGrain();
  shape.serial = nest.strategy.getSerial();
  shape.maxTasks = kMaxPartials;
  int cutLoop = cut;
  if (cutLoop == nest.strategy.getLane())
    shape.multiple = nest.strategy.getWidth() * nest.strategy.getVectors();
  else if (cutLoop == nest.strategy.getTileLoop())
    shape.multiple = nest.strategy.getTile();
  Value steps = stepsPerTask(index, shape);
  if (IndexBuilder::constantOf(index.ceilDiv(shape.total, steps)) == 1)
    return emitNestLoops(rewriter, nest, allRanges[0]);

  SmallVector<Value> partials;
  for (Value output : root.getDpsInits()) {
    auto type = cast<MemRefType>(output.getType());
    SmallVector<int64_t> partialShape{kMaxPartials};
    llvm::append_range(partialShape, type.getShape());
    partials.push_back(
        workspaceView(MemRefType::get(partialShape, type.getElementType())));
  }
  Value count = emitGrid(
      rewriter, loc, shape,
      [&](OpBuilder &builder, Value task, Value first, Value last) {
        auto part = cast<linalg::GenericOp>(builder.clone(*root));
        Nest partial;
        partial.root = part;
        partial.strategy = nest.strategy;
        for (auto [o, buffer] : llvm::enumerate(partials)) {
          auto type = cast<MemRefType>(buffer.getType());
          SmallVector<OpFoldResult> offsets(type.getRank(),
                                            builder.getIndexAttr(0));
          SmallVector<OpFoldResult> ones(type.getRank(),
                                         builder.getIndexAttr(1));
          SmallVector<OpFoldResult> sizes;
          for (int64_t size : type.getShape())
            sizes.push_back(builder.getIndexAttr(size));
          offsets[0] = task;
          sizes[0] = builder.getIndexAttr(1);
          auto sliceType = memref::SubViewOp::inferRankReducedResultType(
              type.getShape().drop_front(), type, offsets, sizes, ones);
          Value slice = memref::SubViewOp::create(builder, loc,
                                                  cast<MemRefType>(sliceType),
                                                  buffer, offsets, sizes, ones);
          part->setOperand(root.getNumDpsInputs() + o, slice);
          partial.initial.push_back(neutralElement(combiners[o]));
        }
        // The slices are made before the clone's loops.
        builder.setInsertionPointAfter(part);
        OpBuilder inner = builder;
        inner.setInsertionPointToEnd(builder.getInsertionBlock());
        SmallVector<NestRange> ranges = allRanges[0];
        ranges[cut] = {first, last};
        emitNestLoops(inner, partial, ranges);
        part->erase();
      });

  // for each output element: old combined with the partials, in order.
  SmallVector<unsigned> newLoop(root.getNumLoops());
  SmallVector<NestRange> ranges;
  SmallVector<utils::IteratorType> iterators;
  for (unsigned loop = 0; loop < root.getNumLoops(); ++loop)
    if (root.getIteratorTypesArray()[loop] == utils::IteratorType::parallel) {
      newLoop[loop] = iterators.size();
      iterators.push_back(utils::IteratorType::parallel);
      ranges.push_back(allRanges[0][loop]);
    }
  unsigned numLoops = iterators.size() + 1;
  AffineExpr task = rewriter.getAffineDimExpr(iterators.size());
  iterators.push_back(utils::IteratorType::reduction);
  ranges.push_back({index.constant(0), count});
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
      NestAttr::get(rewriter.getContext(), NestKind::Reduce, lane,
                    lane >= 0 ? nest.strategy.getWidth() : 1, lane >= 0 ? 4 : 1,
                    -1, 1, 0, nest.strategy.getGroup(), 0, 0);
  emitNestLoops(rewriter, combine, ranges);
  rewriter.eraseOp(total);
}

void GroupScheduler::schedule() {
  // Views and sizes that the last stage needs exist where it stands.
  rewriter.setInsertionPoint(stages.back());
  findDeadBuffers();
  for (Nest &nest : units)
    allRanges.push_back(fullRanges(rewriter, nest.root));
  if (rows > 0)
    emitRows();
  else
    emitAlone();
  for (linalg::GenericOp stage : stages)
    rewriter.eraseOp(stage);
  for (linalg::FillOp fill : fills)
    rewriter.eraseOp(fill);
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Intermediates that nests of different groups pass on: on the stack, or in
/// the workspace. Only a size that depends on the batch stays an allocation.
static void placeBuffers(RewriterBase &rewriter, func::FuncOp kernel) {
  SmallVector<memref::AllocOp> allocs;
  kernel.walk([&](memref::AllocOp op) { allocs.push_back(op); });
  int64_t stack = 0;
  for (memref::AllocOp alloc : allocs) {
    MemRefType type = alloc.getType();
    bool used = !llvm::all_of(alloc->getUsers(), [](Operation *user) {
      return isa<memref::DeallocOp, linalg::FillOp>(user);
    });
    if (used && !type.hasStaticShape())
      continue;
    for (Operation *user : llvm::make_early_inc_range(alloc->getUsers()))
      if (isa<memref::DeallocOp>(user) || !used)
        rewriter.eraseOp(user);
    if (!used) {
      rewriter.eraseOp(alloc);
      continue;
    }
    int64_t bytes =
        type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
    rewriter.setInsertionPointToStart(&kernel.getBody().front());
    if (stack + bytes <= kMaxStackBytes) {
      stack += bytes;
      rewriter.replaceOpWithNewOp<memref::AllocaOp>(
          alloc, type, rewriter.getI64IntegerAttr(64));
      continue;
    }
    Value block = KernelWorkspaceOp::create(
        rewriter, alloc.getLoc(),
        MemRefType::get({ShapedType::kDynamic}, rewriter.getI8Type()));
    Value offset = arith::ConstantIndexOp::create(
        rewriter, alloc.getLoc(), takeSharedWorkspace(kernel, bytes));
    rewriter.replaceOpWithNewOp<memref::ViewOp>(alloc, type, block, offset,
                                                ValueRange());
  }
}

LogicalResult scheduleNests(RewriterBase &rewriter, func::FuncOp kernel) {
  SmallVector<SmallVector<linalg::GenericOp>> groups;
  std::optional<int64_t> current;
  Block *block = nullptr;
  bool valid = true;
  kernel.walk([&](linalg::GenericOp op) {
    auto attr = op->getAttrOfType<NestAttr>(CodegenDialect::kStrategyAttr);
    if (!attr) {
      op.emitOpError("has no strategy; run codegen-strategy first");
      valid = false;
      return;
    }
    if (current != attr.getGroup() || block != op->getBlock())
      groups.emplace_back();
    current = attr.getGroup();
    block = op->getBlock();
    groups.back().push_back(op);
    // The cast only hid the size of a guarded operand from the verifier.
    if (op->hasAttr(kGuardsAttr))
      for (OpOperand &operand : op->getOpOperands())
        if (auto cast = operand.get().getDefiningOp<memref::CastOp>())
          operand.set(cast.getSource());
  });
  if (!valid)
    return failure();
  for (ArrayRef<linalg::GenericOp> group : groups)
    GroupScheduler(rewriter, kernel, group).schedule();
  placeBuffers(rewriter, kernel);
  return success();
}

} // namespace cornu::codegen
