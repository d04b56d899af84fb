//===- Session.cpp - A running model: state, scratch, status --------------===//
#include "runtime/host/Session.h"
#include "runtime/core/Layout.h"
#include "runtime/host/Safetensors.h"
#include "runtime/include/cornu/parallel.h"

#include <sys/mman.h>
#include <time.h>

namespace cornu::runtime {

// From this size on a block starts at a huge page; below it, half a page of 2
// MB would be lost on average.
static constexpr uint64_t kHugePage = 2 << 20;
static constexpr uint64_t kMapped = 2 * kHugePage;

Block::~Block() { release(); }

void Block::release() {
  if (mapped)
    munmap(address, bytes);
  else
    free(address);
  address = nullptr;
}

void Block::allocate(uint64_t wanted) {
  release();
  bytes = wanted;
  mapped = wanted >= kMapped;
  if (!mapped) {
    uint64_t rounded =
        (wanted + CORNU_ALIGNMENT) / CORNU_ALIGNMENT * CORNU_ALIGNMENT;
    address = aligned_alloc(CORNU_ALIGNMENT, rounded);
    if (!address)
      outOfMemory(wanted);
    memset(address, 0, rounded);
    return;
  }
  if (wanted > UINT64_MAX - 2 * kHugePage)
    outOfMemory(wanted);
  // Map one huge page more, and give back what lies before the first boundary
  // and after the block.
  bytes = (wanted + kHugePage - 1) / kHugePage * kHugePage;
  void *whole = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (whole == MAP_FAILED)
    outOfMemory(wanted);
  char *start = static_cast<char *>(whole);
  uint64_t before = kHugePage - reinterpret_cast<uintptr_t>(whole) % kHugePage;
  if (before == kHugePage)
    before = 0;
  if (before)
    munmap(start, before);
  if (before < kHugePage)
    munmap(start + before + bytes, kHugePage - before);
  address = start + before;
  madvise(address, bytes, MADV_HUGEPAGE);
}

static Error checkDescriptor(const cornu_model &model) {
  if (model.abi_version != CORNU_ABI_VERSION)
    return failure("the model was compiled for version %u of the runtime's "
                   "interface, this runtime has version %u; compile and link "
                   "with the same Cornu",
                   unsigned(model.abi_version), unsigned(CORNU_ABI_VERSION));
  return success();
}

Error Session::check(int status) const {
  switch (status) {
  case CORNU_OK:
    return success();
  case CORNU_BAD_BATCH:
    return failure("the model does not take this batch size%s",
                   model.fixed_batch ? "; it was compiled with --batch" : "");
  case CORNU_UNSUPPORTED_CPU:
    return failure("this CPU lacks instructions that '%s' was compiled for; "
                   "compile it for this machine, or portably with "
                   "--mcpu=x86-64-v3 (compiled: %s)",
                   model.name, model.compiled ? model.compiled : "?");
  default:
    return failure("the model returned the status %d", status);
  }
}

Error Session::start(uint64_t seed, std::string_view weights) {
  if (Error error = checkDescriptor(model))
    return error;
  stateBlock.allocate(model.state_bytes);
  if (Error error = check(model.initialize(state(), seed)))
    return error;
  return weights.empty() ? success()
                         : loadWeights(String(weights).c_str(), model, state());
}

Error Session::reserveScratch(const cornu_scratch &need, int64_t batch) {
  uint64_t bytes;
  if (!scratchBytes(need, uint64_t(batch), uint64_t(cornu_worker_count()),
                    bytes))
    return failure("a batch of %lld needs more memory than there can be; use "
                   "a smaller --batch-size",
                   static_cast<long long>(batch));
  if (bytes > scratchBlock.size() || !scratch())
    scratchBlock.allocate(bytes);
  return success();
}

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

} // namespace cornu::runtime
