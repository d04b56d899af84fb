//===- Philox.h - Counter-based random numbers ----------------------------===//
//
// Philox 4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011): 128 random bits as a pure function of a 64-bit
// key and a 128-bit counter. There is no state, so the numbers depend neither
// on threads nor on the order of the calls, and a resumed run draws the same
// ones. Compiled code uses the same function.
//
//   PhiloxBlock bits = philox({seed, seed >> 32}, {0, 0, epoch, 0});
//   bits.word[0] ... bits.word[3]
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_CORE_PHILOX_H
#define CORNU_RUNTIME_CORE_PHILOX_H

#include <stdint.h>

namespace cornu::runtime {

struct PhiloxKey {
  uint32_t word[2];
};
struct PhiloxBlock {
  uint32_t word[4];
};

/// Ten rounds of Philox 4x32 on `counter` under `key`. The multipliers and the
/// Weyl increments are those of the paper's table 2.
constexpr PhiloxBlock philox(PhiloxKey key, PhiloxBlock counter) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * counter.word[0];
    uint64_t b = uint64_t(0xCD9E8D57u) * counter.word[2];
    counter = {{uint32_t(b >> 32) ^ counter.word[1] ^ key.word[0], uint32_t(b),
                uint32_t(a >> 32) ^ counter.word[3] ^ key.word[1],
                uint32_t(a)}};
    key.word[0] += 0x9E3779B9u;
    key.word[1] += 0xBB67AE85u;
  }
  return counter;
}

constexpr PhiloxKey philoxKey(uint64_t seed) {
  return {{uint32_t(seed), uint32_t(seed >> 32)}};
}

/// A sequence of 32-bit draws from one key and one stream: block i of the
/// sequence is philox(key, {i, i >> 32, stream, stream >> 32}).
class PhiloxSequence {
public:
  constexpr PhiloxSequence(uint64_t seed, uint64_t stream)
      : key(philoxKey(seed)), stream(stream) {}

  constexpr uint32_t next() {
    if (used == 4) {
      block = philox(key, {{uint32_t(index), uint32_t(index >> 32),
                            uint32_t(stream), uint32_t(stream >> 32)}});
      ++index;
      used = 0;
    }
    return block.word[used++];
  }

  /// Uniform in [0, bound), without bias: Lemire's multiply with rejection
  /// ("Fast random integer generation in an interval", 2019). `bound` > 0.
  constexpr uint32_t below(uint32_t bound) {
    uint64_t product = uint64_t(next()) * bound;
    if (uint32_t(product) < bound) {
      uint32_t threshold = uint32_t(-bound) % bound;
      while (uint32_t(product) < threshold)
        product = uint64_t(next()) * bound;
    }
    return uint32_t(product >> 32);
  }

  /// Uniform in [0, 1) on the grid of 2^-24, exact in a float.
  constexpr float uniform() { return float(next() >> 8) * 0x1p-24f; }

private:
  PhiloxKey key;
  uint64_t stream;
  uint64_t index = 0;
  PhiloxBlock block = {};
  int used = 4;
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_CORE_PHILOX_H
