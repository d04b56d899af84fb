//===- Caches.cpp - Caches and multiply-add units by CPU ------------------===//

#include "codegen/target/Caches.h"
#include "codegen/target/Target.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include <algorithm>
#include <thread>

namespace cornu::codegen {

namespace {

constexpr int64_t KiB = 1024, MiB = 1024 * KiB;

// Sources: the vendors' optimization manuals and uops.info. The first row is
// the default of the architecture.
constexpr CpuCaches x86Cpus[] = {
    // cpu              L1        L2         L3/core   FMA ports, latency
    {"", 32 * KiB, 512 * KiB, 2 * MiB, 2, 4},
    {"x86-64", 32 * KiB, 256 * KiB, 2 * MiB, 2, 4},
    {"x86-64-v4", 32 * KiB, 1 * MiB, 2 * MiB, 2, 4},
    {"haswell", 32 * KiB, 256 * KiB, 2 * MiB, 2, 5},
    {"broadwell", 32 * KiB, 256 * KiB, 2 * MiB, 2, 5},
    {"skylake", 32 * KiB, 256 * KiB, 2 * MiB, 2, 4},
    {"skylake-avx512", 32 * KiB, 1 * MiB, 1408 * KiB, 2, 4},
    {"cascadelake", 32 * KiB, 1 * MiB, 1408 * KiB, 2, 4},
    {"icelake-client", 48 * KiB, 512 * KiB, 2 * MiB, 1, 4},
    {"icelake-server", 48 * KiB, 1280 * KiB, 1536 * KiB, 2, 4},
    {"sapphirerapids", 48 * KiB, 2 * MiB, 1920 * KiB, 2, 4},
    {"emeraldrapids", 48 * KiB, 2 * MiB, 5 * MiB, 2, 4},
    {"alderlake", 48 * KiB, 1280 * KiB, 3 * MiB, 2, 4},
    // Zen 1 has 128-bit units: a 256-bit FMA takes both.
    {"znver1", 32 * KiB, 512 * KiB, 2 * MiB, 1, 5},
    {"znver2", 32 * KiB, 512 * KiB, 4 * MiB, 2, 5},
    {"znver3", 32 * KiB, 512 * KiB, 4 * MiB, 2, 4},
    // Zen 4 has 256-bit units: a 512-bit FMA takes both.
    {"znver4", 32 * KiB, 1 * MiB, 4 * MiB, 1, 4},
    {"znver5", 48 * KiB, 1 * MiB, 4 * MiB, 2, 4},
};

constexpr CpuCaches aarch64Cpus[] = {
    {"", 32 * KiB, 256 * KiB, 1 * MiB, 2, 4},
    {"cortex-a53", 32 * KiB, 128 * KiB, 0, 1, 8},
    {"cortex-a55", 32 * KiB, 128 * KiB, 512 * KiB, 1, 4},
    {"cortex-a57", 32 * KiB, 512 * KiB, 0, 2, 10},
    {"cortex-a72", 32 * KiB, 256 * KiB, 0, 2, 7},
    {"cortex-a76", 64 * KiB, 512 * KiB, 1 * MiB, 2, 4},
    {"cortex-a78", 64 * KiB, 512 * KiB, 1 * MiB, 2, 4},
    {"neoverse-n1", 64 * KiB, 1 * MiB, 1 * MiB, 2, 4},
    {"neoverse-n2", 64 * KiB, 1 * MiB, 1 * MiB, 2, 4},
    {"neoverse-v1", 64 * KiB, 1 * MiB, 1 * MiB, 4, 4},
    {"neoverse-v2", 64 * KiB, 2 * MiB, 1 * MiB, 4, 4},
    {"apple-m1", 128 * KiB, 3 * MiB, 0, 4, 4},
    {"apple-m2", 128 * KiB, 4 * MiB, 0, 4, 4},
};

/// A size in /sys/devices/system/cpu: "512K".
int64_t readSize(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFileAsStream(path);
  if (!file)
    return 0;
  llvm::StringRef text = (*file)->getBuffer().trim();
  int64_t unit = text.consume_back("K")   ? KiB
                 : text.consume_back("M") ? MiB
                                          : 1;
  int64_t value = 0;
  return text.getAsInteger(10, value) ? 0 : value * unit;
}

/// The number of CPUs in a list such as "0-3,8-11".
int64_t countCpus(const std::string &path) {
  auto file = llvm::MemoryBuffer::getFileAsStream(path);
  if (!file)
    return 1;
  int64_t count = 0;
  llvm::SmallVector<llvm::StringRef> ranges;
  (*file)->getBuffer().trim().split(ranges, ',');
  for (llvm::StringRef range : ranges) {
    auto [first, last] = range.split('-');
    int64_t low = 0, high = 0;
    if (first.getAsInteger(10, low))
      continue;
    if (last.empty() || last.getAsInteger(10, high))
      high = low;
    count += high - low + 1;
  }
  return std::max<int64_t>(count, 1);
}

} // namespace

const CpuCaches &cachesOf(const llvm::Triple &triple, llvm::StringRef cpu) {
  llvm::ArrayRef<CpuCaches> table =
      triple.isX86() ? llvm::ArrayRef<CpuCaches>(x86Cpus)
                     : llvm::ArrayRef<CpuCaches>(aarch64Cpus);
  const CpuCaches *best = &table.front();
  for (const CpuCaches &row : table)
    if (cpu.starts_with(row.cpu) && row.cpu.size() > best->cpu.size())
      best = &row;
  return *best;
}

void readHostCaches(Target &target) {
  target.cores = std::max(1u, std::thread::hardware_concurrency());
  for (int index = 0; index < 8; ++index) {
    std::string base =
        "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index);
    int64_t level = readSize(base + "/level");
    auto type = llvm::MemoryBuffer::getFileAsStream(base + "/type");
    if (!level || !type || (*type)->getBuffer().starts_with("Instruction"))
      continue;
    int64_t size = readSize(base + "/size");
    if (size <= 0)
      continue;
    if (level == 1)
      target.l1Bytes = size;
    else if (level == 2)
      target.l2Bytes = size;
    else if (level == 3)
      target.l3Bytes = size / countCpus(base + "/shared_cpu_list");
  }
}

} // namespace cornu::codegen
