//===- CheckpointFile.cpp - Checkpoints on disk ---------------------------===//
#include "runtime/host/CheckpointFile.h"

namespace cornu::runtime {

Error writeCheckpoint(const char *path, const cornu_model &model,
                      CheckpointHeader &header, const void *state,
                      const void *best) {
  sealCheckpoint(header, model, state, best);
  OutputFile file;
  if (Error error = file.create(path))
    return error;
  if (Error error = file.write(&header, sizeof(header)))
    return error;
  if (Error error = file.write(state, model.state_bytes))
    return error;
  if (best)
    if (Error error = file.write(best, model.state_bytes))
      return error;
  return file.commit();
}

Error CheckpointFile::open(const char *path, const cornu_model &model) {
  if (Error error = file.open(path))
    return error;
  switch (
      checkCheckpoint(model, file.bytes().data, file.bytes().size, content)) {
  case CheckpointFault::None:
    return success();
  case CheckpointFault::NotACheckpoint:
    return failure("%s is not a checkpoint; weights (.safetensors) are read "
                   "with --weights",
                   path);
  case CheckpointFault::OtherVersion:
    return failure("%s was written by another version of Cornu", path);
  case CheckpointFault::OtherProgram:
    return failure("%s was written by another program: the layout of its "
                   "variables differs from '%s'",
                   path, model.name);
  case CheckpointFault::Truncated:
    return failure("%s is truncated", path);
  case CheckpointFault::Damaged:
    return failure("%s is damaged: its checksum is wrong", path);
  }
  return success();
}

const void *CheckpointFile::state() const {
  return file.bytes().data + sizeof(CheckpointHeader);
}

const void *CheckpointFile::best() const {
  return content.best_saved ? file.bytes().data + sizeof(CheckpointHeader) +
                                  content.state_bytes
                            : nullptr;
}

} // namespace cornu::runtime
