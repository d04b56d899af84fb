//===- Safetensors.h - Weights in and out ---------------------------------===//
//
// The safetensors format: 8 bytes of header length, a JSON object
// {"dense/kernel": {"dtype": "F32", "shape": [100, 64],
//                   "data_offsets": [0, 25600]}, ...}, the data.
// https://github.com/huggingface/safetensors#format
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_SAFETENSORS_H
#define CORNU_RUNTIME_HOST_SAFETENSORS_H

#include "runtime/host/File.h"
#include "runtime/include/cornu/model.h"

namespace cornu::runtime {

/// Whether --save writes the variable: weights, moving statistics and the
/// optimizer's variables, so that training can continue elsewhere.
bool isSaved(const cornu_variable &variable);

/// Writes all saved variables of the state block.
Error saveWeights(const char *path, const cornu_model &model,
                  const void *state);

/// Copies a file's tensors into the state block. All weights must be there,
/// the optimizer's variables need not; shapes must agree; unknown names are an
/// error, except an optimizer's.
Error loadWeights(const char *path, const cornu_model &model, void *state);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_SAFETENSORS_H
