//===- TrimKernels.cpp - Kernels without results that nobody reads --------===//
//
//   %p, %y = call @kernel_3(%q, %k, %v)     // only %y has readers
//   %y = call @kernel_7(%q, %k, %v)
//
//===----------------------------------------------------------------------===//

#include "passes/graph/rematerialize/TrimKernels.h"

#include "passes/graph/fuse/Outline.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace cornu::graph {

/// Erases the ops of a block that nobody needs.
static void eraseDeadOps(Block &block) {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  for (Operation *op : llvm::reverse(ops))
    if (isOpTriviallyDead(op))
      op->erase();
}

/// A copy of `kernel` that returns the results in `kept` only.
static func::FuncOp copyWith(func::FuncOp kernel, ArrayRef<unsigned> kept) {
  OpBuilder builder(kernel);
  auto copy = cast<func::FuncOp>(builder.clone(*kernel));
  Block &body = copy.getBody().front();
  SmallVector<Value> results;
  SmallVector<Type> types;
  for (unsigned result : kept) {
    results.push_back(body.getTerminator()->getOperand(result));
    types.push_back(results.back().getType());
  }
  body.getTerminator()->setOperands(results);
  eraseDeadOps(body);
  copy.setFunctionType(
      FunctionType::get(kernel.getContext(), body.getArgumentTypes(), types));
  return copy;
}

/// Drops the arguments that a kernel does not read; returns the others.
static SmallVector<unsigned> dropArguments(func::FuncOp kernel) {
  SmallVector<unsigned> kept;
  llvm::BitVector dropped(kernel.getNumArguments());
  for (BlockArgument argument : kernel.getArguments())
    if (argument.use_empty())
      dropped.set(argument.getArgNumber());
    else
      kept.push_back(argument.getArgNumber());
  (void)kernel.eraseArguments(dropped);
  return kept;
}

static void trim(func::CallOp call, func::FuncOp kernel, KernelTable &table) {
  SmallVector<unsigned> kept;
  for (OpResult result : call.getResults())
    if (!result.use_empty())
      kept.push_back(result.getResultNumber());
  func::FuncOp copy = copyWith(kernel, kept);
  SmallVector<Value> operands;
  for (unsigned argument : dropArguments(copy))
    operands.push_back(call.getOperand(argument));
  Attribute layers = copy->removeAttr("nn.layers");
  copy = table.unique(copy);
  if (layers && !copy->hasAttr("nn.layers"))
    copy->setAttr("nn.layers", layers);
  OpBuilder builder(call);
  auto trimmed = func::CallOp::create(builder, call.getLoc(), copy, operands);
  for (auto [position, result] : llvm::enumerate(kept))
    call.getResult(result).replaceAllUsesWith(trimmed.getResult(position));
  call.erase();
}

/// Calls of whose results some are not read become calls of trimmed kernels.
static void trimCalls(ModuleOp module, KernelTable &table) {
  SymbolTable symbols(module);
  SmallVector<func::CallOp> calls;
  module.walk([&](func::CallOp call) {
    if (llvm::any_of(call.getResults(),
                     [](Value result) { return result.use_empty(); }))
      calls.push_back(call);
  });
  for (func::CallOp call : calls)
    if (call.use_empty())
      call.erase();
    else
      trim(call, symbols.lookup<func::FuncOp>(call.getCallee()), table);
}

void trimKernels(ModuleOp module) {
  KernelTable table(module);
  llvm::StringMap<std::string> equals;
  SmallVector<func::FuncOp> kernels;
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr("nn.kernel"))
      kernels.push_back(function);
  for (func::FuncOp kernel : kernels)
    if (func::FuncOp first = table.add(kernel); first != kernel)
      equals[kernel.getName()] = first.getName().str();
  module.walk([&](func::CallOp call) {
    if (auto equal = equals.find(call.getCallee()); equal != equals.end())
      call.setCallee(equal->second);
  });
  trimCalls(module, table);
  llvm::StringSet<> called;
  module.walk([&](func::CallOp call) { called.insert(call.getCallee()); });
  for (func::FuncOp kernel : kernels)
    if (!called.contains(kernel.getName()))
      kernel.erase();
}

} // namespace cornu::graph
