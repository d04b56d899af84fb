//===- MemoryPlan.cpp - Offsets from lifetimes ----------------------------===//

#include "passes/buffer/MemoryPlan.h"

#include <algorithm>

namespace cornu::buffer {

static bool overlaps(const Lifetime &a, const Lifetime &b) {
  return a.begin <= b.end && b.begin <= a.end;
}

/// Places the buffers one after another, each at the lowest offset where it
/// fits, and returns the size of the block.
static int64_t place(const std::vector<Lifetime *> &order) {
  int64_t total = 0;
  std::vector<Lifetime *> placed; // by offset
  for (Lifetime *buffer : order) {
    int64_t offset = 0;
    for (const Lifetime *other : placed) {
      if (!overlaps(*buffer, *other))
        continue;
      if (other->offset >= offset + buffer->bytes)
        break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    buffer->offset = offset;
    total = std::max(total, offset + buffer->bytes);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), buffer,
                                   [](const Lifetime *a, const Lifetime *b) {
                                     return a->offset < b->offset;
                                   }),
                  buffer);
  }
  return total;
}

int64_t planMemory(std::vector<Lifetime> &buffers) {
  // What comes first matters: the largest, the largest over time, the longest
  // lived, or as they are made.
  using Key = double (*)(const Lifetime &);
  static constexpr Key keys[] = {
      [](const Lifetime &b) { return double(b.bytes); },
      [](const Lifetime &b) { return double(b.bytes) * (b.end - b.begin + 1); },
      [](const Lifetime &b) { return double(b.end - b.begin); },
      [](const Lifetime &b) { return -double(b.begin); }};
  const int64_t bound = memoryLowerBound(buffers);
  std::vector<Lifetime> best;
  int64_t least = 0;
  for (Key key : keys) {
    std::vector<Lifetime *> order;
    for (Lifetime &buffer : buffers)
      order.push_back(&buffer);
    // The position breaks ties, so that the plan is always the same.
    std::sort(order.begin(), order.end(),
              [key](const Lifetime *a, const Lifetime *b) {
                double x = key(*a), y = key(*b);
                return x != y ? x > y : a < b;
              });
    int64_t total = place(order);
    if (best.empty() || total < least) {
      best = buffers;
      least = total;
    }
    if (least == bound)
      break;
  }
  buffers = best;
  return least;
}

int64_t memoryLowerBound(const std::vector<Lifetime> &buffers) {
  int64_t most = 0;
  for (const Lifetime &at : buffers) {
    int64_t alive = 0;
    for (const Lifetime &other : buffers)
      if (other.begin <= at.begin && at.begin <= other.end)
        alive += other.bytes;
    most = std::max(most, alive);
  }
  return most;
}

} // namespace cornu::buffer
