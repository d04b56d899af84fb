//===- Shuffle.cpp - The order of the samples in an epoch -----------------===//
#include "runtime/core/Shuffle.h"
#include "runtime/core/Philox.h"

namespace cornu::runtime {

// A stream of its own, so that compiled code which draws with the same seed
// (its streams are numbers of ops and steps, below 2^48) never sees these
// numbers.
static constexpr uint64_t kShuffleStream = uint64_t(1) << 63;

void shuffle(uint32_t *order, uint32_t count, uint64_t seed, uint64_t epoch) {
  PhiloxSequence random(seed, kShuffleStream | epoch);
  for (uint32_t i = 0; i < count; ++i)
    order[i] = i;
  for (uint32_t left = count; left > 1; --left) {
    uint32_t other = random.below(left);
    uint32_t last = order[left - 1];
    order[left - 1] = order[other];
    order[other] = last;
  }
}

} // namespace cornu::runtime
