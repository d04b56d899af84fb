//===- KernelWork.cpp - What a call of a kernel computes and moves --------===//

#include "passes/buffer/KernelWork.h"
#include "passes/buffer/BatchMultiple.h"
#include "passes/buffer/Buffer.h"
#include "passes/buffer/Views.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace cornu::buffer {

using Multiple = std::optional<BatchMultiple>;

/// Operations on floats that an op stands for.
static int64_t flopsOf(Operation *op) {
  auto isFloat = [](Type type) {
    return isa<FloatType>(getElementTypeOrSelf(type));
  };
  if (isa<math::FmaOp>(op))
    return 2;
  return isa_and_nonnull<arith::ArithDialect, math::MathDialect>(
             op->getDialect()) &&
         op->getNumResults() == 1 && op->getNumOperands() > 0 &&
         isFloat(op->getResult(0).getType()) &&
         llvm::all_of(op->getOperandTypes(), isFloat) &&
         !isa<CastOpInterface>(op);
}

static Amount amountOf(BatchMultiple multiple) {
  int64_t value = llvm::divideCeil(multiple.numerator, multiple.denominator);
  return multiple.scales ? Amount{0, value} : Amount{value, 0};
}

namespace {

/// Walks a kernel in its order.
class WorkCounter {
public:
  explicit WorkCounter(func::CallOp call) : call(call) {}

  /// The ops of a block that runs `times` times.
  void visit(Block &block, Multiple times);
  std::optional<Work> result();

private:
  /// What is known of the elements of an argument.
  struct Accesses {
    Amount read, written;
  };

  Amount amount(Multiple multiple) {
    known &= multiple.has_value();
    return multiple ? amountOf(*multiple) : Amount{};
  }
  Multiple sizeOf(Value memref, int64_t dim) {
    return batchMultiple(memref, dim, sizes);
  }
  Multiple elementsOf(Value memref);
  /// How often a loop runs.
  Multiple timesOf(scf::ForOp loop);
  void visit(linalg::LinalgOp op, Multiple times);
  /// The elements that an operand has in the loops of `ranges`.
  Multiple touched(Value memref, AffineMap map, ArrayRef<Multiple> ranges);
  void read(Value memref, Multiple elements);
  void write(Value memref, Multiple elements);
  Accesses *accessesOf(Value memref);

  func::CallOp call;
  ArgumentSize sizes = [this](BlockArgument argument, int64_t dim) {
    return batchMultiple(call.getOperand(argument.getArgNumber()), dim);
  };
  bool known = true;
  Amount flops;
  llvm::MapVector<Value, Accesses> arguments;
};

} // namespace

/// Which is more for a large batch.
static bool isLess(Amount a, Amount b) {
  return std::pair(a.perSample, a.fixed) < std::pair(b.perSample, b.fixed);
}

Multiple WorkCounter::elementsOf(Value memref) {
  Multiple product = BatchMultiple{};
  for (int64_t dim = 0; dim < cast<MemRefType>(memref.getType()).getRank();
       ++dim)
    product = multiply(product, sizeOf(memref, dim));
  return product;
}

WorkCounter::Accesses *WorkCounter::accessesOf(Value memref) {
  auto argument = dyn_cast<BlockArgument>(rootOf(memref));
  if (!argument || !isa<func::FuncOp>(argument.getOwner()->getParentOp()))
    return nullptr;
  return &arguments[argument];
}

void WorkCounter::read(Value memref, Multiple elements) {
  Accesses *accesses = accessesOf(memref);
  if (!accesses)
    return;
  // What the kernel has written itself is not fetched.
  Amount all = amount(elementsOf(rootOf(memref)));
  if (accesses->written == all)
    return;
  if (Amount more = amount(elements); isLess(accesses->read, more))
    accesses->read = more;
}

void WorkCounter::write(Value memref, Multiple elements) {
  Accesses *accesses = accessesOf(memref);
  if (!accesses)
    return;
  if (Amount more = amount(elements); isLess(accesses->written, more))
    accesses->written = more;
}

Multiple WorkCounter::touched(Value memref, AffineMap map,
                              ArrayRef<Multiple> ranges) {
  Multiple product = BatchMultiple{};
  for (auto [dim, expr] : llvm::enumerate(map.getResults())) {
    Multiple size = sizeOf(memref, dim), range = BatchMultiple{};
    for (auto [loop, count] : llvm::enumerate(ranges))
      if (expr.isFunctionOfDim(loop))
        range = multiply(range, count);
    // The loops of a window meet many elements more than once.
    bool fewer = size && range && isLess(amount(range), amount(size));
    product = multiply(product, fewer ? range : size);
  }
  return product;
}

void WorkCounter::visit(linalg::LinalgOp op, Multiple times) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  SmallVector<Multiple> ranges(op.getNumLoops());
  Multiple points = times;
  for (auto [loop, range] : llvm::enumerate(ranges)) {
    AffineExpr expr = getAffineDimExpr(loop, op.getContext());
    for (auto [operand, map] : llvm::zip_equal(op->getOperands(), maps))
      if (std::optional<unsigned> dim = map.getResultPosition(expr);
          dim && !range && isa<MemRefType>(operand.getType()))
        range = sizeOf(operand, *dim);
    points = multiply(points, range);
  }
  for (OpOperand &operand : op->getOpOperands())
    if (isa<MemRefType>(operand.get().getType()) &&
        op.payloadUsesValueFromOperand(&operand))
      read(operand.get(),
           multiply(times,
                    touched(operand.get(), op.getMatchingIndexingMap(&operand),
                            ranges)));
  visit(*op.getBlock(), points);
  for (OpOperand &operand : op.getDpsInitsMutable())
    write(
        operand.get(),
        multiply(times, touched(operand.get(),
                                op.getMatchingIndexingMap(&operand), ranges)));
}

Multiple WorkCounter::timesOf(scf::ForOp loop) {
  Multiple end = batchMultiple(loop.getUpperBound(), sizes);
  bool plain = isConstantIntValue(loop.getLowerBound(), 0) &&
               isConstantIntValue(loop.getStep(), 1);
  return plain ? end : std::nullopt;
}

void WorkCounter::visit(Block &block, Multiple times) {
  for (Operation &op : block) {
    if (auto linalg = dyn_cast<linalg::LinalgOp>(op)) {
      visit(linalg, times);
    } else if (auto copy = dyn_cast<memref::CopyOp>(op)) {
      read(copy.getSource(), multiply(times, elementsOf(copy.getSource())));
      write(copy.getTarget(), multiply(times, elementsOf(copy.getTarget())));
    } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
      // From a place that depends on data, of a table that may be longer than
      // all that is read of it.
      Multiple elements = elementsOf(load.getMemRef());
      bool fits = elements && times && elements->scales == times->scales &&
                  isLess(amount(elements), amount(times));
      read(load.getMemRef(), fits ? elements : times);
    } else if (auto store = dyn_cast<memref::StoreOp>(op)) {
      write(store.getMemRef(), times);
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      visit(*loop.getBody(), multiply(times, timesOf(loop)));
    } else {
      if (int64_t count = flopsOf(&op))
        flops += amount(times) * count;
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          visit(inner, times);
    }
  }
}

std::optional<Work> WorkCounter::result() {
  Work work;
  work.flops = flops;
  for (auto &[argument, accesses] : arguments) {
    int64_t bytes = llvm::divideCeil(
        cast<MemRefType>(argument.getType()).getElementTypeBitWidth(), 8);
    work.bytes += accesses.read * bytes;
    work.bytes += accesses.written * bytes;
  }
  return known ? std::optional(work) : std::nullopt;
}

/// The loops around an op of an entry repeat it.
static std::optional<Work> inLoops(Operation *op, std::optional<Work> work) {
  for (auto loop = op->getParentOfType<scf::ForOp>(); loop && work;
       loop = loop->getParentOfType<scf::ForOp>()) {
    std::optional<APInt> times = loop.getStaticTripCount();
    if (!times)
      return std::nullopt;
    work->calls *= times->getSExtValue();
  }
  return work;
}

std::optional<Work> workOf(func::CallOp call, func::FuncOp kernel) {
  WorkCounter counter(call);
  counter.visit(kernel.getBody().front(), BatchMultiple{});
  return inLoops(call, counter.result());
}

std::optional<Work> workOf(memref::CopyOp copy) {
  auto type = cast<MemRefType>(copy.getSource().getType());
  Multiple bytes = BatchMultiple{
      2 * int64_t(llvm::divideCeil(type.getElementTypeBitWidth(), 8))};
  for (int64_t dim = 0; dim < type.getRank(); ++dim)
    bytes = multiply(bytes, batchMultiple(copy.getSource(), dim));
  if (!bytes)
    return std::nullopt;
  Work work;
  work.bytes = amountOf(*bytes);
  return inLoops(copy, work);
}

void describeWork(Operation *op, const Work &work) {
  Builder b(op->getContext());
  auto row = [&](StringRef key, int64_t value) {
    return b.getNamedAttr(key, b.getI64IntegerAttr(value));
  };
  op->setAttr(kWorkAttr,
              b.getDictionaryAttr(
                  {row("calls", work.calls), row("flops", work.flops.fixed),
                   row("flops_per_sample", work.flops.perSample),
                   row("bytes", work.bytes.fixed),
                   row("bytes_per_sample", work.bytes.perSample)}));
}

std::optional<Work> describedWork(Operation *op) {
  auto work = op->getAttrOfType<DictionaryAttr>(kWorkAttr);
  if (!work)
    return std::nullopt;
  auto number = [&](StringRef key) {
    auto value = work.getAs<IntegerAttr>(key);
    return value ? value.getInt() : 0;
  };
  return Work{{number("flops"), number("flops_per_sample")},
              {number("bytes"), number("bytes_per_sample")},
              number("calls")};
}

} // namespace cornu::buffer
