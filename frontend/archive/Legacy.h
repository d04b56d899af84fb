//===- Legacy.h - Keras 2 configurations in Keras 3 form --------*- C++ -*-===//
//
// Keras 2 wrote objects without `module`, calls as nested lists, and a few keys
// under other names. The importer knows only Keras 3's form:
//
//   {"class_name": "Model", "config": {"layers": [{"class_name": "Dense",
//    "inbound_nodes": [[["x", 0, 0, {}]]], ...
//   ->
//   {"class_name": "Functional", "config": {"layers": [{"class_name": "Dense",
//    "inbound_nodes": [{"args": [{"class_name": "__keras_tensor__",
//                       "config": {"keras_history": ["x", 0, 0]}}], ...
//
//===----------------------------------------------------------------------===//

#ifndef CORNU_FRONTEND_ARCHIVE_LEGACY_H
#define CORNU_FRONTEND_ARCHIVE_LEGACY_H

#include "frontend/archive/Json.h"

namespace cornu::frontend {

/// The model object (class name and config) in Keras 3 form; the same node if
/// nothing had to change.
const Json *normalizeModel(JsonDocument &document, const Json &model);

/// A legacy `training_config` as a Keras 3 `compile_config`.
const Json *normalizeTraining(JsonDocument &document, const Json &training);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_ARCHIVE_LEGACY_H
