//===- KernelBuffers.cpp - What scheduled kernels still allocate ----------===//
//
// The schedule fuses most intermediates of a kernel away, and puts the static
// ones on the stack or in the workspace. One that scales with the batch stays
// an allocation; it becomes a part of the entry's scratch block:
//
//   func.func private @k(%x: memref<?x8xf32>, ..., %workspace: memref<?xi8>) {
//     %0 = memref.alloc(%n) : memref<?x8xf32>
// becomes
//   func.func private @k(%x: memref<?x8xf32>, ..., %buffers: memref<?xi8>,
//                        %workspace: memref<?xi8>) {
//     %0 = memref.view %buffers[%c0][%n] : memref<?xi8> to memref<?x8xf32>
//
// Kernels run one after another, so they share the range, which lies between
// the planned buffers and the workspace. What codegen has made an entry
// allocate, weights packed for a loop, lies before it.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/BatchMultiple.h"
#include "passes/buffer/Buffer.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::buffer {

static int64_t elementBytes(MemRefType type) {
  return llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

/// Bytes of a buffer of known shape, up to the start of the next.
static int64_t bytesOf(MemRefType type) {
  return llvm::alignTo(type.getNumElements() * elementBytes(type), kAlignment);
}

namespace {

using Allocations = SmallVector<memref::AllocOp>;

/// Bytes of the range in one entry.
struct Range {
  int64_t fixed = 0, perSample = 0;
};

struct PlaceKernelBuffers
    : PassWrapper<PlaceKernelBuffers, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlaceKernelBuffers)

  StringRef getArgument() const override {
    return "buffer-place-kernel-buffers";
  }
  StringRef getDescription() const override {
    return "Turn what scheduled kernels allocate into scratch of the entries";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<arith::ArithDialect, memref::MemRefDialect>();
  }

  void runOnOperation() override;

private:
  LogicalResult collect(ModuleOp module);
  /// The need of one call, in terms of its entry's batch.
  FailureOr<Range> needOf(func::CallOp call, func::FuncOp kernel);
  LogicalResult rewriteEntry(func::FuncOp entry, SymbolTable &symbols,
                             NamedAttrList &memory);
  /// Gives what the entry itself allocates a place at `begin`.
  void placeInEntry(const Allocations &allocations, Value scratch, Value begin);
  void rewriteKernel(func::FuncOp kernel, const Allocations &allocations);

  llvm::MapVector<Operation *, Allocations> kernels;
};

} // namespace

LogicalResult PlaceKernelBuffers::collect(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (!function->hasAttr(lower::kKernelAttr))
      continue;
    Allocations allocations;
    function.walk([&](memref::AllocOp op) { allocations.push_back(op); });
    for (memref::AllocOp op : allocations)
      if (op->getParentOp() != function)
        return op.emitError("allocates in a loop or a task of a kernel: the "
                            "schedule gives it a place on the stack or in "
                            "the workspace");
    if (!allocations.empty())
      kernels[function] = std::move(allocations);
  }
  return success();
}

FailureOr<Range> PlaceKernelBuffers::needOf(func::CallOp call,
                                            func::FuncOp kernel) {
  ArgumentSize sizes = [&](BlockArgument argument, int64_t dim) {
    return batchMultiple(call.getOperand(argument.getArgNumber()), dim);
  };
  Range range;
  for (memref::AllocOp op : kernels[kernel]) {
    int64_t bytes = elementBytes(op.getType());
    BatchMultiple total;
    for (OpFoldResult size : op.getMixedSizes()) {
      std::optional<BatchMultiple> multiple = batchMultiple(size, sizes);
      if (!multiple || (multiple->scales && total.scales))
        return op.emitError("has a size that is no static multiple of the "
                            "batch");
      bytes *= multiple->numerator;
      total.denominator *= multiple->denominator;
      total.scales |= multiple->scales;
    }
    bytes =
        llvm::alignTo(llvm::divideCeil(bytes, total.denominator), kAlignment);
    (total.scales ? range.perSample : range.fixed) += bytes;
  }
  return range;
}

LogicalResult PlaceKernelBuffers::rewriteEntry(func::FuncOp entry,
                                               SymbolTable &symbols,
                                               NamedAttrList &memory) {
  SmallVector<func::CallOp> calls;
  entry.walk([&](func::CallOp call) { calls.push_back(call); });
  Allocations own;
  int64_t ownBytes = 0;
  entry.walk([&](memref::AllocOp op) { own.push_back(op); });
  for (memref::AllocOp op : own) {
    if (!op.getType().hasStaticShape())
      return op.emitError("is an allocation of an entry that scales with the "
                          "batch: buffer-plan-memory comes before");
    ownBytes += bytesOf(op.getType());
  }
  Range range;
  bool any = !own.empty();
  for (func::CallOp call : calls) {
    auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!kernels.count(kernel))
      continue;
    FailureOr<Range> need = needOf(call, kernel);
    if (failed(need))
      return failure();
    any = true;
    range.fixed = std::max(range.fixed, need->fixed);
    range.perSample = std::max(range.perSample, need->perSample);
  }
  if (!any)
    return success();

  auto plan = dyn_cast_or_null<DictionaryAttr>(memory.get(entry.getName()));
  if (!plan)
    return entry.emitError("has no memory plan: buffer-plan-memory comes "
                           "before");
  int64_t fixed = plan.getAs<IntegerAttr>("fixed").getInt();
  int64_t perSample = plan.getAs<IntegerAttr>("per_sample").getInt();

  OpBuilder b = OpBuilder::atBlockBegin(&entry.getBody().front());
  Location loc = entry.getLoc();
  Value scratch = entry.getArguments().back();
  Value batch = batchOf(b, entry);
  auto offset = [&](int64_t constantPart, int64_t scaledPart) {
    Value result = arith::ConstantIndexOp::create(b, loc, constantPart);
    if (!batch || scaledPart == 0)
      return result;
    Value factor = arith::ConstantIndexOp::create(b, loc, scaledPart);
    Value scaled = arith::MulIOp::create(b, loc, batch, factor);
    return arith::AddIOp::create(b, loc, scaled, result).getResult();
  };
  auto type = cast<MemRefType>(scratch.getType());
  Value ownBegin = offset(fixed, perSample);
  fixed += ownBytes;
  Value begin = offset(fixed, perSample);
  Value end = offset(fixed + range.fixed, perSample + range.perSample);
  Value size = arith::SubIOp::create(b, loc, end, begin);
  Value all = memref::DimOp::create(b, loc, scratch, 0);
  Value rest = arith::SubIOp::create(b, loc, all, end);
  Value buffers = memref::ViewOp::create(b, loc, type, scratch, begin, size);
  Value workspace = memref::ViewOp::create(b, loc, type, scratch, end, rest);
  for (func::CallOp call : calls) {
    unsigned last = call.getNumOperands() - 1;
    call->setOperand(last, workspace);
    if (kernels.count(symbols.lookup(call.getCallee())))
      call->insertOperands(last, buffers);
  }

  placeInEntry(own, scratch, ownBegin);

  NamedAttrList updated(plan);
  updated.set("fixed", b.getI64IntegerAttr(fixed + range.fixed));
  updated.set("per_sample", b.getI64IntegerAttr(perSample + range.perSample));
  memory.set(entry.getName(), updated.getDictionary(b.getContext()));
  return success();
}

void PlaceKernelBuffers::placeInEntry(const Allocations &allocations,
                                      Value scratch, Value begin) {
  int64_t used = 0;
  for (memref::AllocOp op : allocations) {
    OpBuilder b(op);
    Value at = arith::AddIOp::create(
        b, op.getLoc(), begin,
        arith::ConstantIndexOp::create(b, op.getLoc(), used));
    op.replaceAllUsesWith(memref::ViewOp::create(b, op.getLoc(), op.getType(),
                                                 scratch, at, ValueRange())
                              .getResult());
    used += bytesOf(op.getType());
    op.erase();
  }
}

void PlaceKernelBuffers::rewriteKernel(func::FuncOp kernel,
                                       const Allocations &allocations) {
  unsigned last = kernel.getNumArguments() - 1;
  Type bytes = kernel.getArgument(last).getType();
  (void)kernel.insertArgument(last, bytes, DictionaryAttr(), kernel.getLoc());
  Value buffers = kernel.getArgument(last), offset;
  for (memref::AllocOp op : allocations) {
    OpBuilder b(op);
    Location loc = op.getLoc();
    auto constant = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(b, loc, value);
    };
    if (!offset)
      offset = constant(0);
    Value view = memref::ViewOp::create(b, loc, op.getType(), buffers, offset,
                                        op.getDynamicSizes());
    if (op != allocations.back()) {
      // The next one starts at the next multiple of the alignment.
      int64_t known = elementBytes(op.getType());
      for (int64_t size : op.getType().getShape())
        known *= ShapedType::isDynamic(size) ? 1 : size;
      Value size = constant(known);
      for (Value dynamic : op.getDynamicSizes())
        size = arith::MulIOp::create(b, loc, size, dynamic);
      size = arith::AddIOp::create(b, loc, size, constant(kAlignment - 1));
      size = arith::DivUIOp::create(b, loc, size, constant(kAlignment));
      size = arith::MulIOp::create(b, loc, size, constant(kAlignment));
      offset = arith::AddIOp::create(b, loc, offset, size);
    }
    op.getResult().replaceAllUsesWith(view);
    op.erase();
  }
}

void PlaceKernelBuffers::runOnOperation() {
  ModuleOp module = getOperation();
  if (failed(collect(module)))
    return signalPassFailure();
  if (!module->hasAttr(kMemoryAttr))
    return;
  SymbolTable symbols(module);
  NamedAttrList memory(module->getAttrOfType<DictionaryAttr>(kMemoryAttr));
  for (auto function : module.getOps<func::FuncOp>())
    if (function->hasAttr(kEntryAttr) &&
        failed(rewriteEntry(function, symbols, memory)))
      return signalPassFailure();
  module->setAttr(kMemoryAttr, memory.getDictionary(&getContext()));
  for (auto &[kernel, allocations] : kernels)
    rewriteKernel(cast<func::FuncOp>(kernel), allocations);
}

std::unique_ptr<Pass> createPlaceKernelBuffersPass() {
  return std::make_unique<PlaceKernelBuffers>();
}

} // namespace cornu::buffer
