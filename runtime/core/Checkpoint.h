//===- Checkpoint.h - The header of a checkpoint --------------------------===//
//
// A checkpoint is this header, the whole state block and, while early stopping
// keeps the weights of the best epoch, a second state block:
//
//   | header, 192 bytes | state | best state (if best_saved) |
//
// Because weights, optimizer slots, metric sums, the step and the random key
// are all in the state block, and the order of the samples follows from seed
// and epoch, resuming is exact: the run continues bit for bit.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_CORE_CHECKPOINT_H
#define CORNU_RUNTIME_CORE_CHECKPOINT_H

#include "runtime/include/cornu/model.h"

namespace cornu::runtime {

/// Fixed-width, little-endian as all supported targets are, no padding.
struct CheckpointHeader {
  char magic[8]; ///< "CORNUCKP"
  uint32_t version;
  uint32_t header_bytes;
  uint64_t checksum; ///< over the header with 0 here, then the blocks
  uint64_t layout;   ///< layoutHash of the program
  uint64_t state_bytes;
  // What the order of the samples depends on; a resumed run must agree.
  uint64_t seed;
  uint64_t samples;
  uint64_t batch_size;
  uint64_t shuffle;
  // Where the run goes on: `batch` batches of epoch `epoch` are done.
  uint64_t epoch;
  uint64_t batch;
  // Early stopping.
  uint64_t best_saved; ///< 1: the best state follows the state
  uint64_t best_known; ///< 1: best_value is set
  double best_value;
  uint64_t best_epoch;
  uint64_t wait;
  uint64_t stopped; ///< 1: it has ended the training
  uint64_t reserved[7];
};
static_assert(sizeof(CheckpointHeader) == 192,
              "the file format has no padding");

enum class CheckpointFault {
  None,
  NotACheckpoint,
  OtherVersion,
  OtherProgram, ///< the layout of the state block differs
  Truncated,
  Damaged ///< the checksum differs
};

/// Fills magic, version, layout, sizes and checksum for these blocks; `best`
/// is null unless the weights of the best epoch are kept.
void sealCheckpoint(CheckpointHeader &header, const cornu_model &model,
                    const void *state, const void *best);

/// Checks a checkpoint of `size` bytes at `data` for `model` and copies its
/// header.
CheckpointFault checkCheckpoint(const cornu_model &model, const void *data,
                                uint64_t size, CheckpointHeader &header);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_CORE_CHECKPOINT_H
