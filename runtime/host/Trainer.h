//===- Trainer.h - The training loop --------------------------------------===//
//
//   epoch: reset metrics -> batches in a new order -> logs of the training
//          -> validation -> early stopping -> log, checkpoint
//
// A log or checkpoint that cannot be written ends the loop; what else there is
// to write is written nevertheless, since it took the same hours.
//
// The position in this loop (epoch, batch), the state block and early
// stopping's memory are all that a checkpoint holds; the rest follows from the
// command line.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_TRAINER_H
#define CORNU_RUNTIME_HOST_TRAINER_H

#include "runtime/host/CheckpointFile.h"
#include "runtime/host/Commands.h"
#include "runtime/host/EarlyStopping.h"
#include "runtime/host/EpochLog.h"

namespace cornu::runtime {

struct TrainingPlan {
  int64_t epochs = 1;
  int64_t batchSize = 32;
  int64_t seed = 0;
  bool shuffle = true;
  double validationSplit = 0;
  int64_t checkpointEvery = 0; ///< batches; 0: epochs only
  const char *save = "";
  const char *checkpoint = "";
  const char *resume = "";
  const char *log = "";
  const char *earlyStopping = "";
  Display display = Display::Lines;
};

class Trainer {
public:
  Trainer(const cornu_model &model, const Arguments &arguments)
      : model(model), arguments(arguments), session(model) {}

  Error run();

private:
  // Preparation: TrainingPlan.cpp.
  Error prepare();
  Error checkNames() const;
  Error openResults();
  Error readPlan();
  Error adoptCheckpoint(const CheckpointHeader &header);
  Error openData();
  Error openValidation();
  Error openSession();
  void resume(const CheckpointFile &file);
  Vector<String> logNames() const;

  // The loop: Trainer.cpp.
  Error trainEpoch(Progress &progress);
  Error trainBatch(int64_t index, float *results);
  Error endEpoch(Progress &progress);
  Error validate(Logs &logs);
  Error saveCheckpoint();
  Error interrupted();
  Error rescue();
  void useLearnt();
  Error finish();
  void keepFirst(Error error);
  bool talks() const {
    return plan.display == Display::Bar || plan.display == Display::Lines;
  }

  const cornu_model &model;
  const Arguments &arguments;
  TrainingPlan plan;
  Session session;
  Dataset training;
  Dataset separateValidation;
  Dataset *validation = nullptr; ///< one of the two, or none
  int64_t trainingRows = 0;
  int64_t validationFirst = 0;
  int64_t validationRows = 0;
  int64_t steps = 0; ///< batches of an epoch
  Batch batch;
  Vector<uint32_t> order;
  ClassWeights classWeights;
  Vector<float> metrics;
  EarlyStopping stopping;
  CheckpointWriter checkpoints;
  Block bestState; ///< of the best epoch, if it is to be restored
  bool bestKept = false;
  double checkpointTime = 0; ///< of the last one
  EpochLog log;
  Error unwritten; ///< the first log or checkpoint that could not be written
  // Where the loop is: `step` batches of `epoch` are done.
  int64_t epoch = 0;
  int64_t step = 0;
  bool stopped = false; ///< by early stopping
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_TRAINER_H
