//===- ModelConfig.h - Reading a model's configuration ----------*- C++ -*-===//
//
// What Model.cpp (the graph) and ModelConfig.cpp (inputs, outputs, summary)
// both need to know of a model's JSON.
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_IMPORT_MODELCONFIG_H
#define CORNU_FRONTEND_IMPORT_MODELCONFIG_H

#include "frontend/import/ModelBuilder.h"

namespace cornu::frontend {

bool isFunctional(const Json &layer);
/// Sequential or Functional.
bool isModel(const Json &layer);
/// Functional models name a layer beside its config, Sequential ones in it.
std::string layerName(const Json &layer);
/// The element type of values of a Keras dtype; i64 is i32, as on JAX.
mlir::Type elementTypeOf(ModelBuilder &model, llvm::StringRef dtype);
/// The triples [layer, node, tensor] of input_layers or output_layers: a single
/// one, a list, or a dict in the order of sorted keys, with its keys.
std::vector<std::pair<std::string, const Json *>>
flattenTriples(const Json &json);
/// The triple of a __keras_tensor__; null for anything else.
const Json *historyOf(const Json &json);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_MODELCONFIG_H
