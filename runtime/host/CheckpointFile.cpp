//===- CheckpointFile.cpp - Checkpoints on disk ---------------------------===//
#include "runtime/host/CheckpointFile.h"
#include "runtime/core/Layout.h"
#include "runtime/host/Vector.h"

#include <string.h>

namespace cornu::runtime {

/// A copy of a state block whose variables are row-major, or `state` itself
/// where they are.
static const void *rowMajor(const cornu_model &model, const void *state,
                            Vector<char> &copy) {
  if (!state)
    return nullptr;
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &variable = model.variables[i];
    if (!variable.panels)
      continue;
    if (copy.empty()) {
      copy.resize(model.state_bytes);
      memcpy(copy.data(), state, model.state_bytes);
    }
    toRowMajor(variable, state, copy.data() + variable.offset);
  }
  return copy.empty() ? state : copy.data();
}

Error writeCheckpoint(const char *path, const cornu_model &model,
                      CheckpointHeader &header, const void *state,
                      const void *best) {
  Vector<char> copies[2];
  state = rowMajor(model, state, copies[0]);
  best = rowMajor(model, best, copies[1]);
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

void CheckpointFile::read(const cornu_model &model, const void *block,
                          void *state) {
  memcpy(state, block, model.state_bytes);
  for (int32_t i = 0; i < model.num_variables; ++i)
    if (const cornu_variable &variable = model.variables[i]; variable.panels)
      fromRowMajor(variable, static_cast<const char *>(block) + variable.offset,
                   state);
}

void CheckpointFile::readState(const cornu_model &model, void *state) const {
  read(model, file.bytes().data + sizeof(CheckpointHeader), state);
}

bool CheckpointFile::hasBest() const { return content.best_saved; }

void CheckpointFile::readBest(const cornu_model &model, void *state) const {
  read(model,
       file.bytes().data + sizeof(CheckpointHeader) + content.state_bytes,
       state);
}

} // namespace cornu::runtime
