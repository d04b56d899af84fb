//===- LowerParallel.cpp - Task grids to calls of the runtime -------------===//
//
//   codegen.parallel (%task, %worker) to %count if %large { body }
//
// becomes, in the kernel,
//
//   if %large && %count > 1:
//     context = {captured values}            // on the stack
//     cornu_parallel_for(@kernel_tasks_0_entry, &context, %count)
//   else:
//     for %task in 0 .. %count: @kernel_tasks_0(captured values, %task, 0)
//
// and, beside the kernel, the function @kernel_tasks_0 with the body and
// @kernel_tasks_0_entry, which unpacks the context and calls it. A memref is
// packed as its pointer and whatever of its sizes and strides is dynamic.
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
      : module(module), symbols(module), converter(module.getContext()) {}

  LogicalResult outline(ParallelOp op);

private:
  /// cornu_task of parallel.h: the entry that unpacks the context.
  LLVM::LLVMFuncOp createEntry(func::FuncOp tasks,
                               ArrayRef<ValueScalars> captures,
                               Type contextType);
  LLVM::LLVMFuncOp parallelFor(Location loc);

  ModuleOp module;
  SymbolTable symbols;
  LLVMTypeConverter converter;
};

LLVM::LLVMFuncOp Outliner::parallelFor(Location loc) {
  if (auto existing = symbols.lookup<LLVM::LLVMFuncOp>(parallelForName))
    return existing;
  OpBuilder b = OpBuilder::atBlockBegin(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {pointer, pointer, b.getI64Type()});
  auto function = LLVM::LLVMFuncOp::create(b, loc, parallelForName, type);
  symbols.insert(function);
  return function;
}

LLVM::LLVMFuncOp Outliner::createEntry(func::FuncOp tasks,
                                       ArrayRef<ValueScalars> captures,
                                       Type contextType) {
  Location loc = tasks.getLoc();
  OpBuilder b(tasks->getContext());
  b.setInsertionPointAfter(tasks);
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  auto entry = LLVM::LLVMFuncOp::create(
      b, loc, (tasks.getName() + "_entry").str(),
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(b.getContext()),
                                  {pointer, b.getI64Type(), b.getI64Type()}),
      LLVM::Linkage::Internal);
  symbols.insert(entry);
  Block *block = entry.addEntryBlock(b);
  b.setInsertionPointToStart(block);
  SmallVector<Value> arguments;
  int32_t field = 0;
  for (const ValueScalars &capture : captures) {
    SmallVector<Value> fields;
    for (Type type : capture.types()) {
      Value address = LLVM::GEPOp::create(b, loc, pointer, contextType,
                                          block->getArgument(0),
                                          ArrayRef<LLVM::GEPArg>{0, field++});
      fields.push_back(LLVM::LoadOp::create(b, loc, type, address));
    }
    arguments.push_back(capture.join(b, loc, fields));
  }
  for (unsigned i : {1, 2})
    arguments.push_back(UnrealizedConversionCastOp::create(
                            b, loc, b.getIndexType(), block->getArgument(i))
                            .getResult(0));
  func::CallOp::create(b, loc, tasks, arguments);
  LLVM::ReturnOp::create(b, loc, ValueRange{});
  return entry;
}

LogicalResult Outliner::outline(ParallelOp op) {
  Location loc = op.getLoc();
  auto kernel = op->getParentOfType<func::FuncOp>();
  if (!kernel)
    return op.emitOpError("must stand in a func.func");
  sinkConstants(op);
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getBody(), captured);
  SmallVector<ValueScalars> captures;
  for (Value value : captured) {
    if (!ValueScalars::isSupported(value.getType(), converter))
      return op.emitOpError("cannot hand a value of type ")
             << value.getType() << " to its tasks";
    captures.emplace_back(value.getType(), converter);
  }

  // The task function: the body with captured values as arguments.
  OpBuilder b(op->getContext());
  b.setInsertionPointAfter(kernel);
  SmallVector<Type> types(
      llvm::map_range(captured, [](Value value) { return value.getType(); }));
  types.append(2, b.getIndexType());
  auto tasks = func::FuncOp::create(b, loc, (kernel.getName() + "_tasks").str(),
                                    b.getFunctionType(types, {}));
  tasks.setPrivate();
  symbols.insert(tasks);
  Block *block = tasks.addEntryBlock();
  IRMapping mapping;
  mapping.map(captured.getArrayRef(), block->getArguments().drop_back(2));
  mapping.map(op.getTask(), block->getArgument(captured.size()));
  mapping.map(op.getWorker(), block->getArgument(captured.size() + 1));
  b.setInsertionPointToStart(block);
  for (Operation &inner : *op.getBodyBlock())
    b.clone(inner, mapping);
  func::ReturnOp::create(b, loc);

  // A grid of one task needs no grid.
  b.setInsertionPoint(op);
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  SmallVector<Value> arguments = captured.takeVector();
  auto serial = [&](OpBuilder &b, Location loc) {
    scf::ForOp::create(b, loc, zero, op.getCount(), one, ValueRange{},
                       [&](OpBuilder &b, Location loc, Value task, ValueRange) {
                         SmallVector<Value> all(arguments);
                         all.append({task, zero});
                         func::CallOp::create(b, loc, tasks, all);
                         scf::YieldOp::create(b, loc);
                       });
  };
  if (matchPattern(op.getCount(), m_One())) {
    serial(b, loc);
    op.erase();
    return success();
  }

  SmallVector<Type> fieldTypes;
  for (const ValueScalars &capture : captures)
    llvm::append_range(fieldTypes, capture.types());
  Type contextType =
      LLVM::LLVMStructType::getLiteral(b.getContext(), fieldTypes);
  LLVM::LLVMFuncOp entry = createEntry(tasks, captures, contextType);
  LLVM::LLVMFuncOp runtime = parallelFor(loc);

  // One context per grid, in the kernel's frame: the grid may be in a loop.
  Type pointer = LLVM::LLVMPointerType::get(b.getContext());
  Value context;
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&kernel.getBody().front());
    Value size = LLVM::ConstantOp::create(b, loc, b.getI64Type(),
                                          b.getI64IntegerAttr(1));
    context = LLVM::AllocaOp::create(b, loc, pointer, contextType, size);
  }
  Value large = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt,
                                      op.getCount(), one);
  if (op.getCondition())
    large = arith::AndIOp::create(b, loc, large, op.getCondition());
  scf::IfOp::create(
      b, loc, large,
      [&](OpBuilder &b, Location loc) {
        int32_t field = 0;
        for (auto [capture, value] : llvm::zip_equal(captures, arguments))
          for (Value part : capture.take(b, loc, value)) {
            Value address =
                LLVM::GEPOp::create(b, loc, pointer, contextType, context,
                                    ArrayRef<LLVM::GEPArg>{0, field++});
            LLVM::StoreOp::create(b, loc, part, address);
          }
        Value count = UnrealizedConversionCastOp::create(b, loc, b.getI64Type(),
                                                         op.getCount())
                          .getResult(0);
        Value function =
            LLVM::AddressOfOp::create(b, loc, pointer, entry.getName());
        LLVM::CallOp::create(b, loc, runtime,
                             ValueRange{function, context, count});
        scf::YieldOp::create(b, loc);
      },
      [&](OpBuilder &b, Location loc) {
        serial(b, loc);
        scf::YieldOp::create(b, loc);
      });
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
