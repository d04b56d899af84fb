//===- PlanMemory.cpp - Allocations to offsets of the scratch block -------===//
//
// An entry's scratch block has a fixed part and, behind it, one that scales
// with the batch. A buffer of a static size lies in the first, any other in
// the second at offset fixed + per_sample * batch; what comes last is the
// workspace of the kernels:
//
//   %0 = memref.alloc(%n) : memref<?x8xf32>
// becomes
//   %0 = memref.view %scratch[%offset][%n] : memref<?xi8> to memref<?x8xf32>
//
// Kernels get a last argument `%workspace`.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/BatchMultiple.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/MemoryPlan.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "mlir/Pass/Pass.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::buffer {

namespace {

/// One part of the scratch block: the buffers in it.
struct Pool {
  std::vector<Lifetime> lifetimes;
  SmallVector<memref::AllocOp> allocations;
};

class EntryPlan {
public:
  explicit EntryPlan(func::FuncOp entry)
      : entry(entry), b(entry.getContext()) {}

  LogicalResult run(Type bytesType);
  DictionaryAttr describe();

private:
  void number();
  Lifetime lifetimeOf(memref::AllocOp allocation);
  LogicalResult collect();
  void place(Type bytesType);

  func::FuncOp entry;
  OpBuilder b;
  /// When each op starts and ends.
  llvm::DenseMap<Operation *, std::pair<int64_t, int64_t>> times;
  Pool fixed, scaling;
  int64_t fixedBytes = 0, scalingBytes = 0;
};

} // namespace

void EntryPlan::number() {
  int64_t now = 0;
  std::function<void(Block &)> visit = [&](Block &block) {
    for (Operation &op : block) {
      int64_t begin = now++;
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          visit(inner);
      times[&op] = {begin, op.getNumRegions() ? now++ : begin};
    }
  };
  visit(entry.getBody().front());
}

Lifetime EntryPlan::lifetimeOf(memref::AllocOp allocation) {
  Lifetime life{0, std::numeric_limits<int64_t>::max(), -1};
  Block *block = allocation->getBlock();
  for (Value view : viewsOf(allocation.getResult()))
    for (Operation *user : view.getUsers()) {
      if (isa<ViewLikeOpInterface, memref::DimOp>(user))
        continue;
      // A use in a loop is one from its first to its last iteration.
      auto [begin, end] = times.lookup(block->findAncestorOpInBlock(*user));
      life.begin = std::min(life.begin, begin);
      life.end = std::max(life.end, end);
    }
  return life;
}

LogicalResult EntryPlan::collect() {
  SmallVector<memref::AllocOp> allocations;
  entry.walk([&](memref::AllocOp op) { allocations.push_back(op); });
  for (memref::AllocOp op : allocations) {
    Lifetime life = lifetimeOf(op);
    if (life.end < 0) { // Never read or written.
      for (Value view : llvm::reverse(viewsOf(op.getResult())))
        if (Operation *definition = view.getDefiningOp();
            definition && definition->use_empty())
          definition->erase();
      continue;
    }
    int64_t bytes = llvm::divideCeil(op.getType().getElementTypeBitWidth(), 8);
    BatchMultiple total;
    for (OpFoldResult size : op.getMixedSizes()) {
      std::optional<BatchMultiple> multiple = batchMultiple(size);
      if (!multiple || (multiple->scales && total.scales))
        return op.emitError("has a size that is no static multiple of the "
                            "batch");
      bytes *= multiple->numerator;
      total.denominator *= multiple->denominator;
      total.scales |= multiple->scales;
    }
    life.bytes =
        llvm::alignTo(llvm::divideCeil(bytes, total.denominator), kAlignment);
    Pool &pool = total.scales ? scaling : fixed;
    pool.lifetimes.push_back(life);
    pool.allocations.push_back(op);
  }
  return success();
}

Value batchOf(OpBuilder &b, func::FuncOp entry) {
  for (BlockArgument argument : entry.getArguments()) {
    auto type = cast<MemRefType>(argument.getType());
    auto role =
        entry.getArgAttrOfType<StringAttr>(argument.getArgNumber(), kRoleAttr);
    bool isBlock = role && (role == "state" || role == "gradients");
    if (!isBlock && type.getRank() > 0 && type.isDynamicDim(0))
      return memref::DimOp::create(b, entry.getLoc(), argument, 0);
  }
  return {};
}

void EntryPlan::place(Type bytesType) {
  Location loc = entry.getLoc();
  b.setInsertionPointToStart(&entry.getBody().front());
  Value batch = batchOf(b, entry);
  unsigned last = entry.getNumArguments();
  (void)entry.insertArgument(last, bytesType,
                             b.getDictionaryAttr(b.getNamedAttr(
                                 kRoleAttr, b.getStringAttr("scratch"))),
                             loc);
  Value scratch = entry.getArgument(last);

  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  // fixed + per_sample * batch
  auto offset = [&](int64_t constantPart, int64_t perSample) {
    Value result = constant(constantPart);
    if (!batch || perSample == 0)
      return result;
    Value scaled = arith::MulIOp::create(b, loc, batch, constant(perSample));
    return arith::AddIOp::create(b, loc, scaled, result).getResult();
  };
  for (Pool *pool : {&fixed, &scaling})
    for (auto [life, op] :
         llvm::zip_equal(pool->lifetimes, pool->allocations)) {
      Value start = pool == &fixed ? offset(life.offset, 0)
                                   : offset(fixedBytes, life.offset);
      OpBuilder at(op);
      Value view = memref::ViewOp::create(at, op.getLoc(), op.getType(),
                                          scratch, start, op.getDynamicSizes());
      op.getResult().replaceAllUsesWith(view);
    }

  SmallVector<func::CallOp> calls;
  entry.walk([&](func::CallOp call) { calls.push_back(call); });
  if (calls.empty())
    return;
  Value tail = offset(fixedBytes, scalingBytes);
  Value all = memref::DimOp::create(b, loc, scratch, 0);
  Value rest = arith::SubIOp::create(b, loc, all, tail);
  Value workspace = memref::ViewOp::create(b, loc, cast<MemRefType>(bytesType),
                                           scratch, tail, rest);
  for (func::CallOp call : calls)
    call->insertOperands(call->getNumOperands(), workspace);
}

LogicalResult EntryPlan::run(Type bytesType) {
  number();
  if (failed(collect()))
    return failure();
  fixedBytes = planMemory(fixed.lifetimes);
  scalingBytes = planMemory(scaling.lifetimes);
  place(bytesType);
  // Not earlier: the first op, before which place() inserts, can be one of
  // them.
  for (Pool *pool : {&fixed, &scaling})
    for (memref::AllocOp op : pool->allocations)
      op.erase();
  return success();
}

DictionaryAttr EntryPlan::describe() {
  NamedAttrList list;
  auto set = [&](StringRef name, int64_t value) {
    list.set(name, b.getI64IntegerAttr(value));
  };
  set("fixed", fixedBytes);
  set("per_sample", scalingBytes);
  set("fixed_bound", memoryLowerBound(fixed.lifetimes));
  set("per_sample_bound", memoryLowerBound(scaling.lifetimes));
  set("buffers", fixed.lifetimes.size() + scaling.lifetimes.size());
  return list.getDictionary(b.getContext());
}

namespace {
struct PlanMemory : PassWrapper<PlanMemory, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlanMemory)

  StringRef getArgument() const override { return "buffer-plan-memory"; }
  StringRef getDescription() const override {
    return "Turn allocations of entries into views of the scratch block";
  }

  void runOnOperation() override {
    Builder b(&getContext());
    Type bytes = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
    NamedAttrList memory;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function->hasAttr(lower::kKernelAttr)) {
        (void)function.insertArgument(function.getNumArguments(), bytes,
                                      b.getDictionaryAttr({}),
                                      function.getLoc());
      } else if (function->hasAttr(kEntryAttr)) {
        EntryPlan plan(function);
        if (failed(plan.run(bytes)))
          return signalPassFailure();
        memory.set(function.getName(), plan.describe());
      }
    }
    getOperation()->setAttr(kMemoryAttr, memory.getDictionary(&getContext()));
  }
};
} // namespace

std::unique_ptr<Pass> createPlanMemoryPass() {
  return std::make_unique<PlanMemory>();
}

} // namespace cornu::buffer
