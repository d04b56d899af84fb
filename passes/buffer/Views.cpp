//===- Views.cpp - Which memory a memref sees -----------------------------===//

#include "passes/buffer/Views.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "passes/buffer/Buffer.h"

using namespace mlir;

namespace cornu::buffer {

/// The operand that `memref` is a view of, or null.
static Value sourceOf(Value memref) {
  if (auto argument = dyn_cast<BlockArgument>(memref)) {
    auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
    if (!loop || argument == loop.getInductionVar())
      return {};
    return loop.getTiedLoopInit(argument)->get();
  }
  if (auto loop = memref.getDefiningOp<scf::ForOp>())
    return loop.getInitArgs()[cast<OpResult>(memref).getResultNumber()];
  if (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    return view.getViewSource();
  return {};
}

Value rootOf(Value memref) {
  while (Value source = sourceOf(memref))
    memref = source;
  return memref;
}

llvm::SetVector<Value> viewsOf(Value root) {
  llvm::SetVector<Value> views;
  views.insert(root);
  for (unsigned i = 0; i < views.size(); ++i)
    for (OpOperand &use : views[i].getUses()) {
      if (auto loop = dyn_cast<scf::ForOp>(use.getOwner())) {
        if (loop.getTiedLoopRegionIterArg(&use)) {
          views.insert(loop.getTiedLoopRegionIterArg(&use));
          views.insert(loop.getTiedLoopResult(&use));
        }
      } else if (isa<scf::YieldOp>(use.getOwner())) {
        auto loop = dyn_cast<scf::ForOp>(use.getOwner()->getParentOp());
        if (loop) {
          views.insert(loop.getRegionIterArg(use.getOperandNumber()));
          views.insert(loop.getResult(use.getOperandNumber()));
        }
      } else if (auto view = dyn_cast<ViewLikeOpInterface>(use.getOwner())) {
        views.insert(view->getResult(0));
      }
    }
  return views;
}

Accesses::Accesses(Value root, Block *block) {
  for (Value view : viewsOf(root))
    for (Operation *user : view.getUsers()) {
      if (isa<ViewLikeOpInterface, memref::DimOp>(user))
        continue;
      if (Operation *ancestor = block->findAncestorOpInBlock(*user))
        ops.insert(ancestor);
    }
}

Operation *Accesses::first() const {
  Operation *result = nullptr;
  for (Operation *op : ops)
    if (!result || op->isBeforeInBlock(result))
      result = op;
  return result;
}

Operation *Accesses::last() const {
  Operation *result = nullptr;
  for (Operation *op : ops)
    if (!result || result->isBeforeInBlock(op))
      result = op;
  return result;
}

bool mayWrite(Operation *op, Value root, SymbolTable &symbols) {
  WalkResult result = op->walk([&](Operation *user) {
    if (isa<ViewLikeOpInterface, memref::DimOp, scf::ForOp, scf::YieldOp,
            func::ReturnOp>(user))
      return WalkResult::advance();
    auto call = dyn_cast<func::CallOp>(user);
    auto kernel =
        call ? symbols.lookup<func::FuncOp>(call.getCallee()) : nullptr;
    auto copy = dyn_cast<memref::CopyOp>(user);
    for (OpOperand &operand : user->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()) ||
          rootOf(operand.get()) != root)
        continue;
      unsigned i = operand.getOperandNumber();
      bool reads = (kernel && !kernel.getArgAttr(i, kOutputAttr)) ||
                   (copy && operand.get() != copy.getTarget());
      if (!reads)
        return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return result.wasInterrupted();
}

bool moveBefore(ValueRange values, Operation *point,
                llvm::function_ref<bool(Operation *)> isMovable) {
  DominanceInfo dominance(point->getParentOfType<func::FuncOp>());
  llvm::SetVector<Operation *> moved;
  std::function<bool(Value)> isKnown = [&](Value value) {
    if (dominance.properlyDominates(value, point))
      return true;
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != point->getBlock() || !isMovable(op) ||
        !llvm::all_of(op->getOperands(), isKnown))
      return false;
    moved.insert(op);
    return true;
  };
  if (!llvm::all_of(values, isKnown))
    return false;
  for (Operation *op : moved)
    op->moveBefore(point);
  return true;
}

bool isWhole(Value memref) {
  while (true) {
    if (memref.getDefiningOp<memref::SubViewOp>())
      return false;
    Value source = sourceOf(memref);
    if (!source)
      return true;
    memref = source;
  }
}

/// The byte at which `memref` starts, if it is a view of an entry's argument
/// with one of `roles`.
static std::optional<int64_t> offsetIn(ArrayRef<StringRef> roles,
                                       Value memref) {
  auto view = memref.getDefiningOp<memref::ViewOp>();
  auto block = view ? dyn_cast<BlockArgument>(view.getSource()) : nullptr;
  bool isArgument = block && block.getOwner()->isEntryBlock();
  auto entry = isArgument
                   ? dyn_cast<func::FuncOp>(block.getOwner()->getParentOp())
                   : nullptr;
  auto role = entry ? entry.getArgAttrOfType<StringAttr>(block.getArgNumber(),
                                                         kRoleAttr)
                    : nullptr;
  if (!role || !llvm::is_contained(roles, role.getValue()))
    return std::nullopt;
  return getConstantIntValue(view.getByteShift());
}

std::optional<int64_t> stateOffset(Value memref) {
  return offsetIn({"state"}, memref);
}

std::optional<int64_t> parameterOffset(Value memref) {
  return offsetIn({"state", "gradients"}, memref);
}

} // namespace cornu::buffer
