//===- CpuCheck.cpp - Is this the CPU the code was made for? --------------===//
//
// On x86 the CPU itself is asked (cpuid, xgetbv), on AArch64 the system
// (getauxval, if there is one). cpuid costs up to 70 us in a virtual machine:
// the verdict is kept in a byte.
//
//===----------------------------------------------------------------------===//

#include "codegen/emit/CpuCheck.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cornu::codegen {

namespace {

/// A feature that the back end may use, and where cpuid reports it.
struct CpuidBit {
  llvm::StringLiteral feature;
  uint32_t leaf, subleaf;
  unsigned reg; ///< 0..3: eax, ebx, ecx, edx
  unsigned bit;
};

// Intel SDM volume 2, CPUID; AMD APM volume 3, appendix E.
constexpr CpuidBit cpuidBits[] = {
    {"sse3", 1, 0, 2, 0},           {"ssse3", 1, 0, 2, 9},
    {"fma", 1, 0, 2, 12},           {"sse4.1", 1, 0, 2, 19},
    {"sse4.2", 1, 0, 2, 20},        {"movbe", 1, 0, 2, 22},
    {"popcnt", 1, 0, 2, 23},        {"avx", 1, 0, 2, 28},
    {"f16c", 1, 0, 2, 29},          {"bmi", 7, 0, 1, 3},
    {"avx2", 7, 0, 1, 5},           {"bmi2", 7, 0, 1, 8},
    {"avx512f", 7, 0, 1, 16},       {"avx512dq", 7, 0, 1, 17},
    {"avx512ifma", 7, 0, 1, 21},    {"avx512cd", 7, 0, 1, 28},
    {"avx512bw", 7, 0, 1, 30},      {"avx512vl", 7, 0, 1, 31},
    {"avx512vbmi", 7, 0, 2, 1},     {"avx512vbmi2", 7, 0, 2, 6},
    {"gfni", 7, 0, 2, 8},           {"avx512vnni", 7, 0, 2, 11},
    {"avx512bitalg", 7, 0, 2, 12},  {"avx512vpopcntdq", 7, 0, 2, 14},
    {"avx512fp16", 7, 0, 3, 23},    {"avxvnni", 7, 1, 0, 4},
    {"avx512bf16", 7, 1, 0, 5},     {"lzcnt", 0x80000001, 0, 2, 5},
    {"sse4a", 0x80000001, 0, 2, 6}, {"fma4", 0x80000001, 0, 2, 16},
};

/// A feature and the bit of getauxval's answer; Linux,
/// arch/arm64/include/uapi/asm/hwcap.h.
struct HwcapBit {
  llvm::StringLiteral feature;
  unsigned word; ///< AT_HWCAP (16) or AT_HWCAP2 (26)
  unsigned bit;
};
constexpr HwcapBit hwcapBits[] = {
    {"fullfp16", 16, 10}, {"dotprod", 16, 20}, {"sve", 16, 22},
    {"sve2", 26, 1},      {"i8mm", 26, 13},    {"bf16", 26, 14},
};

/// Blocks of the function that each go on to the next or to ^no.
class StepWriter {
public:
  /// `compute` is IR that defines %<step>_value of the given integer type;
  /// the step passes if all bits of `mask` are set in it.
  void require(llvm::StringRef type, uint64_t mask,
               llvm::function_ref<std::string(const std::string &)> compute) {
    std::string step = ("step" + llvm::Twine(count++)).str();
    text += llvm::formatv("  llvm.br ^{0}\n^{0}:\n", step);
    text += compute(step);
    text += llvm::formatv(
        "  %{0}_mask = llvm.mlir.constant({1} : {2}) : {2}\n"
        "  %{0}_bits = llvm.and %{0}_value, %{0}_mask : {2}\n"
        "  %{0}_has = llvm.icmp \"eq\" %{0}_bits, %{0}_mask : {2}\n"
        "  llvm.cond_br %{0}_has, ^{0}_passed, ^no\n^{0}_passed:\n",
        step, int64_t(type == "i32" ? int64_t(int32_t(mask)) : int64_t(mask)),
        type);
  }
  std::string text;
  bool empty() const { return count == 0; }

private:
  unsigned count = 0;
};

std::string cpuid(const std::string &step, uint32_t leaf, uint32_t subleaf,
                  unsigned reg) {
  return llvm::formatv(
      "  %{0}_leaf = llvm.mlir.constant({1} : i32) : i32\n"
      "  %{0}_subleaf = llvm.mlir.constant({2} : i32) : i32\n"
      "  %{0}_all = llvm.inline_asm has_side_effects asm_dialect = att "
      "\"cpuid\", \"={{ax},={{bx},={{cx},={{dx},{{ax},{{cx}\" %{0}_leaf, "
      "%{0}_subleaf : (i32, i32) -> !llvm.struct<(i32, i32, i32, i32)>\n"
      "  %{0}_value = llvm.extractvalue %{0}_all[{3}] : "
      "!llvm.struct<(i32, i32, i32, i32)>\n",
      step, int32_t(leaf), subleaf, reg);
}

void writeX86Steps(StepWriter &steps, const Target &target) {
  bool avx = target.has("avx"), avx512 = target.has("avx512f");
  llvm::SmallVector<std::tuple<uint32_t, uint32_t, unsigned>> places;
  for (const CpuidBit &entry : cpuidBits) {
    auto place = std::make_tuple(entry.leaf, entry.subleaf, entry.reg);
    if (!llvm::is_contained(places, place))
      places.push_back(place);
  }
  bool leaf7Checked = false;
  for (auto [leaf, subleaf, reg] : places) {
    uint32_t mask = 0;
    for (const CpuidBit &entry : cpuidBits)
      if (entry.leaf == leaf && entry.subleaf == subleaf && entry.reg == reg &&
          target.has(entry.feature))
        mask |= 1u << entry.bit;
    if (leaf == 1 && avx)
      mask |= 1u << 27; // osxsave: xgetbv may be executed
    if (!mask)
      continue;
    if (leaf == 7 && !leaf7Checked) {
      // A CPU without leaf 7 answers with its last leaf's registers.
      steps.require("i32", 1, [](const std::string &step) {
        return cpuid(step + "_last", 0, 0, 0) +
               llvm::formatv(
                   "  %{0}_seven = llvm.mlir.constant(7 : i32) : i32\n"
                   "  %{0}_enough = llvm.icmp \"uge\" %{0}_last_value, "
                   "%{0}_seven : i32\n"
                   "  %{0}_value = llvm.zext %{0}_enough : i1 to i32\n",
                   step)
                   .str();
      });
      leaf7Checked = true;
    }
    uint32_t l = leaf, s = subleaf;
    unsigned r = reg;
    steps.require("i32", mask, [&](const std::string &step) {
      return cpuid(step, l, s, r);
    });
    if (leaf == 1 && avx)
      // The system saves the registers: xmm and ymm, and zmm and masks.
      steps.require("i32", avx512 ? 0xe6 : 0x6, [](const std::string &step) {
        return llvm::formatv(
                   "  %{0}_zero = llvm.mlir.constant(0 : i32) : i32\n"
                   "  %{0}_all = llvm.inline_asm has_side_effects "
                   "asm_dialect = att \"xgetbv\", \"={{ax},={{dx},{{cx}\" "
                   "%{0}_zero : (i32) -> !llvm.struct<(i32, i32)>\n"
                   "  %{0}_value = llvm.extractvalue %{0}_all[0] : "
                   "!llvm.struct<(i32, i32)>\n",
                   step)
            .str();
      });
  }
}

void writeAArch64Steps(StepWriter &steps, const Target &target) {
  for (unsigned word : {16, 26}) {
    uint64_t mask = 0;
    for (const HwcapBit &entry : hwcapBits)
      if (entry.word == word && target.has(entry.feature))
        mask |= uint64_t(1) << entry.bit;
    if (!mask)
      continue;
    steps.require("i64", mask, [&](const std::string &step) {
      return llvm::formatv(
                 "  %{0}_word = llvm.mlir.constant({1} : i64) : i64\n"
                 "  %{0}_value = llvm.call @getauxval(%{0}_word) : (i64) -> "
                 "i64\n",
                 step, word)
          .str();
    });
  }
  if (target.usesSve())
    // rdvl x8, #1: the length of a vector in bytes.
    steps.require("i64", 1, [&](const std::string &step) {
      return llvm::formatv(
                 "  %{0}_length = llvm.inline_asm has_side_effects "
                 "asm_dialect = att \".inst 0x04bf5028\", \"={{x8}\" : () "
                 "-> i64\n"
                 "  %{0}_wanted = llvm.mlir.constant({1} : i64) : i64\n"
                 "  %{0}_equal = llvm.icmp \"eq\" %{0}_length, %{0}_wanted : "
                 "i64\n"
                 "  %{0}_value = llvm.zext %{0}_equal : i1 to i64\n",
                 step, target.vectorBits / 8)
          .str();
    });
}

} // namespace

void setBaselineCpu(LLVM::LLVMFuncOp function, const Target &target) {
  function.setTargetCpu(target.isX86() ? "x86-64" : "generic");
}

LLVM::LLVMFuncOp addCpuCheck(ModuleOp module, const Target &target) {
  StepWriter steps;
  if (target.isX86())
    writeX86Steps(steps, target);
  else
    writeAArch64Steps(steps, target);
  if (steps.empty())
    return {};

  std::string source =
      "llvm.mlir.global internal @cornu_cpu_verdict(0 : i8) : i8\n";
  std::string guard;
  if (target.isAArch64()) {
    // Without a system to ask, the user has chosen the CPU.
    source += "llvm.func extern_weak @getauxval(i64) -> i64\n";
    guard = "  %ask = llvm.mlir.addressof @getauxval : !llvm.ptr\n"
            "  %null = llvm.mlir.zero : !llvm.ptr\n"
            "  %mute = llvm.icmp \"eq\" %ask, %null : !llvm.ptr\n"
            "  llvm.cond_br %mute, ^yes, ^ask\n^ask:\n";
  }
  source +=
      "llvm.func internal @cornu_cpu_supported() -> i1 {\n"
      "  %verdict = llvm.mlir.addressof @cornu_cpu_verdict : !llvm.ptr\n"
      "  %unknown = llvm.mlir.constant(0 : i8) : i8\n"
      "  %good = llvm.mlir.constant(1 : i8) : i8\n"
      "  %bad = llvm.mlir.constant(2 : i8) : i8\n"
      "  %true = llvm.mlir.constant(true) : i1\n"
      "  %false = llvm.mlir.constant(false) : i1\n"
      "  %known = llvm.load %verdict atomic monotonic "
      "{alignment = 1 : i64} : !llvm.ptr -> i8\n"
      "  %first = llvm.icmp \"eq\" %known, %unknown : i8\n"
      "  llvm.cond_br %first, ^detect, ^remember\n"
      "^remember:\n"
      "  %remembered = llvm.icmp \"eq\" %known, %good : i8\n"
      "  llvm.return %remembered : i1\n"
      "^detect:\n" +
      guard + steps.text +
      "  llvm.br ^yes\n"
      "^yes:\n"
      "  llvm.store %good, %verdict atomic monotonic {alignment = 1 : i64} : "
      "i8, !llvm.ptr\n"
      "  llvm.return %true : i1\n"
      "^no:\n"
      "  llvm.store %bad, %verdict atomic monotonic {alignment = 1 : i64} : "
      "i8, !llvm.ptr\n"
      "  llvm.return %false : i1\n"
      "}\n";
  OwningOpRef<ModuleOp> parsed =
      parseSourceString<ModuleOp>(source, module.getContext());
  assert(parsed && "the CPU check is well-formed IR");
  LLVM::LLVMFuncOp check;
  for (Operation &op : llvm::make_early_inc_range(*parsed->getBody())) {
    op.remove();
    module.getBody()->push_back(&op);
    if (auto function = dyn_cast<LLVM::LLVMFuncOp>(op))
      if (!function.isExternal())
        check = function;
  }
  setBaselineCpu(check, target);
  return check;
}

} // namespace cornu::codegen
