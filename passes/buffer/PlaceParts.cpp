//===- PlaceParts.cpp - Parts of a whole written where they belong --------===//
//
// A kernel that joins what others computed (a concatenation, a padding) copies
// it. The copy goes away if the part is computed in the whole:
//
//   call @conv(%x, %a)                 %a = memref.subview %c[0, 0] [%n, 8] …
//   call @concatenate(%a, %b, %c)      call @conv_0(%x, %a)
//                                      call @concatenate_0(%b, %c)
//
// @conv_0 is the kernel for the strides of the part. All that reads %a reads
// the part of %c; so do parts of parts, as in a dense block, where each layer's
// input is a part of the next one's.
//
//===----------------------------------------------------------------------===//

#include "passes/buffer/Buffer.h"
#include "passes/buffer/Layouts.h"
#include "passes/buffer/Views.h"
#include "passes/lower/Lower.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Pass/Pass.h"
#include "llvm/ADT/BitVector.h"

#include <map>

using namespace mlir;

namespace cornu::buffer {

//===----------------------------------------------------------------------===//
// What a kernel copies
//===----------------------------------------------------------------------===//

/// A whole has memory once this share of it is in use.
static constexpr double kLeastShare = 0.125;

namespace {
/// A kernel's copy of a whole argument into a part of another.
struct PartCopy {
  linalg::GenericOp copy;
  BlockArgument from, whole;
  memref::SubViewOp part;
};
} // namespace

/// True if the two parts of one buffer have no element in common.
static bool areDisjoint(memref::SubViewOp a, memref::SubViewOp b) {
  for (auto [offsetA, sizeA, strideA, offsetB, sizeB, strideB] :
       llvm::zip_equal(a.getStaticOffsets(), a.getStaticSizes(),
                       a.getStaticStrides(), b.getStaticOffsets(),
                       b.getStaticSizes(), b.getStaticStrides())) {
    if (ShapedType::isDynamicShape({offsetA, sizeA, strideA}) ||
        ShapedType::isDynamicShape({offsetB, sizeB, strideB}))
      continue;
    if (offsetA + (sizeA - 1) * strideA < offsetB ||
        offsetB + (sizeB - 1) * strideB < offsetA)
      return true;
  }
  return false;
}

/// The part of an argument that `copy` fills with another argument, if that is
/// all it does.
static std::optional<PartCopy> asPartCopy(linalg::GenericOp op) {
  if (!linalg::isaCopyOpInterface(op))
    return std::nullopt;
  PartCopy copy{op, dyn_cast<BlockArgument>(op.getDpsInputs()[0]),
                BlockArgument(),
                op.getDpsInits()[0].getDefiningOp<memref::SubViewOp>()};
  if (!copy.from || !copy.part || !copy.part.hasUnitStride() ||
      !copy.part->hasOneUse())
    return std::nullopt;
  copy.whole = dyn_cast<BlockArgument>(copy.part.getSource());
  bool isPlain =
      copy.whole &&
      copy.part.getType().getRank() == copy.part.getSourceType().getRank() &&
      llvm::none_of(copy.part.getStaticOffsets(), ShapedType::isDynamic);
  return isPlain ? std::optional(copy) : std::nullopt;
}

/// The copies of a kernel that could as well be made before it runs: nothing
/// else in it writes to the part.
static SmallVector<PartCopy> partCopies(func::FuncOp kernel) {
  SmallVector<PartCopy> copies;
  for (auto op : kernel.getOps<linalg::GenericOp>()) {
    std::optional<PartCopy> copy = asPartCopy(op);
    // What the kernel computes itself is not there before.
    if (copy && !kernel.getArgAttr(copy->from.getArgNumber(), kOutputAttr) &&
        llvm::all_of(copy->whole.getUsers(), [&](Operation *user) {
          auto other = dyn_cast<memref::SubViewOp>(user);
          return isa<memref::DimOp>(user) || user == copy->part ||
                 (other && areDisjoint(copy->part, other));
        }))
      copies.push_back(*copy);
  }
  return copies;
}

//===----------------------------------------------------------------------===//
// Where a part is computed
//===----------------------------------------------------------------------===//

/// The view of an allocation that `memref` is, if it shows all of it in another
/// shape; null if it is the allocation itself, or something else.
static Operation *reshapeOf(Value memref) {
  Operation *op = memref.getDefiningOp();
  return isa_and_nonnull<memref::CollapseShapeOp, memref::ExpandShapeOp>(op)
             ? op
             : nullptr;
}

static memref::AllocOp allocationOf(Value memref) {
  Operation *reshape = reshapeOf(memref);
  return (reshape ? reshape->getOperand(0) : memref)
      .getDefiningOp<memref::AllocOp>();
}

/// What `reshape` reads so that its result is `part`; null if no view does.
static Value undo(Operation *reshape, memref::AllocOp allocation,
                  TypedValue<MemRefType> part, OpBuilder &b) {
  if (auto collapse = dyn_cast<memref::CollapseShapeOp>(reshape)) {
    auto groups = collapse.getReassociationIndices();
    MemRefType type =
        expandedType(part.getType(), allocation.getType().getShape(), groups);
    return type ? memref::ExpandShapeOp::create(b, allocation.getLoc(), type,
                                                part, groups,
                                                allocation.getMixedSizes())
                      .getResult()
                : Value();
  }
  auto groups = cast<memref::ExpandShapeOp>(reshape).getReassociationIndices();
  return collapsedType(part.getType(), groups)
             ? memref::CollapseShapeOp::create(b, allocation.getLoc(), part,
                                               groups)
                   .getResult()
             : Value();
}

/// The value that a size was allocated with, if it is that of an allocation, by
/// itself or in another shape.
static Value allocatedSize(memref::DimOp op) {
  std::optional<int64_t> dim = op.getConstantIndex();
  Value memref = op.getSource();
  while (dim) {
    if (auto allocation = memref.getDefiningOp<memref::AllocOp>())
      return dyn_cast<Value>(allocation.getMixedSizes()[*dim]);
    auto collapse = memref.getDefiningOp<memref::CollapseShapeOp>();
    if (!collapse)
      break;
    ReassociationIndices group = collapse.getReassociationIndices()[*dim];
    dim = group.size() == 1 ? std::optional(group.front()) : std::nullopt;
    memref = collapse.getSrc();
  }
  return {};
}

namespace {
/// The parts of one call.
class PartPlacement {
public:
  PartPlacement(func::CallOp call, SymbolTable &symbols)
      : call(call), symbols(symbols) {}

  /// Places what it can of the copies that the kernel makes; their numbers, in
  /// order.
  SmallVector<unsigned> run(ArrayRef<PartCopy> copies);

private:
  /// The copies into `whole` of what has its memory to itself until then.
  SmallVector<unsigned> candidates(memref::AllocOp whole,
                                   ArrayRef<PartCopy> copies);
  bool place(memref::AllocOp whole, PartCopy copy);

  func::CallOp call;
  SymbolTable &symbols;
};
} // namespace

SmallVector<unsigned> PartPlacement::candidates(memref::AllocOp whole,
                                                ArrayRef<PartCopy> copies) {
  Block *block = call->getBlock();
  Accesses held(whole.getResult(), block);
  if (whole->getBlock() != block || held.first() != call)
    return {};
  bool changesLater = llvm::any_of(held.ops, [&](Operation *op) {
    return call->isBeforeInBlock(op) && mayWrite(op, whole, symbols);
  });
  SmallVector<std::pair<Operation *, unsigned>> found; // by the first access
  for (auto [i, copy] : llvm::enumerate(copies)) {
    auto part = allocationOf(call.getOperand(copy.from.getArgNumber()));
    if (call.getOperand(copy.whole.getArgNumber()) != whole || !part ||
        part->getBlock() != block || part == whole)
      continue;
    Accesses accesses(part.getResult(), block);
    bool isRead = false, isWritten = false;
    for (Operation *op : accesses.ops)
      if (call->isBeforeInBlock(op)) {
        isRead = true;
        isWritten |= mayWrite(op, part, symbols);
      }
    if (!isWritten && !(isRead && changesLater))
      found.push_back({accesses.first(), i});
  }
  llvm::sort(found, [](const auto &a, const auto &b) {
    return a.first == b.first ? a.second < b.second
                              : a.first->isBeforeInBlock(b.first);
  });

  // The whole takes its memory as the first part is computed: not for a small
  // part that is there long before the others.
  auto elements = [](ArrayRef<int64_t> shape) {
    double product = 1;
    for (int64_t size : shape)
      product *= ShapedType::isDynamic(size) ? 1 : size;
    return product;
  };
  double share = 0, total = elements(whole.getType().getShape());
  SmallVector<unsigned> result;
  for (auto [first, i] : found) {
    memref::SubViewOp part = copies[i].part;
    share += elements(part.getType().getShape()) / total;
    if (share >= kLeastShare)
      result.push_back(i);
  }
  return result;
}

bool PartPlacement::place(memref::AllocOp whole, PartCopy copy) {
  Value operand = call.getOperand(copy.from.getArgNumber());
  memref::AllocOp allocation = allocationOf(operand);
  if (!allocation || !moveBefore(whole->getOperands(), allocation,
                                 [](Operation *op) { return isPure(op); }))
    return false;
  if (allocation->isBeforeInBlock(whole))
    whole->moveBefore(allocation);
  SmallVector<OpFoldResult> sizes = copy.part.getMixedSizes(),
                            wholeSizes = whole.getMixedSizes();
  for (auto [d, size] : llvm::enumerate(sizes)) {
    if (getConstantIntValue(size))
      continue;
    // As many as the whole has: the batch.
    if (copy.part.getStaticOffsets()[d] != 0)
      return false;
    size = wholeSizes[d];
  }
  OpBuilder b(allocation);
  auto part = memref::SubViewOp::create(b, allocation.getLoc(), whole,
                                        copy.part.getMixedOffsets(), sizes,
                                        copy.part.getMixedStrides());
  Operation *reshape = reshapeOf(operand);
  Value view = reshape ? undo(reshape, allocation, part.getResult(), b) : part;
  auto type = view ? cast<MemRefType>(view.getType()) : MemRefType();
  if (!view || type.getShape() != allocation.getType().getShape() ||
      !allowsLayout(allocation, type, symbols)) {
    if (view && view != part)
      view.getDefiningOp()->erase();
    part->erase();
    return false;
  }
  setLayout(allocation, type);
  allocation.getResult().replaceAllUsesWith(view);
  allocation.erase();
  return true;
}

SmallVector<unsigned> PartPlacement::run(ArrayRef<PartCopy> copies) {
  SmallVector<unsigned> placed;
  llvm::SetVector<Operation *> wholes;
  for (const PartCopy &copy : copies)
    if (auto whole = call.getOperand(copy.whole.getArgNumber())
                         .getDefiningOp<memref::AllocOp>())
      wholes.insert(whole);
  for (Operation *whole : wholes)
    for (unsigned i : candidates(cast<memref::AllocOp>(whole), copies))
      if (place(cast<memref::AllocOp>(whole), copies[i]))
        placed.push_back(i);
  llvm::sort(placed);
  return placed;
}

//===----------------------------------------------------------------------===//
// Kernels that copy less
//===----------------------------------------------------------------------===//

namespace {
/// A kernel without some of its copies.
struct Version {
  func::FuncOp kernel;
  /// The arguments of the whole kernel that it does not need.
  llvm::BitVector dropped;
};

class Kernels {
public:
  explicit Kernels(ModuleOp module) : symbols(module) {}

  void placeParts(func::CallOp call);
  /// Erases the kernels that nobody calls any more.
  void eraseUnused();

private:
  Version &without(func::FuncOp kernel, ArrayRef<unsigned> copies);

  SymbolTable symbols;
  std::map<std::pair<Operation *, SmallVector<unsigned>>, Version> versions;
};
} // namespace

/// The version of `kernel` that does not make these of its copies.
Version &Kernels::without(func::FuncOp kernel, ArrayRef<unsigned> copies) {
  Version &version = versions[{kernel, SmallVector<unsigned>(copies)}];
  if (version.kernel)
    return version;
  version.kernel = kernel.clone();
  symbols.insert(version.kernel, Block::iterator(kernel));
  Block &body = version.kernel.getBody().front();
  SmallVector<PartCopy> all = partCopies(version.kernel);
  version.dropped.resize(kernel.getNumArguments());
  for (unsigned i : copies) {
    all[i].copy.erase();
    version.dropped.set(all[i].from.getArgNumber());
  }
  // What only the copies needed.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(body)))
    if (isOpTriviallyDead(&op))
      op.erase();
  for (unsigned i : version.dropped.set_bits())
    if (!body.getArgument(i).use_empty())
      version.dropped.reset(i);
  (void)version.kernel.eraseArguments(version.dropped);
  return version;
}

void Kernels::placeParts(func::CallOp call) {
  auto kernel = symbols.lookup<func::FuncOp>(call.getCallee());
  SmallVector<PartCopy> copies = partCopies(kernel);
  SmallVector<unsigned> placed = PartPlacement(call, symbols).run(copies);
  if (placed.empty())
    return;
  Version &version = without(kernel, placed);
  call.setCallee(version.kernel.getName());
  call->eraseOperands(version.dropped);
  bool doesNothing = llvm::hasSingleElement(version.kernel.front());
  if (doesNothing)
    call.erase();
}

void Kernels::eraseUnused() {
  llvm::DenseSet<StringRef> called;
  symbols.getOp()->walk(
      [&](func::CallOp call) { called.insert(call.getCallee()); });
  llvm::SetVector<Operation *> kernels;
  for (auto &[key, version] : versions) {
    kernels.insert(key.first);
    kernels.insert(version.kernel);
  }
  for (Operation *kernel : kernels)
    if (!called.contains(SymbolTable::getSymbolName(kernel)))
      symbols.erase(kernel);
}

namespace {
struct PlaceParts : PassWrapper<PlaceParts, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(PlaceParts)

  StringRef getArgument() const override { return "buffer-place-parts"; }
  StringRef getDescription() const override {
    return "Let kernels write the parts of a concatenation where they belong";
  }

  void runOnOperation() override {
    Kernels kernels(getOperation());
    SmallVector<func::CallOp> calls;
    getOperation().walk([&](Operation *op) {
      // Insertions of what bufferization has computed in place.
      if (auto copy = dyn_cast<memref::CopyOp>(op);
          copy && copy.getSource() == copy.getTarget())
        copy.erase();
      else if (auto call = dyn_cast<func::CallOp>(op))
        calls.push_back(call);
      else if (auto dim = dyn_cast<memref::DimOp>(op))
        if (Value size = allocatedSize(dim))
          dim.replaceAllUsesWith(size);
    });
    for (func::CallOp call : calls)
      kernels.placeParts(call);
    kernels.eraseUnused();
    specializeCallsByLayout(getOperation());
  }
};
} // namespace

std::unique_ptr<Pass> createPlacePartsPass() {
  return std::make_unique<PlaceParts>();
}

} // namespace cornu::buffer
