//===- Object.cpp - LLVM dialect to machine code --------------------------===//

#include "codegen/emit/Object.h"
#include "codegen/emit/ModelDescriptor.h"
#include "codegen/emit/Partition.h"
#include "codegen/target/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Analysis/TargetLibraryInfo.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/OptBisect.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Target/TargetMachine.h"
#include <atomic>

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
      // In units of 128 bits.
      if (target.usesSve())
        function.addFnAttr(llvm::Attribute::getWithVScaleRangeArgs(
            module.getContext(), target.vectorBits / 128,
            target.vectorBits / 128));
    }
    // A kernel has one caller, into which LLVM would inline it however large:
    // the entries would become functions of 10^5 instructions, and its
    // superlinear passes slow. What several entries share is worth a call.
    if (function.hasLocalLinkage() &&
        (!function.hasOneUse() || function.getInstructionCount() > 150))
      function.addFnAttr(llvm::Attribute::NoInline);
  }
}

/// The passes that kernels gain from, in the order of LLVM's own pipelines.
/// Kernels come vectorized, unrolled and outlined: passes that look for such
/// work would take a sixth of the time, in vain. Those that rewrite induction
/// variables or look for memset and memcpy took another tenth.
constexpr llvm::StringLiteral kernelPasses =
    "function(early-cse),"
    "cgscc(inline),"
    "globaldce,"
    "function(sroa,simplifycfg,early-cse<memssa>,"
    "instcombine<no-verify-fixpoint>,"
    "loop-mssa(licm,loop-rotate,licm,simple-loop-unswitch),"
    "simplifycfg,instcombine<no-verify-fixpoint>,"
    "early-cse<memssa>,instcombine<no-verify-fixpoint>,"
    "dse,loop-mssa(licm),simplifycfg)";

} // namespace

void optimize(llvm::Module &module, llvm::TargetMachine &machine,
              unsigned level) {
  llvm::PassBuilder builder(&machine);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  llvm::ModulePassManager passes;
  if (level == 0)
    passes = builder.buildO0DefaultPipeline(llvm::OptimizationLevel::O0);
  else
    llvm::cantFail(builder.parsePassPipeline(passes, kernelPasses));
  passes.run(module, modules);
}

/// Translates the module to LLVM IR for its `codegen.target`, not yet
/// optimized; null after a diagnostic.
static std::unique_ptr<llvm::Module>
translateToLLVMIR(ModuleOp module, const Target &target,
                  const llvm::TargetMachine &machine,
                  llvm::LLVMContext &context) {
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, "model");
  if (!llvmModule)
    return nullptr;
  llvmModule->setTargetTriple(target.triple);
  llvmModule->setDataLayout(machine.createDataLayout());
  llvmModule->setPICLevel(llvm::PICLevel::BigPIC);
  setFunctionAttributes(*llvmModule, target);
  return llvmModule;
}

/// Loop strength reduction takes a fifth of LLVM's time, and finds nothing in
/// loops whose addresses the schedule has laid out already: x86 adds an index,
/// a scaled one and a constant in each access. LLVM knows of no other way to
/// leave it out; -mllvm -disable-lsr=false has the last word.
static void leaveOutStrengthReduction(const Target &target) {
  auto &known = llvm::cl::getRegisteredOptions();
  auto option = known.find("disable-lsr");
  if (option == known.end() || option->second->getNumOccurrences() > 0)
    return;
  static_cast<llvm::cl::opt<bool> *>(option->second)->setValue(target.isX86());
}

/// True if a loop carries the sums of a register tile: eight vectors, each by a
/// multiply-add. The nests of other kernels carry fewer, or by additions.
static bool hasRegisterTile(const llvm::Function &function) {
  auto isSum = [](const llvm::PHINode &phi) {
    return phi.getType()->isVectorTy() &&
           llvm::any_of(phi.incoming_values(), [](const llvm::Value *value) {
             auto *call = dyn_cast<llvm::IntrinsicInst>(value);
             return call && llvm::is_contained({llvm::Intrinsic::fma,
                                                llvm::Intrinsic::fmuladd},
                                               call->getIntrinsicID());
           });
  };
  return llvm::any_of(function, [&](const llvm::BasicBlock &block) {
    return llvm::count_if(block.phis(), isSum) >= 8;
  });
}

namespace {
/// Leaves LLVM's hoisting of machine instructions out of functions with a
/// register tile. It hoists the coefficients of an epilogue's functions out of
/// all loops, and so past the one that sums up: there they are live in the
/// registers that the tile needs for its sums. x86 reads coefficients as
/// operands in memory and does not suffer; on AArch64 each has to be loaded,
/// and where the epilogue uses it is as good a place: the loop over a tile's
/// rows takes as long, by llvm-mca. What else is invariant, LLVM's IR passes
/// have hoisted.
///
/// LLVM has no other way to leave out a pass function by function.
class HoistingGate : public llvm::OptPassGate {
public:
  bool isEnabled() const override { return !withTile.empty(); }
  bool shouldRunPass(llvm::StringRef pass,
                     llvm::StringRef unit) const override {
    return pass != "early-machinelicm" || !withTile.contains(unit);
  }
  /// For the functions of an optimized module. -mllvm -opt-bisect-limit has
  /// the last word.
  void install(llvm::Module &module) {
    for (const llvm::Function &function : module)
      if (hasRegisterTile(function))
        withTile.insert(("function (" + function.getName() + ")").str());
    if (!module.getContext().getOptPassGate().isEnabled())
      module.getContext().setOptPassGate(*this);
  }

private:
  llvm::StringSet<> withTile;
};
} // namespace

/// Compiles one module; false if the target has no such file.
static bool compile(llvm::Module &module, llvm::TargetMachine &machine,
                    const MachineCodeOptions &options, MachineCode &output) {
  llvm::raw_svector_ostream stream(output);
  llvm::legacy::PassManager passes;
  passes.add(new llvm::TargetLibraryInfoWrapperPass(
      llvm::TargetLibraryInfoImpl(module.getTargetTriple())));
  auto type = options.assembly ? llvm::CodeGenFileType::AssemblyFile
                               : llvm::CodeGenFileType::ObjectFile;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, type))
    return false;
  passes.run(module);
  return true;
}

/// Translates, optimizes and compiles one module, in a context of its own:
/// those of LLVM are not thread safe.
static LogicalResult emit(ModuleOp module, const Target &target,
                          const MachineCodeOptions &options,
                          MachineCode &output) {
  auto machine = target.createMachine(options.optimizationLevel);
  if (!machine)
    return module.emitError("no code generator for ") << target.triple.str();
  HoistingGate gate; // outlives the context
  llvm::LLVMContext context;
  auto llvmModule = translateToLLVMIR(module, target, *machine, context);
  if (!llvmModule)
    return failure();
  optimize(*llvmModule, *machine, options.optimizationLevel);
  if (target.isAArch64())
    gate.install(*llvmModule);
  if (!compile(*llvmModule, *machine, options, output))
    return module.emitError("the target has no such file type");
  return success();
}

LogicalResult emitMachineCode(ModuleOp module,
                              const MachineCodeOptions &options,
                              std::vector<MachineCode> &outputs) {
  Target target = Target::of(module);
  leaveOutStrengthReduction(target);
  registerBuiltinDialectTranslation(*module.getContext());
  registerLLVMDialectTranslation(*module.getContext());
  std::string prefix = "cornu";
  if (auto model = module->getAttrOfType<DictionaryAttr>(modelAttrName))
    if (auto name = model.getAs<StringAttr>("name"))
      prefix = name.str();
  auto parts = partition(module, options.assembly ? 1 : options.parts, prefix);
  outputs.resize(std::max<size_t>(parts.size(), 1));
  if (parts.empty())
    return emit(module, target, options, outputs.front());
  std::atomic<bool> ok = true;
  llvm::DefaultThreadPool pool(llvm::hardware_concurrency(parts.size()));
  for (auto [part, output] : llvm::zip_equal(parts, outputs))
    pool.async([&, part = *part, &output = output] {
      if (failed(emit(part, target, options, output)))
        ok = false;
    });
  pool.wait();
  return success(ok);
}

} // namespace cornu::codegen
