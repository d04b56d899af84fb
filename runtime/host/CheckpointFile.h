//===- CheckpointFile.h - Checkpoints on disk -----------------------------===//
#ifndef CORNU_RUNTIME_HOST_CHECKPOINTFILE_H
#define CORNU_RUNTIME_HOST_CHECKPOINTFILE_H

#include "runtime/core/Checkpoint.h"
#include "runtime/host/File.h"
#include "runtime/host/Session.h"

namespace cornu::runtime {

/// Writes checkpoints, all variables row-major, so that a program for another
/// machine reads them.
class CheckpointWriter {
public:
  /// Takes the memory that writing needs; `withBest` if the state of the best
  /// epoch may be written, too.
  void prepare(const cornu_model &model, bool withBest);

  /// Writes header, state and (if not null) the state of the best epoch; an
  /// older checkpoint stays until the new one is complete. Fills the header's
  /// fixed fields.
  Error write(const char *path, const cornu_model &model,
              CheckpointHeader &header, const void *state, const void *best);

private:
  Block rowMajor[2]; ///< of state and best; empty where variables are so
};

/// A checkpoint that is valid for a model; the functions that read it take the
/// same one.
class CheckpointFile {
public:
  Error open(const char *path, const cornu_model &model);

  const CheckpointHeader &header() const { return content; }
  void readState(const cornu_model &model, void *state) const;
  /// The state of the best epoch, if it was saved.
  bool hasBest() const;
  void readBest(const cornu_model &model, void *state) const;

private:
  static void read(const cornu_model &model, const void *block, void *state);

  MappedFile file;
  CheckpointHeader content = {};
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_CHECKPOINTFILE_H
