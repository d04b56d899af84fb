//===- Blocks.cpp - Which loops the contractions of a kernel share --------===//
//
// The dependences tell: a loop is shared if every stage walks the same
// dimension of what the stages before it have written.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/Blocks.h"

#include "codegen/schedule/LinearExpr.h"
#include "codegen/strategy/BufferAccess.h"
#include "codegen/strategy/Contraction.h"
#include "codegen/strategy/ContractionForm.h"
#include "codegen/strategy/GenericLoops.h"
#include "codegen/strategy/NestGroups.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;

namespace cornu::codegen {

std::optional<unsigned> BlockStage::unitOf(AffineExpr expr) const {
  std::optional<unsigned> loop = plainLoop(expr);
  auto found = loop ? llvm::find(units, *loop) : units.end();
  return found == units.end() ? std::nullopt
                              : std::optional<unsigned>(found - units.begin());
}

bool BlockStage::isBlock(AffineExpr expr) const {
  return block && plainLoop(expr) == block;
}

bool BlockStage::reducesBlock() const {
  return block && !isParallel(linalg::GenericOp(op), *block);
}

std::optional<BlockWindow> BlockStage::windowOf(AffineExpr expr) const {
  auto linear = block
                    ? LinearExpr::of(expr, linalg::GenericOp(op).getNumLoops())
                    : std::nullopt;
  if (!linear || !linear->moves(*block) || linear->constant != 0)
    return std::nullopt;
  BlockWindow window;
  SmallVector<int64_t> extents = linalg::GenericOp(op).getStaticLoopRanges();
  for (auto [loop, coefficient] : llvm::enumerate(linear->coefficients)) {
    if (coefficient == 0)
      continue;
    if (coefficient < 0 || ShapedType::isDynamic(extents[loop]) ||
        llvm::is_contained(units, loop))
      return std::nullopt;
    if (loop == *block)
      window.stride = coefficient;
    else
      window.reach += coefficient * (extents[loop] - 1);
  }
  return window;
}

/// The padding that an allocation is: filled, and an input copied into it.
static std::optional<BlockPadding> paddingOf(memref::AllocOp buffer) {
  BlockPadding padding{buffer, nullptr, nullptr, nullptr};
  for (Operation *user : buffer->getUsers()) {
    if (auto interior = dyn_cast<memref::SubViewOp>(user)) {
      if (padding.interior || !interior.hasUnitStride() ||
          interior.getType().getRank() != buffer.getType().getRank() ||
          llvm::any_of(interior.getStaticOffsets(), ShapedType::isDynamic) ||
          !interior->hasOneUse())
        return std::nullopt;
      padding.interior = interior;
      padding.copy = dyn_cast<memref::CopyOp>(*interior->user_begin());
    } else if (isa<linalg::MapOp, linalg::FillOp>(user)) {
      if (padding.fill)
        return std::nullopt;
      padding.fill = user;
    } else if (!isa<linalg::GenericOp>(user)) {
      return std::nullopt;
    }
  }
  if (!padding.fill || !padding.copy ||
      padding.copy.getTarget() != padding.interior.getResult() ||
      !isa<BlockArgument>(baseBuffer(padding.source())))
    return std::nullopt;
  return padding;
}

const BlockPadding *BlockForm::paddingOf(Value buffer) const {
  auto found = llvm::find_if(paddings, [&](const BlockPadding &padding) {
    return memref::AllocOp(padding.buffer).getResult() == buffer;
  });
  return found == paddings.end() ? nullptr : found;
}

/// Finds the generics of a kernel that consists of nothing else than them,
/// fills, views and paddings; false if there is more.
static bool findStages(func::FuncOp kernel, BlockForm &form) {
  llvm::SmallPtrSet<Operation *, 8> known;
  for (auto alloc : kernel.getBody().front().getOps<memref::AllocOp>())
    if (auto padding = paddingOf(alloc)) {
      form.paddings.push_back(*padding);
      known.insert(padding->fill);
      known.insert(padding->copy);
    }
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      form.stages.push_back({generic, {}, std::nullopt});
    else if (!known.contains(&op) &&
             !isa<linalg::FillOp, memref::AllocOp, memref::DimOp,
                  ViewLikeOpInterface>(op) &&
             !isPure(&op))
      return false;
  }
  // A fill belongs to the stage that goes on from it.
  for (auto fill : kernel.getBody().front().getOps<linalg::FillOp>())
    if (!known.contains(fill) &&
        llvm::none_of(form.stages, [&](BlockStage &stage) {
          return llvm::is_contained(stage.op.getDpsInits(),
                                    fill.getOutputs()[0]);
        }))
      return false;
  return true;
}

/// A loop of the first stage in every stage, or nothing where one of them does
/// not keep to it.
static SmallVector<unsigned> followLoop(ArrayRef<linalg::GenericOp> stages,
                                        unsigned first) {
  SmallVector<unsigned> loops{first};
  for (linalg::GenericOp next : stages.drop_front()) {
    std::optional<unsigned> loop;
    for (auto [stage, own] :
         llvm::zip(stages.take_front(loops.size()), loops)) {
      auto same = relatedLoop(stage, own, next, /*onlyParallel=*/false);
      if (failed(same) || (*same && loop && *loop != **same))
        return {};
      if (*same)
        loop = **same;
    }
    if (!loop)
      return {};
    loops.push_back(*loop);
  }
  return loops;
}

/// True if no other stage has to do with what `stage` writes.
static bool writesAlone(ArrayRef<linalg::GenericOp> stages,
                        linalg::GenericOp stage) {
  for (Value buffer : buffersWritten(stage))
    for (linalg::GenericOp other : stages)
      if (other != stage &&
          (readsBuffer(other, buffer) || writesBuffer(other, buffer)))
        return false;
  return true;
}

namespace {
/// How the stages take a loop that they share.
enum class Role { none, batch, rows, sums };
} // namespace

static Role roleOf(ArrayRef<linalg::GenericOp> stages,
                   ArrayRef<unsigned> loops) {
  bool isBatch = true, isSum = false, isParallelLoop = false;
  for (auto [stage, loop] : llvm::zip(stages, loops)) {
    linalg::GenericOp op = stage;
    std::optional<ContractionForm> form;
    if (isProduct(op))
      form = ContractionForm::of(op);
    if (!isParallel(op, loop)) {
      if (!form || !writesAlone(stages, op))
        return Role::none;
      isSum = true;
      continue;
    }
    isParallelLoop = true;
    if (form) {
      if (!llvm::is_contained(form->rows, loop) &&
          !llvm::is_contained(form->batch, loop))
        return Role::none;
      isBatch &= llvm::is_contained(form->batch, loop);
    }
  }
  if (!isParallelLoop)
    return Role::none;
  return isSum ? Role::sums : isBatch ? Role::batch : Role::rows;
}

/// True for a loop that walks the first dimension of all that it moves, as the
/// batch does.
static bool isLeading(ArrayRef<linalg::GenericOp> stages,
                      ArrayRef<unsigned> loops) {
  for (auto [stage, loop] : llvm::zip(stages, loops))
    for (AffineMap map : linalg::GenericOp(stage).getIndexingMapsArray())
      for (auto [dim, expr] : llvm::enumerate(map.getResults()))
        if (expr.isFunctionOfDim(loop) && (dim > 0 || !plainLoop(expr)))
          return false;
  return true;
}

std::optional<SmallVector<BlockDim>>
BlockForm::dimsOf(const BlockStage &stage, OpOperand &operand) const {
  linalg::GenericOp op = stage.op;
  const bool isPadded = paddingOf(operand.get());
  SmallVector<BlockDim> dims;
  for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
    BlockDim dim;
    std::optional<BlockWindow> window = stage.windowOf(expr);
    bool isShared = window ||
                    llvm::any_of(stage.units,
                                 [&](unsigned loop) {
                                   return expr.isFunctionOfDim(loop);
                                 }) ||
                    (stage.block && expr.isFunctionOfDim(*stage.block));
    if (std::optional<unsigned> unit = stage.unitOf(expr)) {
      dim.kind = BlockDim::unit;
      dim.number = *unit;
    } else if (stage.isBlock(expr) && !isPadded) {
      dim.kind = BlockDim::block;
    } else if (window && !op.isDpsInit(&operand)) {
      // Also of one tap: the rows of a padding are counted from its border.
      dim.kind = BlockDim::window;
      dim.slides = *window;
    } else if (isShared) {
      return std::nullopt;
    }
    dims.push_back(dim);
  }
  return dims;
}

static int64_t countOf(BlockDim::Kind kind, ArrayRef<BlockDim> dims) {
  return llvm::count_if(dims,
                        [&](const BlockDim &dim) { return dim.kind == kind; });
}

/// True if all blocks of a unit are inside: a border that tasks share can be
/// along windows only.
static bool hasUnitsInside(const BlockPadding &padding,
                           ArrayRef<BlockDim> dims) {
  auto inside = cast<MemRefType>(padding.source().getType());
  auto whole = memref::AllocOp(padding.buffer).getType();
  for (auto [i, dim] : llvm::enumerate(dims))
    if (dim.kind == BlockDim::unit &&
        (padding.low(i) != 0 || inside.getDimSize(i) != whole.getDimSize(i)))
      return false;
  return true;
}

/// Collects the buffers that only the kernel sees; false if the stages do not
/// agree on their dimensions, or two tasks would write one element.
static bool findBuffers(BlockForm &form) {
  for (BlockStage &stage : form.stages) {
    linalg::GenericOp op = stage.op;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      auto dims = form.dimsOf(stage, operand);
      if (!dims)
        return false;
      if (op.isDpsInit(&operand) &&
          (countOf(BlockDim::unit, *dims) !=
               static_cast<int64_t>(stage.units.size()) ||
           countOf(BlockDim::block, *dims) !=
               (stage.block && !stage.reducesBlock())))
        return false;
      Value base = baseBuffer(operand.get());
      if (!isPrivateBuffer(base))
        continue;
      const BlockPadding *padding = form.paddingOf(base);
      if (padding && !hasUnitsInside(*padding, *dims))
        return false;
      // What is computed in a block is not there for a window over its border.
      if (countOf(BlockDim::window, *dims) && (!padding || form.isSequential))
        return false;
      auto [known, isNew] = form.buffers.try_emplace(base, *dims);
      if (operand.get() != base || (!isNew && known->second != *dims))
        return false;
    }
  }
  for (auto &[buffer, dims] : form.buffers) {
    for (auto [size, dim] :
         llvm::zip(cast<MemRefType>(buffer.getType()).getShape(), dims))
      if (dim.kind == BlockDim::whole && ShapedType::isDynamic(size))
        return false;
    for (BlockStage &stage : form.stages)
      if (gathersFrom(stage.op, {buffer}))
        return false;
  }
  return true;
}

bool BlockForm::bordersAreBlocks(int64_t block) const {
  if (!block)
    return paddings.empty();
  const int64_t blocks = llvm::divideCeil(extent, block);
  for (const BlockPadding &padding : paddings) {
    auto found = buffers.find(memref::AllocOp(padding.buffer).getResult());
    if (found == buffers.end())
      return false;
    for (auto [i, dim] : llvm::enumerate(found->second)) {
      if (dim.kind != BlockDim::window)
        continue;
      const BlockWindow &window = dim.slides;
      int64_t size = cast<MemRefType>(padding.source().getType()).getDimSize(i);
      int64_t end = ((blocks - 1) * block - 1) * window.stride + window.reach;
      // The first block has some rows of the input, too.
      if ((block - 1) * window.stride + window.reach + 1 <= padding.low(i))
        return false;
      // The second block begins inside, and the last but one ends there.
      if (blocks > 1 && (block * window.stride < padding.low(i) ||
                         (blocks > 2 && end - padding.low(i) >= size)))
        return false;
      // The last one has some rows of the input.
      if (blocks > 1 &&
          (blocks - 1) * block * window.stride - padding.low(i) >= size)
        return false;
    }
  }
  return true;
}

std::optional<BlockForm> BlockForm::of(func::FuncOp kernel) {
  BlockForm form;
  if (!findStages(kernel, form))
    return std::nullopt;
  SmallVector<linalg::GenericOp> stages;
  for (BlockStage &stage : form.stages)
    stages.push_back(stage.op);
  Role blockRole = Role::none;
  for (unsigned loop = 0; loop < stages[0].getNumLoops(); ++loop) {
    SmallVector<unsigned> loops = followLoop(stages, loop);
    Role role = loops.empty() ? Role::none : roleOf(stages, loops);
    int64_t extent = stages[0].getStaticLoopRanges()[loop];
    if (role == Role::batch ||
        (role == Role::rows &&
         (ShapedType::isDynamic(extent) || isLeading(stages, loops)))) {
      for (auto [stage, own] : llvm::zip(form.stages, loops))
        stage.units.push_back(own);
    } else if (((role == Role::rows && blockRole != Role::rows) ||
                (role == Role::sums && blockRole == Role::none)) &&
               !ShapedType::isDynamic(extent)) {
      for (auto [stage, own] : llvm::zip(form.stages, loops))
        stage.block = own;
      blockRole = role;
      form.extent = extent;
    }
  }
  form.isSequential = blockRole == Role::sums;
  if (form.stages[0].units.empty() && blockRole != Role::rows)
    return std::nullopt;
  if (!findBuffers(form))
    return std::nullopt;
  return form;
}

/// `extent` in as few blocks of at most `most` as it takes. Where `hasBorders`,
/// the last one has code of its own in any case; else blocks that have no rest
/// are better, if there are some not much smaller.
static int64_t evenBlock(int64_t extent, int64_t most, bool hasBorders) {
  if (!hasBorders)
    for (int64_t block = most; block * 2 > most; --block)
      if (extent % block == 0)
        return block;
  return equalParts(extent, most);
}

int64_t BlockForm::chooseBlock(const Target &target) const {
  if (!extent)
    return 0;
  int64_t bytes = 1; // per point of the block loop
  for (auto &[buffer, dims] : buffers) {
    if (!countOf(BlockDim::block, dims) && !countOf(BlockDim::window, dims))
      continue;
    auto type = cast<MemRefType>(buffer.getType());
    int64_t row = (type.getElementTypeBitWidth() + 7) / 8;
    for (auto [size, dim] : llvm::zip(type.getShape(), dims))
      row *= dim.kind == BlockDim::whole ? size : 1;
    bytes += row;
  }
  // Half of the cache is for what comes in and goes out. Fewer rows of a
  // product would not pay for bringing the other operands.
  int64_t fewest = 32;
  for (const BlockStage &stage : stages)
    if (auto form = ContractionForm::of(stage.op); form && !form->sharedLane) {
      int64_t others = 1;
      for (unsigned loop : form->rows)
        if (loop != stage.block && !llvm::is_contained(stage.units, loop))
          others *= form->extents[loop];
      fewest = std::min<int64_t>(fewest, llvm::divideCeil(32, others));
    }
  int64_t most = std::max(target.l2Bytes / 2 / bytes, fewest);
  if (!isSequential) {
    // One sample should give a few tasks.
    int64_t tasks = 1;
    for (unsigned unit : stages[0].units) {
      int64_t size =
          linalg::GenericOp(stages[0].op).getStaticLoopRanges()[unit];
      tasks *= ShapedType::isDynamic(size) ? 1 : size;
    }
    constexpr int64_t kFewTasks = 4;
    if (tasks < kFewTasks)
      most = std::min(
          most, std::max<int64_t>(llvm::divideCeil(extent * tasks, kFewTasks),
                                  fewest));
  }
  return extent <= most ? extent : evenBlock(extent, most, !paddings.empty());
}

} // namespace cornu::codegen
