//===- Blocks.cpp - Which loops the contractions of a kernel share --------===//
//
// The dependences tell: a loop is shared if every stage walks the same
// dimension of what the stages before it have written.
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/Blocks.h"

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

/// The generics of a kernel that consists of nothing else than them, fills and
/// views, or nothing.
static SmallVector<linalg::GenericOp> stagesOf(func::FuncOp kernel) {
  SmallVector<linalg::GenericOp> stages;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      stages.push_back(generic);
    else if (!isa<linalg::FillOp, memref::AllocOp, memref::DimOp,
                  ViewLikeOpInterface>(op) &&
             !isPure(&op))
      return {};
  }
  return stages;
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

/// The role of each dimension of an operand, or none where a shared loop moves
/// it together with another.
static std::optional<SmallVector<BlockDim>> dimsOf(const BlockStage &stage,
                                                   AffineMap map) {
  SmallVector<BlockDim> dims;
  for (AffineExpr expr : map.getResults()) {
    bool shared = llvm::any_of(stage.units,
                               [&](unsigned loop) {
                                 return expr.isFunctionOfDim(loop);
                               }) ||
                  (stage.block && expr.isFunctionOfDim(*stage.block));
    if (shared && !plainLoop(expr))
      return std::nullopt;
    dims.push_back(!shared               ? BlockDim::whole
                   : stage.isBlock(expr) ? BlockDim::block
                                         : BlockDim::unit);
  }
  return dims;
}

/// Collects the buffers that only the kernel sees; false if the stages do not
/// agree on their dimensions, or two tasks would write one element.
static bool findBuffers(BlockForm &form) {
  for (BlockStage &stage : form.stages) {
    linalg::GenericOp op = stage.op;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<MemRefType>(operand.get().getType()))
        continue;
      auto dims = dimsOf(stage, op.getMatchingIndexingMap(&operand));
      if (!dims)
        return false;
      if (op.isDpsInit(&operand) &&
          (llvm::count(*dims, BlockDim::unit) !=
               static_cast<int64_t>(stage.units.size()) ||
           llvm::is_contained(*dims, BlockDim::block) !=
               (stage.block && !stage.reducesBlock())))
        return false;
      Value base = baseBuffer(operand.get());
      if (!isPrivateBuffer(base))
        continue;
      auto [known, isNew] = form.buffers.try_emplace(base, *dims);
      if (operand.get() != base || (!isNew && known->second != *dims))
        return false;
    }
  }
  for (auto &[buffer, dims] : form.buffers) {
    for (auto [size, dim] :
         llvm::zip(cast<MemRefType>(buffer.getType()).getShape(), dims))
      if (dim == BlockDim::whole && ShapedType::isDynamic(size))
        return false;
    for (BlockStage &stage : form.stages)
      if (gathersFrom(stage.op, {buffer}))
        return false;
  }
  return true;
}

std::optional<BlockForm> BlockForm::of(func::FuncOp kernel) {
  SmallVector<linalg::GenericOp> stages = stagesOf(kernel);
  if (llvm::count_if(stages, isProduct) < 2)
    return std::nullopt;
  BlockForm form;
  for (linalg::GenericOp stage : stages)
    form.stages.push_back({stage, {}, std::nullopt});
  Role blockRole = Role::none;
  for (unsigned loop = 0; loop < stages[0].getNumLoops(); ++loop) {
    SmallVector<unsigned> loops = followLoop(stages, loop);
    Role role = loops.empty() ? Role::none : roleOf(stages, loops);
    int64_t extent = stages[0].getStaticLoopRanges()[loop];
    if (role == Role::batch) {
      for (auto [stage, own] : llvm::zip(form.stages, loops))
        stage.units.push_back(own);
    } else if ((role == Role::rows ||
                (role == Role::sums && blockRole != Role::rows)) &&
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

/// A block that has no rest, if there is one not much smaller.
static int64_t evenBlock(int64_t extent, int64_t most) {
  for (int64_t block = most; block * 2 > most; --block)
    if (extent % block == 0)
      return block;
  return most;
}

int64_t BlockForm::chooseBlock(const Target &target) const {
  if (!extent)
    return 0;
  int64_t bytes = 1; // per point of the block loop
  for (auto &[buffer, dims] : buffers) {
    if (!llvm::is_contained(dims, BlockDim::block))
      continue;
    auto type = cast<MemRefType>(buffer.getType());
    int64_t row = (type.getElementTypeBitWidth() + 7) / 8;
    for (auto [size, dim] : llvm::zip(type.getShape(), dims))
      row *= dim == BlockDim::whole ? size : 1;
    bytes += row;
  }
  // Half of the cache is for what comes in and goes out. Fewer rows would not
  // pay for bringing the other operands.
  constexpr int64_t kFewest = 32;
  int64_t most = std::max(target.l2Bytes / 2 / bytes, kFewest);
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
      most = std::min(most, std::max(extent * tasks / kFewTasks, kFewest));
  }
  return extent <= most ? extent : evenBlock(extent, most);
}

} // namespace cornu::codegen
