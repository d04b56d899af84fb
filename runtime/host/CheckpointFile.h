//===- CheckpointFile.h - Checkpoints on disk -----------------------------===//
#ifndef CORNU_RUNTIME_HOST_CHECKPOINTFILE_H
#define CORNU_RUNTIME_HOST_CHECKPOINTFILE_H

#include "runtime/core/Checkpoint.h"
#include "runtime/host/File.h"

namespace cornu::runtime {

/// Writes header, state and (if not null) the state of the best epoch; an
/// older checkpoint stays until the new one is complete. Fills the header's
/// fixed fields.
Error writeCheckpoint(const char *path, const cornu_model &model,
                      CheckpointHeader &header, const void *state,
                      const void *best);

/// A checkpoint that is valid for a model.
class CheckpointFile {
public:
  Error open(const char *path, const cornu_model &model);

  const CheckpointHeader &header() const { return content; }
  /// The blocks; `best` is null unless it was saved.
  const void *state() const;
  const void *best() const;

private:
  MappedFile file;
  CheckpointHeader content = {};
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_CHECKPOINTFILE_H
