//===- Variables.cpp - Variables as values --------------------------------===//

#include "passes/graph/Variables.h"

#include "passes/graph/Passes.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;

namespace cornu::graph {

LogicalResult promoteVariables(func::FuncOp function) {
  Block &block = function.getBody().front();
  WalkResult nested = function.walk([&](Operation *op) {
    if (isa<nn::ReadOp, nn::AssignOp>(op) && op->getBlock() != &block) {
      op->emitError("a variable is used inside a region; pass it as an "
                    "operand");
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  if (nested.wasInterrupted())
    return failure();

  struct State {
    Value initial, current;
    Location assignedAt;
  };
  llvm::MapVector<StringRef, State> variables;
  Operation *lastRead = nullptr;
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (auto read = dyn_cast<nn::ReadOp>(op)) {
      auto [entry, isFirst] = variables.insert(
          {read.getVariable(),
           State{read.getResult(), read.getResult(), read.getLoc()}});
      if (!isFirst) {
        read.replaceAllUsesWith(entry->second.current);
        read.erase();
        continue;
      }
      if (lastRead)
        op.moveAfter(lastRead);
      else
        op.moveBefore(&block, block.begin());
      lastRead = &op;
    } else if (auto assign = dyn_cast<nn::AssignOp>(op)) {
      auto [entry, isFirst] = variables.insert(
          {assign.getVariable(),
           State{Value(), assign.getValue(), assign.getLoc()}});
      if (!isFirst) {
        entry->second.current = assign.getValue();
        entry->second.assignedAt = assign.getLoc();
      }
      assign.erase();
    }
  }
  OpBuilder builder(block.getTerminator());
  for (auto &[name, state] : variables)
    if (state.current != state.initial)
      nn::AssignOp::create(builder, state.assignedAt, name, state.current);
  return success();
}

#define GEN_PASS_DEF_PROMOTEVARIABLES
#include "passes/graph/Passes.h.inc"

namespace {
struct PromoteVariables : impl::PromoteVariablesBase<PromoteVariables> {
  void runOnOperation() override {
    if (failed(promoteVariables(getOperation())))
      signalPassFailure();
  }
};
} // namespace

} // namespace cornu::graph
