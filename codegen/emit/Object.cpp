//===- Object.cpp - LLVM dialect to machine code --------------------------===//

#include "codegen/emit/Object.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// What holds for every function of a model: the target's instructions, and
/// no unwinding.
void setFunctionAttributes(llvm::Module &module, const Target &target) {
  for (llvm::Function &function : module) {
    function.setDoesNotThrow();
    if (function.isDeclaration())
      continue;
    if (!function.hasFnAttribute("target-cpu")) {
      function.addFnAttr("target-cpu", target.cpu);
      if (!target.features.empty())
        function.addFnAttr("target-features", target.features);
      // LLVM prefers 256 bits on CPUs whose strategy here is 512.
      function.addFnAttr("prefer-vector-width",
                         std::to_string(target.vectorBits));
    }
    // A kernel has one caller, into which LLVM would inline it however large:
    // the entries would become functions of 10^5 instructions, and its
    // superlinear passes slow.
    if (function.hasLocalLinkage() && function.getInstructionCount() > 150)
      function.addFnAttr(llvm::Attribute::NoInline);
  }
}

void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned level) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = level >= 2;
  tuning.SLPVectorization = level >= 2;
  // Kernels are unrolled as the schedule wants them.
  tuning.LoopUnrolling = level >= 2;
  llvm::PassBuilder builder(&machine, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::OptimizationLevel levels[] = {
      llvm::OptimizationLevel::O0, llvm::OptimizationLevel::O1,
      llvm::OptimizationLevel::O2, llvm::OptimizationLevel::O3};
  llvm::ModulePassManager passes =
      level == 0 ? builder.buildO0DefaultPipeline(levels[0])
                 : builder.buildPerModuleDefaultPipeline(levels[level]);
  passes.run(module, modules);
}

} // namespace

std::unique_ptr<llvm::Module>
translateToLLVMIR(ModuleOp module, llvm::LLVMContext &context,
                  const MachineCodeOptions &options) {
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  Target target = Target::of(module);
  auto machine = target.createMachine(options.optimizationLevel);
  if (!machine) {
    module.emitError("no code generator for ") << target.triple.str();
    return nullptr;
  }
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, "model");
  if (!llvmModule)
    return nullptr;
  llvmModule->setTargetTriple(target.triple);
  llvmModule->setDataLayout(machine->createDataLayout());
  llvmModule->setPICLevel(llvm::PICLevel::BigPIC);
  setFunctionAttributes(*llvmModule, target);
  optimize(*llvmModule, *machine, options.optimizationLevel);
  return llvmModule;
}

LogicalResult emitMachineCode(ModuleOp module,
                              const MachineCodeOptions &options,
                              llvm::SmallVectorImpl<char> &output) {
  llvm::LLVMContext context;
  auto llvmModule = translateToLLVMIR(module, context, options);
  if (!llvmModule)
    return failure();
  auto machine =
      Target::of(module).createMachine(options.optimizationLevel);
  llvm::raw_svector_ostream stream(output);
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(
      llvm::TargetLibraryInfoImpl(llvmModule->getTargetTriple())));
  auto type = options.assembly ? llvm::CodeGenFileType::AssemblyFile
                               : llvm::CodeGenFileType::ObjectFile;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type)) {
    module.emitError("the target has no such file type");
    return failure();
  }
  passes.run(*llvmModule);
  return success();
}

} // namespace cornu::codegen
