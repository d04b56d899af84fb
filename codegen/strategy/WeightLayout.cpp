//===- WeightLayout.cpp - What ops can do with weights in panels ----------===//
//
//   y[m, n] += x[m, k] * w[k, n]         wants panels of w, columns n = lanes
//   dx[m, k] += dy[m, n] * w[k, n]       reads them along the reduction:
//     dx[m, k] += dy[m, 64*p + i] * w[p, k, i]
//   dw[k, n] += x[m, k] * dy[m, n]       writes them
//   w[k, n] -= rate * dw[k, n]           does not see the order at all
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/WeightLayout.h"

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/ContractionForm.h"
#include "codegen/strategy/Decisions.h"
#include "codegen/strategy/Strategy.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::codegen {

Panels panelsWanted(linalg::GenericOp op, Value weight) {
  auto strategy =
      op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  auto type = dyn_cast<MemRefType>(weight.getType());
  if (!strategy || strategy.getPanels() || strategy.getWinograd() ||
      strategy.getCopyRight() || strategy.getAlongReduction() || !type ||
      !type.hasStaticShape() || !type.getLayout().isIdentity())
    return {};
  std::optional<ContractionForm> form = ContractionForm::of(op);
  if (!form || form->sharedLane || op->getOperand(form->right) != weight ||
      llvm::count(op->getOperands(), weight) != 1)
    return {};
  auto exprs = linearResults(op.getIndexingMapsArray()[form->right]);
  if (!exprs || exprs->empty())
    return {};
  // The lane is the first or last dimension, and alone there.
  bool laneFirst = !exprs->back().moves(form->lane);
  const LinearExpr &lane = laneFirst ? exprs->front() : exprs->back();
  for (const LinearExpr &expr : *exprs)
    for (auto [loop, coefficient] : llvm::enumerate(expr.coefficients)) {
      bool isLane = loop == form->lane;
      if (coefficient < 0 || expr.constant != 0 ||
          (&expr == &lane ? coefficient != isLane : isLane && coefficient))
        return {};
    }
  int64_t columns =
      laneFirst ? type.getShape().front() : type.getShape().back();
  // A single panel is the matrix itself, or its transpose.
  if (form->extents[form->lane] != columns ||
      (strategy.getNr() >= columns && !laneFirst) ||
      (strategy.getNc() < columns && strategy.getNc() % strategy.getNr()))
    return {};
  return {strategy.getNr(), laneFirst};
}

Panels panelsWanted(BlockArgument argument,
                    SmallVectorImpl<linalg::GenericOp> &ops) {
  Panels panels;
  for (Operation *user : argument.getUsers()) {
    auto op = dyn_cast<linalg::GenericOp>(user);
    Panels wanted = op ? panelsWanted(op, argument) : Panels();
    if (!wanted || (panels && panels != wanted))
      return {};
    panels = wanted;
    ops.push_back(op);
  }
  return panels;
}

/// Tasks by lanes of a product with panels cost little: no task packs anew what
/// another has packed. With a usual batch each should be worth starting.
static constexpr int64_t kLaneTasks = 8, kUsualRows = 32, kTaskWork = 1 << 19;

/// Gives `op` another strategy, and lets its kernel remember it.
static void changeStrategy(linalg::GenericOp op, ContractionAttr old,
                           const Blocking &blocking) {
  ContractionAttr strategy = blocking.get(op.getContext());
  op->setAttr(CodegenDialect::kStrategyAttr, strategy);
  replaceStrategy(op->getParentOfType<func::FuncOp>(), old, strategy);
}

void readPanels(linalg::GenericOp op, int64_t width) {
  auto old = op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  Blocking blocking(old);
  if (blocking.singleRowNr)
    blocking.singleRowNr =
        std::max(blocking.singleRowNr / width * width, width);
  // But what pads or computes the left operand runs in each task.
  ContractionForm form = *ContractionForm::of(op);
  if (!blocking.copyLeft &&
      !op->getOperand(form.left).getDefiningOp<memref::AllocOp>()) {
    int64_t steps = form.product(form.reduction);
    int64_t least = steps > 0 ? kTaskWork / kUsualRows / steps : width;
    int64_t part = llvm::divideCeil(form.extents[form.lane], kLaneTasks);
    blocking.nc = std::min<int64_t>(
        blocking.nc, llvm::alignTo(std::max(part, least), width));
  }
  blocking.packRight = false;
  blocking.panels = width;
  changeStrategy(op, old, blocking);
}

//===----------------------------------------------------------------------===//
// Weights that are trained
//===----------------------------------------------------------------------===//

/// The strategy of a contraction that is computed as its loops say.
static ContractionAttr plainStrategy(linalg::GenericOp op) {
  auto strategy =
      op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  return strategy && !strategy.getWinograd() ? strategy : nullptr;
}

/// The loop that alone walks the last dimension of an operand, which no other
/// dimension moves with.
static std::optional<unsigned> columnLoop(linalg::GenericOp op,
                                          unsigned operand) {
  auto type = dyn_cast<MemRefType>(op->getOperand(operand).getType());
  AffineMap map = op.getIndexingMapsArray()[operand];
  if (!type || !type.hasStaticShape() || !type.getLayout().isIdentity() ||
      map.getNumResults() == 0)
    return std::nullopt;
  auto loop = dyn_cast<AffineDimExpr>(map.getResults().back());
  if (!loop || llvm::any_of(map.getResults().drop_back(), [&](AffineExpr expr) {
        return expr.isFunctionOfDim(loop.getPosition());
      }))
    return std::nullopt;
  return loop.getPosition();
}

bool canReadAlongReduction(linalg::GenericOp op, Value weight) {
  ContractionAttr strategy = plainStrategy(op);
  std::optional<ContractionForm> form = ContractionForm::of(op);
  if (!strategy || !form || strategy.getCopyRight() || form->sharedLane ||
      op->getOperand(form->right) != weight ||
      llvm::count(op->getOperands(), weight) != 1)
    return false;
  std::optional<unsigned> loop = columnLoop(op, form->right);
  return loop && llvm::is_contained(form->reduction, *loop) &&
         form->extents[*loop] ==
             cast<MemRefType>(weight.getType()).getShape().back();
}

void readAlongReduction(linalg::GenericOp op, int64_t width) {
  ContractionForm form = *ContractionForm::of(op);
  unsigned loop = *columnLoop(op, form.right), loops = op.getNumLoops();
  OpBuilder b(op);
  Location loc = op.getLoc();

  // The columns as panels, and within a panel.
  SmallVector<AffineExpr> split;
  for (unsigned i = 0; i < loops; ++i)
    split.push_back(b.getAffineDimExpr(i <= loop ? i : i + 1));
  AffineExpr panel = split[loop], inside = b.getAffineDimExpr(loop + 1);
  split[loop] = panel * width + inside;
  SmallVector<AffineMap> maps;
  for (AffineMap map : op.getIndexingMapsArray())
    maps.push_back(map.replaceDimsAndSymbols(split, {}, loops + 1, 0));
  SmallVector<AffineExpr> place(maps[form.right].getResults());
  place.back() = inside;
  place.insert(place.begin(), panel);
  maps[form.right] = AffineMap::get(loops + 1, 0, place, b.getContext());
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  iterators.insert(iterators.begin() + loop, utils::IteratorType::reduction);

  Value weight = op->getOperand(form.right);
  auto type = cast<MemRefType>(weight.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape.insert(shape.begin(), shape.back() / width);
  shape.back() = width;
  SmallVector<int64_t> strides(shape.size(), 1);
  for (unsigned dim = shape.size() - 1; dim-- > 0;)
    strides[dim] = strides[dim + 1] * shape[dim + 1];
  Value panels = memref::ReinterpretCastOp::create(
      b, loc, MemRefType::get(shape, type.getElementType()), weight,
      /*offset=*/0, shape, strides);
  op->setOperand(form.right, panels);
  op.setIndexingMapsAttr(b.getAffineMapArrayAttr(maps));
  SmallVector<Attribute> kinds;
  for (utils::IteratorType kind : iterators)
    kinds.push_back(linalg::IteratorTypeAttr::get(b.getContext(), kind));
  op.setIteratorTypesAttr(b.getArrayAttr(kinds));
}

bool canWritePanels(linalg::GenericOp op, Value weight, int64_t width) {
  ContractionAttr strategy = plainStrategy(op);
  std::optional<ContractionForm> form = ContractionForm::of(op);
  if (!strategy || !form || form->sharedLane || strategy.getSingleRowNr() ||
      !form->batch.empty() || !form->columns.empty() ||
      op.getDpsInits()[0] != weight ||
      llvm::count(op->getOperands(), weight) != 1)
    return false;
  auto starts = [&](int64_t size) { return size % strategy.getNr() == 0; };
  std::optional<unsigned> loop = columnLoop(op, 2);
  return loop == form->lane && starts(width) &&
         (starts(strategy.getNc()) ||
          strategy.getNc() >= form->extents[form->lane]);
}

void writePanels(linalg::GenericOp op, int64_t width) {
  auto old = op->getAttrOfType<ContractionAttr>(CodegenDialect::kStrategyAttr);
  Blocking blocking(old);
  blocking.outputPanels = width;
  changeStrategy(op, old, blocking);
}

bool isOrderFree(linalg::GenericOp op) {
  return !op.hasIndexSemantics() &&
         llvm::all_of(op->getOpOperands(), [&](OpOperand &operand) {
           auto type = dyn_cast<MemRefType>(operand.get().getType());
           AffineMap map = op.getMatchingIndexingMap(&operand);
           // The first element is the first in any order.
           bool isFirst = llvm::all_of(
               map.getResults(), [](AffineExpr expr) { return expr == 0; });
           return !type || isFirst ||
                  (map.isIdentity() && type.hasStaticShape() &&
                   type.getLayout().isIdentity());
         });
}

} // namespace cornu::codegen
