//===- MergeKernels.cpp - A tensor computed where it is read --------------===//
//
//   %p, %y = call @attention(%q, %k, %v)
//   %dq, %dk = call @gradients(%p, %dy, %q, %k)
//
// The gradients' kernel computes the weights %p of its task from %q and %k, and
// %p is not there at all.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/rematerialize/MergeKernels.h"

#include "dialect/nn/NN.h"
#include "dialect/nn/ShapeRules.h"
#include "passes/graph/fuse/Chains.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using cornu::nn::Shape;

namespace cornu::graph {

/// The ops of a kernel that its result `result` needs, in order.
static SmallVector<Operation *> opsFor(func::FuncOp kernel, unsigned result) {
  Block &body = kernel.getBody().front();
  llvm::DenseSet<Operation *> needed;
  SmallVector<Operation *> ordered;
  needed.insert(body.getTerminator()->getOperand(result).getDefiningOp());
  for (Operation &op : llvm::reverse(body.without_terminator())) {
    if (!needed.contains(&op))
      continue;
    ordered.push_back(&op);
    for (Value operand : op.getOperands())
      if (Operation *producer = operand.getDefiningOp())
        needed.insert(producer);
  }
  std::reverse(ordered.begin(), ordered.end());
  return ordered;
}

bool canComputeItself(func::FuncOp reader, unsigned argument,
                      func::FuncOp producer, unsigned result) {
  Value value = producer.getBody().front().getTerminator()->getOperand(result);
  if (!value.getDefiningOp())
    return false;
  Shape tasks;
  for (Operation *op : opsFor(producer, result)) {
    if (auto contract = dyn_cast<nn::ContractOp>(op)) {
      if (!tasks.empty())
        return false;
      tasks = tasksOf(contract);
    } else if (!keepsLeading(op, tasks)) {
      return false;
    }
  }
  if (tasks.empty())
    return false;
  // The reader is such a chain, too.
  bool contracts = false;
  for (Operation *user : reader.getArgument(argument).getUsers()) {
    auto contract = dyn_cast<nn::ContractOp>(user);
    if (contract
            ? !isBatchOf(contract, reader.getArgument(argument), tasks.size())
            : !keepsLeading(user, tasks))
      return false;
  }
  for (Operation &op : reader.getBody().front())
    if (auto contract = dyn_cast<nn::ContractOp>(op))
      contracts |= tasksOf(contract) == tasks;
  return contracts;
}

func::CallOp mergeKernels(func::CallOp producer, unsigned result,
                          func::CallOp reader, SymbolTable &symbols) {
  auto from = symbols.lookup<func::FuncOp>(producer.getCallee());
  auto into = symbols.lookup<func::FuncOp>(reader.getCallee());
  Value merged = producer.getResult(result);
  llvm::SetVector<Value> operands;
  SmallVector<Operation *> added = opsFor(from, result);
  for (Operation *op : added)
    for (Value operand : op->getOperands())
      if (auto argument = dyn_cast<BlockArgument>(operand))
        operands.insert(producer.getOperand(argument.getArgNumber()));
  for (Value operand : reader.getOperands())
    if (operand != merged)
      operands.insert(operand);

  OpBuilder builder(into);
  auto kernel = func::FuncOp::create(
      builder, into.getLoc(), into.getName(),
      builder.getFunctionType(TypeRange(operands.getArrayRef()),
                              into.getResultTypes()));
  kernel.setPrivate();
  kernel->setDiscardableAttrs(into->getDiscardableAttrDictionary());
  Block *body = kernel.addEntryBlock();
  builder.setInsertionPointToStart(body);
  auto argumentOf = [&](Value operand) {
    return body->getArgument(llvm::find(operands, operand) - operands.begin());
  };
  IRMapping mapping;
  for (auto [argument, operand] :
       llvm::zip(from.getArguments(), producer.getOperands()))
    if (operands.contains(operand))
      mapping.map(argument, argumentOf(operand));
  for (Operation *op : added)
    builder.clone(*op, mapping);
  Value computed = mapping.lookup(
      from.getBody().front().getTerminator()->getOperand(result));
  for (auto [argument, operand] :
       llvm::zip(into.getArguments(), reader.getOperands()))
    mapping.map(argument, operand == merged ? computed : argumentOf(operand));
  for (Operation &op : into.getBody().front())
    builder.clone(op, mapping);
  symbols.insert(kernel);

  builder.setInsertionPoint(reader);
  auto call = func::CallOp::create(builder, reader.getLoc(), kernel,
                                   operands.getArrayRef());
  reader.replaceAllUsesWith(call.getResults());
  reader.erase();
  return call;
}

} // namespace cornu::graph
