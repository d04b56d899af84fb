//===- Layout.h - Reading a model's descriptor ----------------------------===//
//
// Sizes, look-ups and a fingerprint of the blocks that a cornu_model asks
// for. Every size is checked for overflow.
//
//   uint64_t bytes;
//   if (!scratchBytes(model.train_scratch, batch, workers, bytes)) ...
//   const cornu_variable *rate = findVariable(model,
//   "optimizer/learning_rate");
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_CORE_LAYOUT_H
#define CORNU_RUNTIME_CORE_LAYOUT_H

#include "runtime/include/cornu/model.h"

namespace cornu::runtime {

/// Bytes of one element; 0 for a value that is no dtype.
uint64_t elementBytes(cornu_dtype dtype);

/// "float32", as NumPy names it.
const char *dtypeName(cornu_dtype dtype);

/// Product of the sizes; false if it overflows 63 bits or a size is negative.
bool elementCount(const int64_t *shape, int32_t rank, uint64_t &count);

/// Bytes of one sample of `tensor`; false on overflow.
bool sampleBytes(const cornu_tensor &tensor, uint64_t &bytes);

/// Bytes of `variable`; false on overflow.
bool variableBytes(const cornu_variable &variable, uint64_t &bytes);

/// The elements of `variable` from its place in the state block to row-major
/// order, or the other way; see cornu_variable::panels. What is transformed for
/// minimal filtering is only in programs that save nothing: it has no way back.
void toRowMajor(const cornu_variable &variable, const void *state,
                void *rowMajor);
void fromRowMajor(const cornu_variable &variable, const void *rowMajor,
                  void *state);

/// The samples of a batch that an entry computes together: parts are of equal
/// size, but for the last.
uint64_t samplesOfPart(const cornu_scratch &scratch, uint64_t batch);

/// fixed + per_sample * samples + per_worker * workers; false on overflow.
bool scratchBytes(const cornu_scratch &scratch, uint64_t batch,
                  uint64_t workers, uint64_t &bytes);

/// The variable of that name, or null.
const cornu_variable *findVariable(const cornu_model &model, const char *name);

/// Zeroes the metric variables, as at the start of an epoch.
int resetMetrics(const cornu_model &model, void *state);

/// Fingerprint of the state block's layout: names, dtypes, shapes, offsets,
/// kinds of all variables. Two programs with the same one can exchange state
/// blocks whose variables are row-major.
uint64_t layoutHash(const cornu_model &model);

/// Continues a 64-bit FNV-1a hash.
uint64_t hashBytes(uint64_t hash, const void *data, uint64_t size);
constexpr uint64_t kHashStart = 0xcbf29ce484222325u;

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_CORE_LAYOUT_H
