//===- Jit.cpp - Runs scheduled kernels inside a test ---------------------===//
//
// Upstream lowering to the LLVM dialect, the passes of programs and LLJIT:
//
//   codegen.parallel (%task, %worker) to %count  ->  scf.for %task, worker = 0
//
//===----------------------------------------------------------------------===//

#include "test/unit/codegen/Jit.h"

#include "codegen/IR/Codegen.h"
#include "codegen/emit/Object.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/Utils/Cloning.h"

using namespace mlir;
using namespace cornu;

namespace cornu::test {

/// Bytes that a kernel may use in a test; its contents are garbage on purpose.
static constexpr size_t kWorkspaceBytes = size_t(64) << 20;

/// The grid as a loop on one worker, and the workspace as that worker's own.
static void runGridsSerially(ModuleOp module) {
  SmallVector<codegen::ParallelOp> grids;
  module.walk([&](codegen::ParallelOp op) { grids.push_back(op); });
  for (codegen::ParallelOp grid : grids) {
    OpBuilder builder(grid);
    Location loc = grid.getLoc();
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    auto loop = scf::ForOp::create(builder, loc, zero, grid.getCount(), one);
    grid.getTask().replaceAllUsesWith(loop.getInductionVar());
    grid.getWorker().replaceAllUsesWith(zero);
    Block *body = loop.getBody();
    body->getOperations().splice(body->getTerminator()->getIterator(),
                                 grid.getBodyBlock()->getOperations());
    grid.erase();
  }
  SmallVector<Operation *> workspaces;
  module.walk([&](Operation *op) {
    if (isa<codegen::WorkerWorkspaceOp, codegen::KernelWorkspaceOp>(op))
      workspaces.push_back(op);
  });
  for (Operation *op : workspaces) {
    auto function = op->getParentOfType<func::FuncOp>();
    Value bytes = function.getArguments().back();
    if (isa<codegen::WorkerWorkspaceOp>(op)) {
      OpBuilder builder(op);
      int64_t shared = codegen::sharedWorkspaceBytes(function);
      int64_t own = codegen::workspaceBytes(function);
      Value start =
          arith::ConstantIndexOp::create(builder, op->getLoc(), shared);
      Value size = arith::ConstantIndexOp::create(builder, op->getLoc(), own);
      bytes = memref::ViewOp::create(builder, op->getLoc(),
                                     cast<MemRefType>(bytes.getType()), bytes,
                                     start, size);
    }
    op->getResult(0).replaceAllUsesWith(bytes);
    op->erase();
  }
}

static LogicalResult lowerToLLVM(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isExternal())
      continue;
    function.setPublic();
    function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                      UnitAttr::get(module.getContext()));
  }
  PassManager manager(module.getContext());
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
  manager.addPass(createLoopInvariantCodeMotionPass());
  manager.addPass(memref::createExpandStridedMetadataPass());
  manager.addPass(createLowerAffinePass());
  manager.addPass(createConvertVectorToSCFPass());
  manager.addPass(createConvertVectorToLLVMPass());
  manager.addPass(createSCFToControlFlowPass());
  manager.addPass(createConvertMathToLLVMPass());
  manager.addPass(createConvertMathToLibmPass());
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createArithToLLVMConversionPass());
  manager.addPass(createFinalizeMemRefToLLVMConversionPass());
  manager.addPass(createConvertIndexToLLVMPass());
  manager.addPass(createUBToLLVMConversionPass());
  manager.addPass(createConvertFuncToLLVMPass());
  manager.addPass(createReconcileUnrealizedCastsPass());
  manager.addPass(createCSEPass());
  return manager.run(module);
}

static bool dumpAssembly(llvm::Module &module, llvm::TargetMachine &machine,
                         StringRef file) {
  std::error_code error;
  llvm::raw_fd_ostream out(file, error);
  llvm::legacy::PassManager manager;
  if (error || machine.addPassesToEmitFile(manager, out, nullptr,
                                           llvm::CodeGenFileType::AssemblyFile))
    return false;
  std::unique_ptr<llvm::Module> copy = llvm::CloneModule(module);
  manager.run(*copy);
  return true;
}

template <typename T> static bool check(llvm::Expected<T> &value) {
  if (value)
    return true;
  llvm::logAllUnhandledErrors(value.takeError(), llvm::errs(), "jit: ");
  return false;
}

Jit::Jit() : workspace(kWorkspaceBytes + 64, char(0x7f)) {
  int64_t base = reinterpret_cast<int64_t>(workspace.data());
  base = (base + 63) / 64 * 64;
  workspaceDescriptor = {base, base, 0, int64_t(kWorkspaceBytes), 1};
}

Jit::~Jit() = default;

std::unique_ptr<Jit> Jit::compile(ModuleOp module, const Options &options) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  std::unique_ptr<Jit> jit(new Jit());
  for (auto function : module.getOps<func::FuncOp>()) {
    auto types = function.getArgumentTypes();
    auto last =
        types.empty() ? MemRefType() : dyn_cast<MemRefType>(types.back());
    bool takesWorkspace =
        last && last.getElementType().isInteger(8) && last.getRank() == 1;
    if (codegen::workspaceBytes(function) +
            codegen::sharedWorkspaceBytes(function) >
        int64_t(kWorkspaceBytes)) {
      llvm::errs() << "jit: kernel needs too large a workspace\n";
      return nullptr;
    }
    jit->kernels.push_back(
        {function.getName().str(), {nullptr, takesWorkspace}});
  }
  runGridsSerially(module);
  if (failed(lowerToLLVM(module)))
    return nullptr;
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());

  auto context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, *context);
  if (!llvmModule)
    return nullptr;
  auto host = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!check(host))
    return nullptr;
  if (!options.cpu.empty()) {
    host->setCPU(options.cpu);
    host->getFeatures() = llvm::SubtargetFeatures();
  }
  host->setCodeGenOptLevel(options.level == 0
                               ? llvm::CodeGenOptLevel::None
                               : llvm::CodeGenOptLevel::Aggressive);
  auto machine = host->createTargetMachine();
  if (!check(machine))
    return nullptr;
  llvmModule->setDataLayout((*machine)->createDataLayout());
  llvmModule->setTargetTriple((*machine)->getTargetTriple());
  codegen::optimize(*llvmModule, **machine, options.level);
  if (!options.dumpAsm.empty() &&
      !dumpAssembly(*llvmModule, **machine, options.dumpAsm))
    return nullptr;

  auto engine = llvm::orc::LLJITBuilder()
                    .setJITTargetMachineBuilder(std::move(*host))
                    .create();
  if (!check(engine))
    return nullptr;
  jit->engine = std::move(*engine);
  if (llvm::Error error = jit->engine->addIRModule(llvm::orc::ThreadSafeModule(
          std::move(llvmModule), std::move(context)))) {
    llvm::logAllUnhandledErrors(std::move(error), llvm::errs(), "jit: ");
    return nullptr;
  }
  return jit;
}

Jit::Kernel *Jit::lookup(StringRef name) {
  for (auto &[known, kernel] : kernels) {
    if (known != name)
      continue;
    if (!kernel.function) {
      auto address = engine->lookup(("_mlir_ciface_" + name).str());
      if (!check(address))
        return nullptr;
      kernel.function = address->toPtr<void *>();
    }
    return &kernel;
  }
  return nullptr;
}

template <typename... Args>
static void callWith(void *function, void **pointers, Args... args) {
  if constexpr (sizeof...(Args) > 16) {
    (void)function;
  } else {
    if (!*pointers) {
      reinterpret_cast<void (*)(Args...)>(function)(args...);
      return;
    }
    callWith(function, pointers + 1, args..., *pointers);
  }
}

bool Jit::call(StringRef name, ArrayRef<ArrayBase *> arguments) {
  Kernel *kernel = lookup(name);
  if (!kernel || arguments.size() > 15)
    return false;
  std::vector<void *> pointers;
  for (ArrayBase *argument : arguments)
    pointers.push_back(argument->descriptor.data());
  if (kernel->workspace)
    pointers.push_back(workspaceDescriptor.data());
  pointers.push_back(nullptr);
  callWith(kernel->function, pointers.data());
  return true;
}

std::string with(std::string text,
                 std::vector<std::pair<std::string, std::string>> values) {
  for (auto &[name, value] : values)
    for (size_t at; (at = text.find(name)) != std::string::npos;)
      text.replace(at, name.size(), value);
  return text;
}

} // namespace cornu::test
