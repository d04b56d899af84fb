//===- Target.cpp - Facts about the machine that code is made for ---------===//

#include "codegen/target/Target.h"
#include "codegen/target/Caches.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/TargetParser/Host.h"
#include <mutex>

using namespace mlir;

namespace cornu::codegen {

namespace {

constexpr llvm::StringLiteral targetAttrName = "codegen.target";
constexpr llvm::StringLiteral defaultTriple = "x86_64-unknown-linux-gnu";
constexpr llvm::StringLiteral defaultCpu = "x86-64-v3";

/// LLVM's back ends of the architectures that Cornu makes code for.
void initializeBackends() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
    LLVMInitializeAArch64AsmParser();
  });
}

const llvm::Target *lookupBackend(const llvm::Triple &triple,
                                  std::string &error) {
  initializeBackends();
  return llvm::TargetRegistry::lookupTarget(triple, error);
}

std::unique_ptr<llvm::MCSubtargetInfo>
createSubtarget(const llvm::Triple &triple, llvm::StringRef cpu,
                llvm::StringRef features) {
  std::string error;
  const llvm::Target *backend = lookupBackend(triple, error);
  if (!backend)
    return nullptr;
  return std::unique_ptr<llvm::MCSubtargetInfo>(
      backend->createMCSubtargetInfo(triple, cpu, features));
}

/// The features in which the host differs from what LLVM assumes of its CPU: a
/// virtual machine may hide some.
std::string hostFeatureDifferences(const llvm::Triple &triple,
                                   llvm::StringRef cpu) {
  auto subtarget = createSubtarget(triple, cpu, "");
  if (!subtarget)
    return "";
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  std::vector<std::string> differences;
  for (const auto &known : subtarget->getAllProcessorFeatures()) {
    auto it = host.find(known.Key);
    if (it == host.end())
      continue;
    bool assumed = subtarget->checkFeatures(std::string("+") + known.Key);
    if (assumed != it->second)
      differences.push_back((it->second ? "+" : "-") + std::string(known.Key));
  }
  return llvm::join(differences, ",");
}

bool isHost(const llvm::Triple &triple) {
  llvm::Triple host(llvm::sys::getProcessTriple());
  return host.getArch() == triple.getArch() && host.getOS() == triple.getOS();
}

/// The length of SVE's vectors on the CPU. Its name is all there is to go by: a
/// program asks the machine before it uses them (CpuCheck).
unsigned sveBits(llvm::StringRef cpu) {
  return llvm::StringSwitch<unsigned>(cpu)
      .Case("a64fx", 512)
      .Cases({"neoverse-v1", "neoverse-512tvb"}, 256)
      .Default(128);
}

/// Derives the facts from triple, cpu and features.
void deriveFacts(Target &target, const llvm::MCSubtargetInfo &subtarget) {
  auto has = [&](llvm::StringRef feature) {
    return subtarget.checkFeatures(("+" + feature).str());
  };
  if (target.isX86()) {
    // LLVM prefers 256 bits on Intel's servers, for code that touches a wide
    // register now and then and pays with the clock. Here the loops that count
    // are multiply-adds, and those run up to twice as fast; who knows better
    // says `--mattr=+prefer-256-bit`.
    bool avx512 = has("avx512f") && has("avx512vl");
    bool narrow = llvm::StringRef(target.features).contains("+prefer-256-bit");
    target.vectorBits = avx512 && !narrow ? 512 : has("avx") ? 256 : 128;
    target.vectorRegisters = avx512 ? 32 : 16;
    target.fma = has("fma") || has("avx512f");
  } else {
    // A machine's vectors of SVE have one length. As long as NEON's they add
    // nothing to it here.
    target.vectorBits = has("sve") ? sveBits(target.cpu) : 128;
    target.vectorRegisters = 32;
    target.fma = true;
  }
  const CpuCaches &caches = cachesOf(target.triple, target.cpu);
  target.l1Bytes = caches.l1Bytes;
  target.l2Bytes = caches.l2Bytes;
  target.l3Bytes = caches.l3Bytes;
  target.fmaPorts = caches.fmaPorts;
  target.fmaLatency = caches.fmaLatency;
}

Target makeTarget(llvm::StringRef triple, llvm::StringRef cpu,
                  llvm::StringRef features) {
  Target target;
  target.triple = llvm::Triple(llvm::Triple::normalize(triple));
  target.cpu = cpu.str();
  target.features = features.str();
  if (auto subtarget = createSubtarget(target.triple, cpu, features))
    deriveFacts(target, *subtarget);
  return target;
}

} // namespace

bool Target::has(llvm::StringRef feature) const {
  auto subtarget = createSubtarget(triple, cpu, features);
  return subtarget && subtarget->checkFeatures(("+" + feature).str());
}

std::optional<Target> Target::create(const TargetOptions &options,
                                     std::string &error) {
  std::string normalized = llvm::Triple::normalize(
      options.triple.empty() ? llvm::sys::getProcessTriple() : options.triple);
  llvm::Triple triple(normalized);
  if (triple.getArch() != llvm::Triple::x86_64 && !triple.isAArch64()) {
    error = "no code for target '" + options.triple +
            "'; use an x86_64 or aarch64 triple (see 'cornu targets')";
    return std::nullopt;
  }
  if (!lookupBackend(triple, error))
    return std::nullopt;

  bool host = isHost(triple);
  std::string cpu = options.cpu, features;
  if (cpu.empty())
    cpu = host ? "native" : triple.isX86() ? "x86-64-v3" : "generic";
  bool native = cpu == "native";
  if (native) {
    if (!host) {
      error = "--mcpu=native needs a target of this machine's architecture; "
              "name the CPU (see 'cornu targets')";
      return std::nullopt;
    }
    cpu = llvm::sys::getHostCPUName().str();
    features = hostFeatureDifferences(triple, cpu);
  }
  auto baseline = createSubtarget(triple, "", "");
  if (!baseline->isCPUStringValid(cpu)) {
    error = "no CPU '" + cpu + "' for target '" + triple.str() +
            "' (see 'cornu targets')";
    return std::nullopt;
  }
  llvm::SmallVector<llvm::StringRef> requested;
  llvm::StringRef(options.features).split(requested, ',', -1, false);
  for (llvm::StringRef feature : requested) {
    llvm::StringRef name = feature.ltrim("+-");
    bool known = llvm::any_of(baseline->getAllProcessorFeatures(),
                              [&](const auto &f) { return name == f.Key; });
    if (name == feature || !known) {
      error = "'" + feature.str() +
              "' is not a feature of this target; write --mattr=+avx2,-fma";
      return std::nullopt;
    }
    features += (features.empty() ? "" : ",") + feature.str();
  }

  Target target = makeTarget(normalized, cpu, features);
  if (native)
    readHostCaches(target);
  return target;
}

Target Target::of(Operation *op) {
  ModuleOp module = dyn_cast<ModuleOp>(op);
  if (!module)
    module = op->getParentOfType<ModuleOp>();
  auto facts = module ? module->getAttrOfType<DictionaryAttr>(targetAttrName)
                      : DictionaryAttr();
  if (!facts)
    return makeTarget(defaultTriple, defaultCpu, "");
  auto text = [&](llvm::StringRef key, llvm::StringRef fallback) {
    auto attr = facts.getAs<StringAttr>(key);
    return attr ? attr.getValue() : fallback;
  };
  Target target = makeTarget(text("triple", defaultTriple),
                             text("cpu", "generic"), text("features", ""));
  // Facts written out win over what the CPU's name says.
  auto number = [&](llvm::StringRef key, auto &value) {
    if (auto attr = facts.getAs<IntegerAttr>(key))
      value = attr.getInt();
  };
  number("vector_bits", target.vectorBits);
  number("vector_registers", target.vectorRegisters);
  number("fma_ports", target.fmaPorts);
  number("fma_latency", target.fmaLatency);
  number("l1_bytes", target.l1Bytes);
  number("l2_bytes", target.l2Bytes);
  number("l3_bytes", target.l3Bytes);
  number("cores", target.cores);
  if (auto attr = facts.getAs<BoolAttr>("fma"))
    target.fma = attr.getValue();
  return target;
}

void Target::attachTo(ModuleOp module) const {
  OpBuilder builder(module.getContext());
  auto number = [&](llvm::StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  };
  auto text = [&](llvm::StringRef name, llvm::StringRef value) {
    return builder.getNamedAttr(name, builder.getStringAttr(value));
  };
  module->setAttr(
      targetAttrName,
      builder.getDictionaryAttr(
          {text("triple", triple.str()), text("cpu", cpu),
           text("features", features), number("vector_bits", vectorBits),
           number("vector_registers", vectorRegisters),
           builder.getNamedAttr("fma", builder.getBoolAttr(fma)),
           number("fma_ports", fmaPorts), number("fma_latency", fmaLatency),
           number("l1_bytes", l1Bytes), number("l2_bytes", l2Bytes),
           number("l3_bytes", l3Bytes), number("cores", cores)}));
}

std::unique_ptr<llvm::TargetMachine>
Target::createMachine(unsigned optimizationLevel) const {
  std::string error;
  const llvm::Target *backend = lookupBackend(triple, error);
  if (!backend)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  // Every kernel in a section of its own, so that a linker drops the unused.
  options.FunctionSections = true;
  options.DataSections = true;
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, cpu, features, options, llvm::Reloc::PIC_, llvm::CodeModel::Small,
      *llvm::CodeGenOpt::getLevel(optimizationLevel)));
}

void printTargets(llvm::raw_ostream &os) {
  initializeBackends();
  std::string hostTriple = llvm::sys::getProcessTriple();
  os << "host: --target=" << hostTriple
     << " --mcpu=" << llvm::sys::getHostCPUName() << "\n";
  for (llvm::StringRef name : {"x86_64-linux-gnu", "aarch64-linux-gnu"}) {
    llvm::Triple triple(llvm::Triple::normalize(name));
    auto subtarget = createSubtarget(triple, "", "");
    if (!subtarget)
      continue;
    os << "\n--target=" << name << "\n  --mcpu=";
    unsigned column = 9;
    bool first = true;
    for (const auto &cpu : subtarget->getAllProcessorDescriptions()) {
      llvm::StringRef key = cpu.Key;
      // 32-bit processors and LLVM's tuning entries make no sense here.
      if (key.empty() ||
          (triple.isX86() &&
           !createSubtarget(triple, key, "")->checkFeatures("+64bit")))
        continue;
      if (!first)
        os << ",", ++column;
      if (column + key.size() > 78) {
        os << "\n         ";
        column = 9;
      }
      os << key;
      column += key.size();
      first = false;
    }
    os << "\n";
  }
}

namespace {
struct SetTarget : PassWrapper<SetTarget, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SetTarget)
  SetTarget() = default;
  SetTarget(const SetTarget &other) : PassWrapper(other) {}
  llvm::StringRef getArgument() const override { return "codegen-set-target"; }
  llvm::StringRef getDescription() const override {
    return "Attach the facts of a machine to the module as codegen.target";
  }
  void runOnOperation() override {
    std::string error;
    auto target = Target::create({triple, cpu, features}, error);
    if (!target) {
      getOperation().emitError(error);
      return signalPassFailure();
    }
    target->attachTo(getOperation());
  }
  Option<std::string> triple{*this, "triple",
                             llvm::cl::desc("Target triple, the host's if "
                                            "empty")};
  Option<std::string> cpu{*this, "cpu",
                          llvm::cl::desc("CPU, 'native' for the host's")};
  Option<std::string> features{*this, "features",
                               llvm::cl::desc("Features, as in '+avx2'")};
};
} // namespace

void registerTargetPasses() { PassRegistration<SetTarget>(); }

} // namespace cornu::codegen
