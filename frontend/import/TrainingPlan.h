//===- TrainingPlan.h - Losses and metrics of each output -------*- C++ -*-===//
#ifndef CORNU_FRONTEND_IMPORT_TRAININGPLAN_H
#define CORNU_FRONTEND_IMPORT_TRAININGPLAN_H

#include "frontend/import/Training.h"

#include <optional>

namespace cornu::frontend {

struct TrainingPlan {
  std::vector<std::optional<LossSpec>> losses; // per output
  std::vector<MetricSpec> metrics;
};

/// Decides the types of targets, too. Nothing if there are errors, which have
/// been reported.
std::optional<TrainingPlan> planTraining(ModelBuilder &model,
                                         llvm::MutableArrayRef<Output> outputs);

} // namespace cornu::frontend

#endif // CORNU_FRONTEND_IMPORT_TRAININGPLAN_H
