//===- Shuffle.h - The order of the samples in an epoch -------------------===//
//
// One permutation of all samples per epoch, a pure function of the seed and
// the epoch: a run that resumes in the middle of an epoch rebuilds it.
//
//   uint32_t order[1797];
//   shuffle(order, 1797, /*seed=*/42, /*epoch=*/0);
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_CORE_SHUFFLE_H
#define CORNU_RUNTIME_CORE_SHUFFLE_H

#include <stdint.h>

namespace cornu::runtime {

/// Fills `order` with a permutation of 0 .. count - 1 (Fisher and Yates, all
/// permutations equally likely).
void shuffle(uint32_t *order, uint32_t count, uint64_t seed, uint64_t epoch);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_CORE_SHUFFLE_H
