//===- TrainingPlan.cpp - NAME fit, up to the first batch -----------------===//
//
// Reads the command line, opens the data, allocates all memory, and puts a
// resumed run where it was.
//
//===----------------------------------------------------------------------===//
#include "runtime/core/Layout.h"
#include "runtime/host/Trainer.h"

namespace cornu::runtime {

Error fitCommand(const cornu_model &model, const Arguments &arguments) {
  if (!model.train_step)
    return failure("'%s' was compiled without training code; compile it with "
                   "a loss and an optimizer and without --inference-only",
                   model.name);
  return Trainer(model, arguments).run();
}

Error Trainer::prepare() {
  if (Error error = readPlan())
    return error;
  CheckpointFile file;
  bool resumes = *plan.resume;
  if (resumes) {
    if (Error error = file.open(plan.resume, model))
      return error;
    if (Error error = adoptCheckpoint(file.header()))
      return error;
  }
  if (Error error = openData())
    return error;
  if (resumes && uint64_t(trainingRows) != file.header().samples)
    return failure("%s was written while training on %llu samples, these data "
                   "give %lld; use the same files and --validation-split",
                   plan.resume,
                   static_cast<unsigned long long>(file.header().samples),
                   static_cast<long long>(trainingRows));
  if (*plan.earlyStopping)
    if (Error error = stopping.parse(plan.earlyStopping, logNames()))
      return error;
  if (Error error = openSession())
    return error;
  if (resumes)
    resume(file);
  return success();
}

// Before hours of training, and when the data are open: what they lie in is
// refused.
Error Trainer::openResults() {
  for (const char *path : {plan.save, plan.checkpoint})
    if (*path)
      if (Error error = checkWritable(path))
        return error;
  return *plan.log ? log.open(plan.log, epoch) : success();
}

// No file may replace another. Weights that training starts from may be
// replaced by what it learns, and a checkpoint by a later one.
Error Trainer::checkNames() const {
  struct File {
    const char *option, *path;
  };
  // The first three are written; three places on is what they may replace.
  const File files[] = {{"--save", plan.save},
                        {"--checkpoint", plan.checkpoint},
                        {"--log", plan.log},
                        {"--weights", arguments.text("--weights")},
                        {"--resume", plan.resume}};
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = i + 1; j < 5; ++j) {
      const File &one = files[i], &other = files[j];
      if (j != i + 3 && *one.path && *other.path &&
          isSameFile(one.path, other.path))
        return failure("%s %s and %s %s name the same file; choose two",
                       one.option, one.path, other.option, other.path);
    }
  return success();
}

Error Trainer::readPlan() {
  struct Integer {
    const char *name;
    int64_t least;
    int64_t *value;
  };
  for (Integer option :
       {Integer{"--epochs", 1, &plan.epochs}, Integer{"--seed", 0, &plan.seed},
        Integer{"--checkpoint-every", 1, &plan.checkpointEvery}})
    if (Error error =
            arguments.integer(option.name, option.least, *option.value))
      return error;
  if (Error error = readBatchSize(model, arguments, plan.batchSize))
    return error;
  if (Error error = arguments.boolean("--shuffle", plan.shuffle))
    return error;
  if (Error error =
          arguments.number("--validation-split", plan.validationSplit))
    return error;
  if (!(plan.validationSplit >= 0 && plan.validationSplit < 1))
    return failure("--validation-split: %s is not in [0, 1)",
                   arguments.text("--validation-split"));
  plan.save = arguments.text("--save");
  plan.checkpoint = arguments.text("--checkpoint");
  plan.resume = arguments.text("--resume");
  plan.log = arguments.text("--log");
  plan.earlyStopping = arguments.text("--early-stopping");
  plan.display = chooseDisplay(arguments);
  if (Error error = checkNames())
    return error;
  if (plan.checkpointEvery && !*plan.checkpoint)
    return failure("--checkpoint-every needs --checkpoint F, the file to "
                   "write");
  if (*plan.resume && arguments.has("--weights"))
    return failure("--weights and --resume exclude each other: a checkpoint "
                   "has all weights");
  if (!arguments.has("--class-weight"))
    return success();
  if (arguments.has("--sample-weight"))
    return failure("--class-weight and --sample-weight exclude each other");
  if (model.num_targets != 1 || model.targets[0].rank > 1)
    return failure("--class-weight needs a model with one target of one class "
                   "per sample");
  const cornu_tensor &target = model.targets[0];
  bool row = target.rank == 1 && target.shape[0] > 1; // one number per class
  return classWeights.parse(arguments.text("--class-weight"),
                            row ? target.shape[0] : target.upper_bound);
}

// What the order of the samples depends on comes from the checkpoint, unless
// the command line says something else, which is an error.
Error Trainer::adoptCheckpoint(const CheckpointHeader &header) {
  struct Setting {
    const char *name;
    int64_t recorded;
    int64_t given;
  };
  const Setting settings[] = {
      {"--batch-size", int64_t(header.batch_size), plan.batchSize},
      {"--seed", int64_t(header.seed), plan.seed},
      {"--shuffle", int64_t(header.shuffle), plan.shuffle}};
  for (const Setting &setting : settings)
    if (arguments.has(setting.name) && setting.recorded != setting.given)
      return failure("%s was written with another %s (%lld); leave the option "
                     "away when resuming",
                     plan.resume, setting.name,
                     static_cast<long long>(setting.recorded));
  bool fits =
      header.batch_size > 0 && header.batch_size <= INT64_MAX &&
      (!model.fixed_batch || int64_t(header.batch_size) == model.fixed_batch);
  if (!fits || header.epoch > INT64_MAX / 2 || header.samples == 0)
    return failure("%s is damaged: its position makes no sense", plan.resume);
  plan.batchSize = int64_t(header.batch_size);
  plan.seed = int64_t(header.seed);
  plan.shuffle = header.shuffle != 0;
  return success();
}

Error Trainer::openData() {
  if (Error error =
          training.open(model,
                        {arguments.all("--input"), arguments.all("--target"),
                         arguments.all("--sample-weight")},
                        true))
    return error;
  trainingRows = training.rows();
  if (Error error = openValidation())
    return error;
  if (Error error = checkWholeBatches(model, trainingRows, "samples"))
    return error;
  if (validation)
    if (Error error =
            checkWholeBatches(model, validationRows, "samples for validation"))
      return error;
  if (plan.shuffle && trainingRows > int64_t(UINT32_MAX))
    return failure("%lld samples are too many to shuffle; use "
                   "--shuffle=false",
                   static_cast<long long>(trainingRows));
  steps = (trainingRows + plan.batchSize - 1) / plan.batchSize;
  return success();
}

Error Trainer::openValidation() {
  if (arguments.has("--validation-input") ||
      arguments.has("--validation-target") ||
      arguments.has("--validation-sample-weight")) {
    Error error = separateValidation.open(
        model,
        {arguments.all("--validation-input"),
         arguments.all("--validation-target"),
         arguments.all("--validation-sample-weight"), "--validation-"},
        true);
    if (startsWith(error.message(), "--"))
      return error; // it names the option
    if (error)
      return failure("validation: %s", error.message().c_str());
    validation = &separateValidation;
    validationRows = separateValidation.rows();
    return success();
  }
  if (plan.validationSplit == 0)
    return success();
  // Keras: the last samples, before shuffling.
  int64_t rows = training.rows();
  trainingRows = int64_t(double(rows) * (1 - plan.validationSplit));
  if (trainingRows == 0 || trainingRows == rows)
    return failure("--validation-split %g leaves no samples for %s out of "
                   "%lld",
                   plan.validationSplit,
                   trainingRows ? "validation" : "training",
                   static_cast<long long>(rows));
  validation = &training;
  validationFirst = trainingRows;
  validationRows = rows - trainingRows;
  return success();
}

Vector<String> Trainer::logNames() const {
  Vector<String> names;
  for (const char *prefix : {"", "val_"})
    for (int32_t i = 0; i < model.num_metrics && (!*prefix || validation); ++i)
      names.push_back(format("%s%s", prefix, model.metric_names[i]));
  return names;
}

Error Trainer::openSession() {
  if (Error error =
          session.start(uint64_t(plan.seed), arguments.text("--weights")))
    return error;
  int64_t most = trainingRows > validationRows ? trainingRows : validationRows;
  int64_t size =
      model.fixed_batch || plan.batchSize < most ? plan.batchSize : most;
  for (const cornu_scratch *scratch :
       {&model.train_scratch, &model.evaluate_scratch})
    if (Error error = session.reserveScratch(*scratch, size))
      return error;
  bool weighted = training.weighted() || separateValidation.weighted() ||
                  !classWeights.entries.empty();
  if (Error error = batch.allocate(model, size, true, weighted))
    return error;
  metrics.resize(size_t(model.num_metrics));
  if (plan.shuffle)
    order.resize(size_t(trainingRows));
  if (stopping.restoreBest)
    bestState.allocate(model.state_bytes);
  if (*plan.checkpoint)
    checkpoints.prepare(model, stopping.restoreBest);
  return success();
}

void Trainer::resume(const CheckpointFile &file) {
  const CheckpointHeader &header = file.header();
  file.readState(model, session.state());
  epoch = int64_t(header.epoch);
  step = int64_t(header.batch) < steps ? int64_t(header.batch) : steps;
  stopping.bestKnown = header.best_known;
  stopping.best = header.best_value;
  stopping.bestEpoch = int64_t(header.best_epoch);
  stopping.wait = int64_t(header.wait);
  stopped = header.stopped;
  if (file.hasBest() && stopping.restoreBest) {
    file.readBest(model, bestState.data());
    bestKept = true;
  }
}

} // namespace cornu::runtime
