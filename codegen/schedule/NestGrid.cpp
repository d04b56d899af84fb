//===- NestGrid.cpp - Nests on a grid of tasks ----------------------------===//
//
// A group of nests becomes one grid: over its rows, its outermost loop, or the
// parts of its reduction.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestGrid.h"

#include "codegen/schedule/CutReduction.h"
#include "codegen/schedule/NestBuffers.h"
#include "codegen/schedule/NestLoops.h"
#include "codegen/schedule/NestedGrids.h"
#include "codegen/schedule/TaskGrid.h"
#include "codegen/strategy/NestFills.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace cornu::codegen {

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
  void emitUnit(OpBuilder &builder, unsigned unit, ArrayRef<NestRange> ranges);
  void emitFill(OpBuilder &builder, Nest &nest, unsigned output,
                ArrayRef<NestRange> ranges);
  void emitRows();
  void emitAlone();
  Value size(unsigned unit, unsigned loop) {
    return allRanges[unit][loop].upper;
  }

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
      NestAttr::get(builder.getContext(), NestKind::Map, lane, 0,
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
  IndexMath index{rewriter, loc};
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
    points = index.add(points, product);
  }
  shape.points = points;
  shape.grain = grain;
  shape.serial = 2 * grain;
  emitGrid(rewriter, loc, shape,
           [&](OpBuilder &builder, Value task, Value first, Value last) {
             // On the stack of the task, or of the kernel, outside any loop.
             OpBuilder buffers = builder;
             if (!isa<ParallelOp>(builder.getInsertionBlock()->getParentOp()))
               buffers.setInsertionPointToStart(stackBlock(stages.front()));
             makeRowBuffers(buffers, {stages, units, fills, rows});
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

void GroupScheduler::emitAlone() {
  Nest &nest = units[0];
  auto types = nest.root.getIteratorTypesArray();
  bool parallel = !types.empty() && types[0] == utils::IteratorType::parallel;
  if (auto cut = reductionToCut(nest, kernel))
    return emitCutReduction(rewriter, kernel, nest, allRanges[0], *cut);
  // A loop that each iteration of the lanes takes whole stays in one piece.
  if (!parallel || nest.strategy.getKind() == NestKind::Update ||
      (nest.strategy.getLane() > 0 && lanesOf(nest, allRanges[0]).runAlong(0)))
    return emitUnit(rewriter, 0, allRanges[0]);
  IndexMath index{rewriter, loc};
  GridShape shape;
  shape.total = size(0, 0);
  shape.points = index.constant(1);
  for (unsigned loop = 1; loop < types.size(); ++loop)
    shape.points = index.mul(shape.points, size(0, loop));
  shape.grain = nest.strategy.getGrain();
  shape.serial = nest.strategy.getSerial();
  shape.multiple = nest.strategy.getLane() == 0
                       ? iterationsPerStep(nest, allRanges[0])
                   : nest.strategy.getTileLoop() == 0 ? nest.strategy.getTile()
                                                      : 1;
  emitGrid(rewriter, loc, shape,
           [&](OpBuilder &builder, Value task, Value first, Value last) {
             SmallVector<NestRange> ranges = allRanges[0];
             ranges[0] = {first, last};
             emitNestLoops(builder, nest, ranges);
           });
}

void GroupScheduler::schedule() {
  // Views and sizes that the last stage needs exist where it stands.
  rewriter.setInsertionPoint(stages.back());
  findDeadBuffers(units);
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
