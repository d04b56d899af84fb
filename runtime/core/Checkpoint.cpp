//===- Checkpoint.cpp - The header of a checkpoint ------------------------===//
#include "runtime/core/Checkpoint.h"
#include "runtime/core/Layout.h"

namespace cornu::runtime {

static constexpr char kMagic[8] = {'C', 'O', 'R', 'N', 'U', 'C', 'K', 'P'};
static constexpr uint32_t kVersion = 1;

// A mixer over 8-byte words in four lanes: a state block is hundreds of
// megabytes for a large model, and a byte-wise hash would take longer than
// writing it.
static uint64_t checksumBlock(uint64_t hash, const void *data, uint64_t size) {
  constexpr uint64_t kMultiplier = 0x9E3779B97F4A7C15u;
  const unsigned char *bytes = static_cast<const unsigned char *>(data);
  uint64_t lanes[4] = {hash, hash ^ 1, hash ^ 2, hash ^ 3};
  uint64_t at = 0;
  for (; at + 32 <= size; at += 32)
    for (int lane = 0; lane < 4; ++lane) {
      uint64_t word;
      __builtin_memcpy(&word, bytes + at + 8 * lane, 8);
      uint64_t mixed = (lanes[lane] ^ word) * kMultiplier;
      lanes[lane] = mixed ^ (mixed >> 29);
    }
  hash = hashBytes(kHashStart, lanes, sizeof(lanes));
  return hashBytes(hash, bytes + at, size - at);
}

static uint64_t checksumOf(CheckpointHeader header, const void *state,
                           const void *best) {
  header.checksum = 0;
  uint64_t hash = hashBytes(kHashStart, &header, sizeof(header));
  hash = checksumBlock(hash, state, header.state_bytes);
  return best ? checksumBlock(hash, best, header.state_bytes) : hash;
}

void sealCheckpoint(CheckpointHeader &header, const cornu_model &model,
                    const void *state, const void *best) {
  __builtin_memcpy(header.magic, kMagic, sizeof(kMagic));
  header.version = kVersion;
  header.header_bytes = sizeof(CheckpointHeader);
  header.layout = layoutHash(model);
  header.state_bytes = model.state_bytes;
  header.best_saved = best != nullptr;
  header.checksum = checksumOf(header, state, best);
}

CheckpointFault checkCheckpoint(const cornu_model &model, const void *data,
                                uint64_t size, CheckpointHeader &header) {
  if (size < sizeof(kMagic) ||
      __builtin_memcmp(data, kMagic, sizeof(kMagic)) != 0)
    return CheckpointFault::NotACheckpoint;
  if (size < sizeof(header))
    return CheckpointFault::Truncated;
  __builtin_memcpy(&header, data, sizeof(header));
  if (header.version != kVersion || header.header_bytes != sizeof(header))
    return CheckpointFault::OtherVersion;
  if (header.layout != layoutHash(model) ||
      header.state_bytes != model.state_bytes)
    return CheckpointFault::OtherProgram;
  uint64_t blocks = header.best_saved == 1 ? 2 : 1;
  uint64_t rest = size - sizeof(header);
  if (rest / blocks != header.state_bytes || rest % blocks != 0)
    return CheckpointFault::Truncated;
  const unsigned char *state =
      static_cast<const unsigned char *>(data) + sizeof(header);
  const unsigned char *best =
      blocks == 2 ? state + header.state_bytes : nullptr;
  return checksumOf(header, state, best) == header.checksum
             ? CheckpointFault::None
             : CheckpointFault::Damaged;
}

} // namespace cornu::runtime
