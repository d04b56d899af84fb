//===- NestBuffers.cpp - Where the intermediates of nests live ------------===//
//
// %e = memref.alloc(%b) : memref<?x10xf32>   ->   memref.alloca :
// memref<10xf32>
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/NestBuffers.h"
#include "codegen/schedule/NestedGrids.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

/// Row buffers and small intermediates live on the stack up to this size.
static constexpr int64_t kMaxStackBytes = 128 << 10;

int64_t byteSize(MemRefType type) {
  return type.getNumElements() * ((type.getElementTypeBitWidth() + 7) / 8);
}

void findDeadBuffers(MutableArrayRef<Nest> nests) {
  for (Nest &nest : nests) {
    SmallVector<linalg::GenericOp> ops{nest.root};
    llvm::append_range(ops, nest.epilogues);
    for (linalg::GenericOp op : ops)
      for (Value output : op.getDpsInits()) {
        if (!output.getDefiningOp<memref::AllocOp>())
          continue;
        bool inside = llvm::all_of(output.getUsers(), [&](Operation *user) {
          auto generic = dyn_cast<linalg::GenericOp>(user);
          return isa<memref::DeallocOp, linalg::FillOp, memref::DimOp>(user) ||
                 (generic && llvm::is_contained(ops, generic));
        });
        // The root's own old value may come from memory.
        auto position =
            llvm::find(op.getDpsInits(), output) - op.getDpsInits().begin();
        bool read = op == nest.root && !nest.initial[position] &&
                    !op.getRegionOutputArgs()[position].use_empty();
        if (inside && !read && nest.strategy.getKind() != NestKind::Update)
          nest.dead.insert(output);
      }
  }
}

namespace {
/// How a group uses one of its buffers: the operands, and which dimensions are
/// rows, the same in all of them.
struct RowUses {
  SmallVector<bool> isRowDim;
  SmallVector<std::pair<linalg::GenericOp, unsigned>> operands;
};
} // namespace

/// None if somebody else uses `buffer`, or not by rows.
static std::optional<RowUses> usesByRow(Value buffer, const NestRows &group) {
  std::optional<SmallVector<bool>> isRowDim;
  RowUses uses;
  for (OpOperand &use : buffer.getUses()) {
    Operation *user = use.getOwner();
    if (isa<memref::DeallocOp, memref::DimOp>(user))
      continue;
    if (auto fill = dyn_cast<linalg::FillOp>(user)) {
      if (!llvm::is_contained(group.fills, fill))
        return std::nullopt;
      continue;
    }
    auto stage = dyn_cast<linalg::GenericOp>(user);
    if (!llvm::is_contained(group.stages, stage))
      return std::nullopt;
    SmallVector<bool> dims;
    for (AffineExpr expr :
         stage.getIndexingMapsArray()[use.getOperandNumber()].getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      dims.push_back(dim && dim.getPosition() < group.numRows);
    }
    if (isRowDim && *isRowDim != dims)
      return std::nullopt;
    isRowDim = dims;
    uses.operands.push_back({stage, use.getOperandNumber()});
  }
  if (!isRowDim)
    return std::nullopt;
  uses.isRowDim = *isRowDim;
  return uses;
}

/// The operands of `uses` become `row`, without the indices of rows.
static void replaceByRow(OpBuilder &builder, const RowUses &uses, Value row) {
  for (auto [stage, operand] : uses.operands) {
    SmallVector<AffineMap> maps = stage.getIndexingMapsArray();
    SmallVector<AffineExpr> results;
    for (auto [expr, isRow] :
         llvm::zip(maps[operand].getResults(), uses.isRowDim))
      if (!isRow)
        results.push_back(expr);
    maps[operand] =
        AffineMap::get(stage.getNumLoops(), 0, results, stage.getContext());
    stage->setOperand(operand, row);
    stage.setIndexingMapsAttr(builder.getAffineMapArrayAttr(maps));
  }
}

void makeRowBuffers(OpBuilder &builder, const NestRows &group) {
  llvm::SetVector<Value> buffers;
  for (linalg::GenericOp stage : group.stages)
    for (Value output : stage.getDpsInits())
      if (output.getDefiningOp<memref::AllocOp>())
        buffers.insert(output);
  int64_t bytes = 0;
  for (Value buffer : buffers) {
    if (llvm::any_of(group.nests, [&](const Nest &nest) {
          return nest.dead.contains(buffer);
        }))
      continue;
    std::optional<RowUses> uses = usesByRow(buffer, group);
    if (!uses)
      continue;
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<int64_t> shape;
    for (auto [size, isRow] : llvm::zip(type.getShape(), uses->isRowDim))
      if (!isRow)
        shape.push_back(size);
    auto rowType = MemRefType::get(shape, type.getElementType());
    if (!rowType.hasStaticShape() || bytes + byteSize(rowType) > kMaxStackBytes)
      continue;
    bytes += byteSize(rowType);
    Value row = memref::AllocaOp::create(
        builder, linalg::GenericOp(group.stages.front()).getLoc(), rowType,
        builder.getI64IntegerAttr(64));
    replaceByRow(builder, *uses, row);
  }
}

Value workspaceView(OpBuilder &builder, Location loc, func::FuncOp kernel,
                    MemRefType type) {
  auto bytes = KernelWorkspaceOp::create(
      builder, loc,
      MemRefType::get({ShapedType::kDynamic}, builder.getI8Type()));
  Value offset = arith::ConstantIndexOp::create(
      builder, loc, takeSharedWorkspace(kernel, byteSize(type)));
  return memref::ViewOp::create(builder, loc, type, bytes, offset,
                                ValueRange());
}

bool eraseUnused(RewriterBase &rewriter, memref::AllocOp alloc) {
  if (!llvm::all_of(alloc->getUsers(),
                    llvm::IsaPred<memref::DeallocOp, linalg::FillOp>))
    return false;
  for (Operation *user : llvm::make_early_inc_range(alloc->getUsers()))
    rewriter.eraseOp(user);
  rewriter.eraseOp(alloc);
  return true;
}

void replaceAllocation(RewriterBase &rewriter, memref::AllocOp alloc,
                       Value buffer) {
  for (Operation *user : llvm::make_early_inc_range(alloc->getUsers()))
    if (isa<memref::DeallocOp>(user))
      rewriter.eraseOp(user);
  rewriter.replaceOp(alloc, buffer);
}

void placeBuffers(RewriterBase &rewriter, func::FuncOp kernel) {
  SmallVector<memref::AllocOp> allocs;
  kernel.walk([&](memref::AllocOp op) {
    if (!enclosingGrid(op))
      allocs.push_back(op);
  });
  int64_t stack = 0;
  for (memref::AllocOp alloc : allocs) {
    // An entry's, for kernels, which use the workspace themselves.
    if (llvm::any_of(alloc->getUsers(), llvm::IsaPred<func::CallOp>) ||
        eraseUnused(rewriter, alloc))
      continue;
    MemRefType type = alloc.getType();
    if (!type.hasStaticShape())
      continue;
    int64_t bytes = byteSize(type);
    rewriter.setInsertionPointToStart(&kernel.getBody().front());
    const bool onStack = stack + bytes <= kMaxStackBytes;
    stack += onStack ? bytes : 0;
    replaceAllocation(
        rewriter, alloc,
        onStack ? memref::AllocaOp::create(rewriter, alloc.getLoc(), type,
                                           rewriter.getI64IntegerAttr(64))
                      .getResult()
                : workspaceView(rewriter, alloc.getLoc(), kernel, type));
  }
}

} // namespace cornu::codegen
