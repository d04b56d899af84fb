//===- MemoryPlan.h - Offsets from lifetimes --------------------*- C++ -*-===//
//
// Buffers whose lifetimes overlap get disjoint ranges of a block, the others
// may share. One after another is placed at the lowest offset where it fits,
// the largest first (greedy by size; Pisarchyk and Lee, "Efficient memory
// management for deep neural net inference", 2020, found it within a few
// percent of the lower bound on networks); where that misses the bound, other
// orders are tried and the best plan is taken.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_PASSES_BUFFER_MEMORYPLAN_H
#define CORNU_PASSES_BUFFER_MEMORYPLAN_H

#include <cstdint>
#include <vector>

namespace cornu::buffer {

/// A buffer alive in [begin, end], both included.
struct Lifetime {
  int64_t bytes;
  int64_t begin, end;
  int64_t offset = 0; ///< assigned by the plan
};

/// Assigns the offsets and returns the size of the block. Sizes are multiples
/// of the alignment.
int64_t planMemory(std::vector<Lifetime> &buffers);

/// No plan can be smaller: the most bytes alive at one time.
int64_t memoryLowerBound(const std::vector<Lifetime> &buffers);

} // namespace cornu::buffer

#endif // CORNU_PASSES_BUFFER_MEMORYPLAN_H
