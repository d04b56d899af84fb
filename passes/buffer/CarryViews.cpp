//===- CarryViews.cpp - States read where they were stacked ---------------===//
//
// A recurrent layer that returns its sequence writes each state to its row of
// the sequence, and copies it from there for the next step. The next step can
// as well read the row:
//
//   for %t { call @step(%x_t, %h, %ys_t)        for %t iter_args(%h = %h0) {
//            copy %ys_t, %h }                     call @step_0(%x_t, %h, %ys_t)
//   use of %h                                     yield %ys_t }
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/buffer/Layouts.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Pass/Pass.h"

using namespace mlir;

namespace cornu::buffer {

/// `memref` without casts of its layout.
static Value uncast(Value memref) {
  while (auto cast = memref.getDefiningOp<memref::CastOp>())
    memref = cast.getSource();
  return memref;
}

/// True if `part` is another one in each iteration of `loop`: one offset is the
/// loop's index, or a constant and the index.
static bool movesWith(memref::SubViewOp part, scf::ForOp loop) {
  auto moves = [&](OpFoldResult offset) {
    auto value = dyn_cast<Value>(offset);
    if (!value || value == loop.getInductionVar())
      return bool(value);
    Operation *op = value.getDefiningOp();
    return isa_and_nonnull<arith::AddIOp, arith::SubIOp>(op) &&
           llvm::count(op->getOperands(), loop.getInductionVar()) == 1 &&
           llvm::any_of(op->getOperands(), [](Value operand) {
             return operand.getDefiningOp<arith::ConstantOp>() != nullptr;
           });
  };
  return llvm::any_of(
      llvm::zip_equal(part.getMixedOffsets(), part.getStaticSizes()),
      [&](auto axis) {
        return moves(std::get<0>(axis)) && std::get<1>(axis) == 1;
      });
}

namespace {
/// A state that is copied from a part of a sequence at the end of each step.
class CarriedState {
public:
  CarriedState(memref::CopyOp copy, SymbolTable &symbols)
      : copy(copy), symbols(symbols) {}

  /// Lets the loop carry the part, if nobody can tell the difference.
  void carry();

private:
  bool isOnlyRead(Value root, Operation *from, Operation *to) const;
  bool isLegal();
  MemRefType carriedType();
  void replaceInitialCopy();

  memref::CopyOp copy;
  SymbolTable &symbols;
  scf::ForOp loop;
  memref::AllocOp state;
  memref::SubViewOp part;
};
} // namespace

/// True if nothing behind `from`, up to `to`, writes to `root`; both are ops of
/// the loop's block.
bool CarriedState::isOnlyRead(Value root, Operation *from,
                              Operation *to) const {
  for (Operation *op : Accesses(root, loop->getBlock()).ops)
    if (from->isBeforeInBlock(op) && !to->isBeforeInBlock(op) &&
        mayWrite(op, root, symbols))
      return false;
  return true;
}

bool CarriedState::isLegal() {
  loop = dyn_cast<scf::ForOp>(copy->getParentOp());
  state = copy.getTarget().getDefiningOp<memref::AllocOp>();
  part = copy.getSource().getDefiningOp<memref::SubViewOp>();
  if (!loop || !state || !part || state->getBlock() != loop->getBlock() ||
      part->getBlock() != copy->getBlock() || !movesWith(part, loop))
    return false;
  // A view from before the loop would stay that of the first state.
  for (Operation *user : state->getUsers())
    if (isa<ViewLikeOpInterface>(user) &&
        user->getBlock() == loop->getBlock() && user->isBeforeInBlock(loop)) {
      Operation *last = Accesses(user->getResult(0), loop->getBlock()).last();
      if (last && !last->isBeforeInBlock(loop))
        return false;
    }
  // The steps read the state, and write nothing of the sequence but the part.
  for (Operation *op : Accesses(state.getResult(), loop.getBody()).ops)
    if (op != copy &&
        (copy->isBeforeInBlock(op) || mayWrite(op, state, symbols)))
      return false;
  Value sequence = rootOf(part);
  for (Operation *op : Accesses(sequence, loop.getBody()).ops) {
    if (!mayWrite(op, sequence, symbols))
      continue;
    if (op->getNumRegions() != 0)
      return false;
    for (Value operand : op->getOperands())
      if (isa<MemRefType>(operand.getType()) && rootOf(operand) == sequence &&
          uncast(operand) != part)
        return false;
  }
  // The last state is as it was when it is read.
  Operation *last = Accesses(state.getResult(), loop->getBlock()).last();
  return loop.isDefinedOutsideOfLoop(sequence) &&
         sequence != state.getResult() && isOnlyRead(state, loop, last) &&
         isOnlyRead(sequence, loop, last) &&
         allowsLayout(state, carriedType(), symbols);
}

/// What the layouts of the state and of the part have in common.
MemRefType CarriedState::carriedType() {
  MemRefType type = state.getType();
  auto [strides, offset] = type.getStridesAndOffset();
  auto [partStrides, partOffset] =
      cast<MemRefType>(copy.getSource().getType()).getStridesAndOffset();
  for (auto [stride, partStride] : llvm::zip_equal(strides, partStrides))
    if (stride != partStride)
      stride = ShapedType::kDynamic;
  if (offset != partOffset)
    offset = ShapedType::kDynamic;
  return MemRefType::get(
      type.getShape(), type.getElementType(),
      StridedLayoutAttr::get(type.getContext(), offset, strides));
}

/// What is now only read need not be a copy of its first value.
void CarriedState::replaceInitialCopy() {
  Accesses accesses(state.getResult(), loop->getBlock());
  auto initial = dyn_cast<memref::CopyOp>(accesses.first());
  if (!initial || initial.getTarget() != state.getResult() ||
      initial.getSource().getType() != state.getType())
    return;
  Value source = initial.getSource();
  Operation *definition = source.getDefiningOp();
  bool isKnown = rootOf(source) == source &&
                 (!definition || (definition->getBlock() == state->getBlock() &&
                                  definition->isBeforeInBlock(state)));
  if (!isKnown || !isOnlyRead(state, initial, accesses.last()) ||
      !isOnlyRead(source, initial, accesses.last()))
    return;
  initial.erase();
  state.getResult().replaceAllUsesWith(source);
  state.erase();
}

void CarriedState::carry() {
  if (!isLegal())
    return;
  MemRefType type = carriedType();
  IRRewriter rewriter(loop);
  auto asCarried = [&](OpBuilder &b, Location loc, Value value) -> Value {
    return memref::CastOp::create(b, loc, type, value);
  };
  Value first = asCarried(rewriter, loop.getLoc(), state);
  FailureOr<LoopLikeOpInterface> carrying = loop.replaceWithAdditionalYields(
      rewriter, first, /*replaceInitOperandUsesInLoop=*/false,
      [&](OpBuilder &b, Location loc, ArrayRef<BlockArgument>) {
        return SmallVector<Value>{asCarried(b, loc, copy.getSource())};
      });
  if (failed(carrying))
    return;
  loop = cast<scf::ForOp>(*carrying);
  copy.erase();
  Value present = loop.getRegionIterArgs().back(),
        last = loop.getResults().back();
  for (OpOperand &use : llvm::make_early_inc_range(state->getUses())) {
    Operation *user = use.getOwner();
    if (loop->isProperAncestor(user))
      use.set(present);
    else if (Operation *after = loop->getBlock()->findAncestorOpInBlock(*user);
             after && loop->isBeforeInBlock(after))
      use.set(last);
  }
  updateViews(present);
  updateViews(last);
  replaceInitialCopy();
}

namespace {
struct CarryViews : PassWrapper<CarryViews, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CarryViews)

  StringRef getArgument() const override { return "buffer-carry-views"; }
  StringRef getDescription() const override {
    return "Let steps of a loop read states where the step before wrote them";
  }

  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<memref::CopyOp> copies;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(lower::kKernelAttr))
        function.walk([&](memref::CopyOp copy) { copies.push_back(copy); });
    for (memref::CopyOp copy : copies)
      if (isa<scf::ForOp>(copy->getParentOp()))
        CarriedState(copy, symbols).carry();
    specializeCallsByLayout(getOperation());
  }
};
} // namespace

std::unique_ptr<Pass> createCarryViewsPass() {
  return std::make_unique<CarryViews>();
}

} // namespace cornu::buffer
