//===- InPlace.cpp - Kernels that may overwrite an operand ----------------===//

#include "passes/buffer/InPlace.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/Views.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/MapVector.h"

#include <map>

using namespace mlir;

namespace cornu::buffer {

/// True if every point of a parallel generic touches the element of `operand`
/// that it also writes to, and no other.
static bool meetsOutput(linalg::GenericOp op, OpOperand &operand,
                        Value output) {
  if (op.getNumParallelLoops() != op.getNumLoops())
    return false;
  AffineMap map = op.getMatchingIndexingMap(&operand);
  if (!map.isPermutation())
    return false;
  return llvm::all_of(op.getDpsInitsMutable(), [&](OpOperand &init) {
    return init.get() != output || op.getMatchingIndexingMap(&init) == map;
  });
}

bool mayOverwrite(func::FuncOp kernel, unsigned input, unsigned output) {
  if (kernel.isExternal() || input == output)
    return false;
  Value in = kernel.getArgument(input), out = kernel.getArgument(output);
  if (in.getType() != out.getType())
    return false;

  // Where the output is written: only as a whole by ops of the outer block.
  Operation *firstWrite = nullptr;
  Block *block = &kernel.getBody().front();
  for (OpOperand &use : out.getUses()) {
    Operation *user = use.getOwner();
    if (isa<memref::DimOp>(user))
      continue;
    if (user->getBlock() != block || !isa<linalg::LinalgOp>(user))
      return false;
    if (!firstWrite || user->isBeforeInBlock(firstWrite))
      firstWrite = user;
  }
  for (OpOperand &use : in.getUses()) {
    Operation *user = use.getOwner();
    if (isa<memref::DimOp>(user))
      continue;
    // A scalar is loaded before anything is written.
    if (isa<memref::LoadOp>(user) && user->getBlock() == block &&
        cast<MemRefType>(in.getType()).getRank() == 0 &&
        (!firstWrite || user->isBeforeInBlock(firstWrite)))
      continue;
    auto generic = dyn_cast<linalg::GenericOp>(user);
    if (!generic || user != firstWrite || !meetsOutput(generic, use, out))
      return false;
  }
  return true;
}

//===----------------------------------------------------------------------===//
// Specialization
//===----------------------------------------------------------------------===//

/// For each operand the first operand that is the same memory, where one of
/// the two is written. (Inputs may share memory without harm.)
static SmallVector<int64_t> sharing(func::CallOp call, func::FuncOp kernel) {
  SmallVector<int64_t> first;
  for (auto [i, operand] : llvm::enumerate(call.getOperands())) {
    first.push_back(i);
    for (unsigned j = 0; j < i; ++j) {
      Value other = call.getOperand(j);
      bool same = other == operand ||
                  (other.getType() == operand.getType() && isWhole(other) &&
                   isWhole(operand) && rootOf(other) == rootOf(operand));
      if (same && (kernel.getArgAttr(i, kOutputAttr) ||
                   kernel.getArgAttr(j, kOutputAttr))) {
        first.back() = j;
        break;
      }
    }
  }
  return first;
}

static bool isShared(ArrayRef<int64_t> first) {
  for (auto [i, other] : llvm::enumerate(first))
    if (other != static_cast<int64_t>(i))
      return true;
  return false;
}

/// Merges the arguments of `kernel` that are shared.
static void mergeArguments(func::FuncOp kernel, ArrayRef<int64_t> first) {
  llvm::BitVector erased(first.size());
  for (auto [i, other] : llvm::enumerate(first))
    if (other != static_cast<int64_t>(i)) {
      kernel.getArgument(i).replaceAllUsesWith(kernel.getArgument(other));
      kernel.setArgAttr(other, kOutputAttr, UnitAttr::get(kernel.getContext()));
      erased.set(i);
    }
  (void)kernel.eraseArguments(erased);
}

void specializeCallsInPlace(ModuleOp module) {
  SymbolTable symbols(module);
  // The calls of each kernel, by what they share.
  llvm::MapVector<Operation *,
                  std::map<SmallVector<int64_t>, SmallVector<func::CallOp>>>
      callsOf;
  module.walk([&](func::CallOp call) {
    auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
    callsOf[kernel][sharing(call, kernel)].push_back(call);
  });
  for (auto &[op, groups] : callsOf) {
    auto kernel = cast<func::FuncOp>(op);
    for (auto &[first, calls] : groups) {
      if (!isShared(first))
        continue;
      func::FuncOp version = kernel;
      if (groups.size() > 1) {
        version = kernel.clone();
        version.setName((kernel.getName() + "_in_place").str());
        symbols.insert(version, Block::iterator(kernel));
      }
      mergeArguments(version, first);
      for (func::CallOp call : calls) {
        OpBuilder builder(call);
        SmallVector<Value> operands;
        for (auto [i, operand] : llvm::enumerate(call.getOperands()))
          if (first[i] == static_cast<int64_t>(i))
            operands.push_back(operand);
        func::CallOp::create(builder, call.getLoc(), version, operands);
        call.erase();
      }
    }
  }
}

} // namespace cornu::buffer
