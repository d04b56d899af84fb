//===- LowerParallel.cpp - Task grids to calls of the runtime -------------===//
//
//   codegen.parallel (%task, %worker) to %count if %large { body }
//
// becomes, in the kernel,
//
//   context = {captured values}              // on the stack
//   cornu_run_grid(@kernel_tasks, &context, %count, %large)
//
// and, beside the kernel, the function @kernel_tasks, which unpacks the
// context and runs the body. cornu_run_grid calls cornu_parallel_for if %large
// and there are several tasks, else the tasks in turn. A memref is packed as
// its pointer and whatever of its sizes and strides is dynamic.
//
//===----------------------------------------------------------------------===//

#include "codegen/IR/Codegen.h"
#include "codegen/emit/Passes.h"
#include "codegen/emit/Scalars.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

constexpr llvm::StringLiteral parallelForName = "cornu_parallel_for";
constexpr llvm::StringLiteral runGridName = "cornu_run_grid";

/// Copies the constants that the body uses into it, so that they stay
/// constants in the task function.
void sinkConstants(ParallelOp op) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getBody(), captured);
  OpBuilder b = OpBuilder::atBlockBegin(op.getBodyBlock());
  for (Value value : captured) {
    Operation *def = value.getDefiningOp();
    if (!def || !def->hasTrait<OpTrait::ConstantLike>())
      continue;
    Value copy = b.clone(*def)->getResult(0);
    replaceAllUsesInRegionWith(value, copy, op.getBody());
  }
}

class Outliner {
public:
  Outliner(ModuleOp module)
      : module(module), symbols(module), converter(module.getContext()),
        b(module.getContext()), pointer(LLVM::LLVMPointerType::get(&context())),
        i64(b.getI64Type()) {}

  LogicalResult outline(ParallelOp op);

private:
  MLIRContext &context() { return *module.getContext(); }
  /// cornu_task of parallel.h, with the body of `op`.
  func::FuncOp createTasks(ParallelOp op, ValueRange captured,
                           ArrayRef<ValueScalars> captures, Type contextType);
  LLVM::LLVMFuncOp runGrid();
  LLVM::LLVMFuncOp declare(StringRef name, ArrayRef<Type> arguments);

  ModuleOp module;
  SymbolTable symbols;
  LLVMTypeConverter converter;
  OpBuilder b;
  Type pointer, i64;
};

LLVM::LLVMFuncOp Outliner::declare(StringRef name, ArrayRef<Type> arguments) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(module.getBody());
  auto function = LLVM::LLVMFuncOp::create(
      b, module.getLoc(), name,
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(&context()),
                                  arguments));
  symbols.insert(function);
  return function;
}

/// The function that all grids go through: a pool's workers are woken up if
/// that pays off.
LLVM::LLVMFuncOp Outliner::runGrid() {
  if (auto existing = symbols.lookup<LLVM::LLVMFuncOp>(runGridName))
    return existing;
  auto parallelFor = symbols.lookup<LLVM::LLVMFuncOp>(parallelForName);
  if (!parallelFor)
    parallelFor = declare(parallelForName, {pointer, pointer, i64});
  LLVM::LLVMFuncOp function =
      declare(runGridName, {pointer, pointer, i64, b.getI1Type()});
  function.setLinkage(LLVM::Linkage::Internal);
  Location loc = function.getLoc();
  OpBuilder::InsertionGuard guard(b);
  Block *block = function.addEntryBlock(b);
  b.setInsertionPointToStart(block);
  Value tasks = block->getArgument(0), captured = block->getArgument(1);
  Value count = block->getArgument(2);
  Value zero = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(0));
  Value one = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(1));
  Value several =
      LLVM::ICmpOp::create(b, loc, LLVM::ICmpPredicate::sgt, count, one);
  Value large = LLVM::AndOp::create(b, loc, several, block->getArgument(3));
  scf::IfOp::create(
      b, loc, large,
      [&](OpBuilder &b, Location loc) {
        LLVM::CallOp::create(b, loc, parallelFor,
                             ValueRange{tasks, captured, count});
        scf::YieldOp::create(b, loc);
      },
      [&](OpBuilder &b, Location loc) {
        auto type = LLVM::LLVMFunctionType::get(
            LLVM::LLVMVoidType::get(b.getContext()), {pointer, i64, i64});
        scf::ForOp::create(
            b, loc, zero, count, one, ValueRange{},
            [&](OpBuilder &b, Location loc, Value task, ValueRange) {
              LLVM::CallOp::create(b, loc, type,
                                   ValueRange{tasks, captured, task, zero});
              scf::YieldOp::create(b, loc);
            });
        scf::YieldOp::create(b, loc);
      });
  LLVM::ReturnOp::create(b, loc, ValueRange{});
  return function;
}

func::FuncOp Outliner::createTasks(ParallelOp op, ValueRange captured,
                                   ArrayRef<ValueScalars> captures,
                                   Type contextType) {
  Location loc = op.getLoc();
  auto kernel = op->getParentOfType<func::FuncOp>();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointAfter(kernel);
  auto tasks = func::FuncOp::create(b, loc, (kernel.getName() + "_tasks").str(),
                                    b.getFunctionType({pointer, i64, i64}, {}));
  tasks.setPrivate();
  symbols.insert(tasks);
  Block *block = tasks.addEntryBlock();
  b.setInsertionPointToStart(block);
  IRMapping mapping;
  int32_t field = 0;
  for (auto [value, capture] : llvm::zip_equal(captured, captures)) {
    SmallVector<Value> scalars;
    for (Type type : capture.types()) {
      Value address = LLVM::GEPOp::create(b, loc, pointer, contextType,
                                          block->getArgument(0),
                                          ArrayRef<LLVM::GEPArg>{0, field++});
      scalars.push_back(LLVM::LoadOp::create(b, loc, type, address));
    }
    mapping.map(value, capture.join(b, loc, scalars));
  }
  for (auto [i, value] : {std::pair(1, op.getTask()), {2, op.getWorker()}})
    mapping.map(value, UnrealizedConversionCastOp::create(
                           b, loc, b.getIndexType(), block->getArgument(i))
                           .getResult(0));
  for (Operation &inner : *op.getBodyBlock())
    b.clone(inner, mapping);
  func::ReturnOp::create(b, loc);
  return tasks;
}

LogicalResult Outliner::outline(ParallelOp op) {
  Location loc = op.getLoc();
  auto kernel = op->getParentOfType<func::FuncOp>();
  if (!kernel)
    return op.emitOpError("must stand in a func.func");
  // A grid of one task needs no grid.
  b.setInsertionPoint(op);
  if (matchPattern(op.getCount(), m_One())) {
    Value zero = arith::ConstantIndexOp::create(b, loc, 0);
    op.getTask().replaceAllUsesWith(zero);
    op.getWorker().replaceAllUsesWith(zero);
    // What stood in the task's frame: the grid may be in a loop.
    op->walk([&](memref::AllocaOp buffer) {
      assert(buffer->getNumOperands() == 0 && "a task's frame is static");
      buffer->moveBefore(&kernel.getBody().front().front());
    });
    op->getBlock()->getOperations().splice(op->getIterator(),
                                           op.getBodyBlock()->getOperations());
    op.erase();
    return success();
  }
  sinkConstants(op);
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getBody(), captured);
  SmallVector<ValueScalars> captures;
  SmallVector<Type> fieldTypes;
  for (Value value : captured) {
    if (!ValueScalars::isSupported(value.getType(), converter))
      return op.emitOpError("cannot hand a value of type ")
             << value.getType() << " to its tasks";
    captures.emplace_back(value.getType(), converter);
    llvm::append_range(fieldTypes, captures.back().types());
  }
  Type contextType = LLVM::LLVMStructType::getLiteral(&context(), fieldTypes);
  func::FuncOp tasks =
      createTasks(op, captured.getArrayRef(), captures, contextType);

  // One context per grid, in the kernel's frame: the grid may be in a loop.
  b.setInsertionPointToStart(&kernel.getBody().front());
  Value one = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(1));
  Value frame = LLVM::AllocaOp::create(b, loc, pointer, contextType, one);
  b.setInsertionPoint(op);
  int32_t field = 0;
  for (auto [value, capture] : llvm::zip_equal(captured, captures))
    for (Value scalar : capture.take(b, loc, value)) {
      Value address = LLVM::GEPOp::create(b, loc, pointer, contextType, frame,
                                          ArrayRef<LLVM::GEPArg>{0, field++});
      LLVM::StoreOp::create(b, loc, scalar, address);
    }
  Value count = UnrealizedConversionCastOp::create(b, loc, i64, op.getCount())
                    .getResult(0);
  Value large = op.getCondition();
  if (!large)
    large = LLVM::ConstantOp::create(b, loc, b.getBoolAttr(true));
  Value function = func::ConstantOp::create(b, loc, tasks.getFunctionType(),
                                            tasks.getName());
  function = UnrealizedConversionCastOp::create(b, loc, pointer, function)
                 .getResult(0);
  LLVM::CallOp::create(b, loc, runGrid(),
                       ValueRange{function, frame, count, large});
  op.erase();
  return success();
}

/// Replaces the workspace ops by parts of the kernel's last argument.
LogicalResult lowerWorkspace(ModuleOp module) {
  int64_t bytes = 0, shared = 0;
  module.walk([&](func::FuncOp kernel) {
    bytes = std::max(bytes, workspaceBytes(kernel));
    shared = std::max(shared, sharedWorkspaceBytes(kernel));
  });
  Builder builder(module.getContext());
  if (bytes > 0)
    module->setAttr(CodegenDialect::kWorkspaceAttr,
                    builder.getI64IntegerAttr(bytes));
  if (shared > 0)
    module->setAttr(CodegenDialect::kSharedWorkspaceAttr,
                    builder.getI64IntegerAttr(shared));

  auto workspaceOf = [](Operation *op) -> Value {
    auto kernel = op->getParentOfType<func::FuncOp>();
    if (!kernel || kernel.getNumArguments() == 0)
      return {};
    Value last = kernel.getArguments().back();
    auto type = dyn_cast<MemRefType>(last.getType());
    return type && type.getElementType().isInteger(8) ? last : Value();
  };
  WalkResult result = module.walk([&](Operation *op) -> WalkResult {
    if (!isa<WorkerWorkspaceOp, KernelWorkspaceOp>(op))
      return WalkResult::advance();
    Value workspace = workspaceOf(op);
    if (!workspace)
      return op->emitOpError("needs the workspace, a memref<?xi8>, as the "
                             "kernel's last argument");
    OpBuilder b(op);
    Location loc = op->getLoc();
    auto type = cast<MemRefType>(op->getResult(0).getType());
    auto worker = dyn_cast<WorkerWorkspaceOp>(op);
    Value size =
        arith::ConstantIndexOp::create(b, loc, worker ? bytes : shared);
    Value offset = arith::ConstantIndexOp::create(b, loc, worker ? shared : 0);
    if (worker) {
      Value own = arith::MulIOp::create(b, loc, worker.getWorker(), size);
      offset =
          shared ? arith::AddIOp::create(b, loc, own, offset).getResult() : own;
    }
    SmallVector<Value> sizes;
    if (!type.hasStaticShape())
      sizes.push_back(size);
    op->getResult(0).replaceAllUsesWith(
        memref::ViewOp::create(b, loc, type, workspace, offset, sizes));
    op->erase();
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

struct LowerParallel : PassWrapper<LowerParallel, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(LowerParallel)
  llvm::StringRef getArgument() const override {
    return "codegen-lower-parallel";
  }
  llvm::StringRef getDescription() const override {
    return "Outline task grids and call cornu_parallel_for";
  }
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<LLVM::LLVMDialect, scf::SCFDialect, arith::ArithDialect,
                    memref::MemRefDialect>();
  }
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (failed(lowerWorkspace(module)))
      return signalPassFailure();
    SmallVector<ParallelOp> grids;
    module.walk([&](ParallelOp op) { grids.push_back(op); });
    Outliner outliner(module);
    for (ParallelOp op : grids)
      if (failed(outliner.outline(op)))
        return signalPassFailure();
  }
};

} // namespace

std::unique_ptr<Pass> createLowerParallelPass() {
  return std::make_unique<LowerParallel>();
}

} // namespace cornu::codegen
