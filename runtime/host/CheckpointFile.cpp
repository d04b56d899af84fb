//===- CheckpointFile.cpp - Checkpoints on disk ---------------------------===//
#include "runtime/host/CheckpointFile.h"
#include "runtime/core/Layout.h"

#include <string.h>

namespace cornu::runtime {

void CheckpointWriter::prepare(const cornu_model &model, bool withBest) {
  bool hasPanels = false;
  for (int32_t i = 0; i < model.num_variables; ++i)
    hasPanels |= model.variables[i].panels != 0;
  for (int i = 0; hasPanels && i < (withBest ? 2 : 1); ++i)
    rowMajor[i].allocate(model.state_bytes);
}

/// The state with row-major variables: in `copy`, or, where it is empty,
/// itself.
static const void *inRowMajor(const cornu_model &model, const void *state,
                              Block &copy) {
  if (!state || !copy.data())
    return state;
  memcpy(copy.data(), state, model.state_bytes);
  for (int32_t i = 0; i < model.num_variables; ++i)
    if (const cornu_variable &variable = model.variables[i]; variable.panels)
      toRowMajor(variable, state,
                 static_cast<char *>(copy.data()) + variable.offset);
  return copy.data();
}

Error CheckpointWriter::write(const char *path, const cornu_model &model,
                              CheckpointHeader &header, const void *state,
                              const void *best) {
  state = inRowMajor(model, state, rowMajor[0]);
  best = inRowMajor(model, best, rowMajor[1]);
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
