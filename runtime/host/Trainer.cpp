//===- Trainer.cpp - The training loop ------------------------------------===//
#include "runtime/host/Trainer.h"
#include "runtime/core/Layout.h"
#include "runtime/core/Shuffle.h"
#include "runtime/host/Interrupt.h"
#include "runtime/host/Safetensors.h"

#include <signal.h>
#include <stdio.h>

namespace cornu::runtime {

// Seconds between the checkpoints of two epochs, at least.
static constexpr double kCheckpointInterval = 1;

Error Trainer::run() {
  if (Error error = prepare())
    return error;
  if (Error error = openResults())
    return error;
  watchInterrupts();
  while (epoch < plan.epochs && !stopped && !unwritten && !pendingInterrupt()) {
    if (plan.epochs > 1 && talks())
      print(format("Epoch %lld/%lld\n", static_cast<long long>(epoch + 1),
                   static_cast<long long>(plan.epochs)));
    Progress progress(plan.display, steps);
    if (Error error = trainEpoch(progress))
      return error;
    if (!unwritten && !pendingInterrupt())
      if (Error error = endEpoch(progress))
        return error;
  }
  if (unwritten)
    return rescue();
  if (epoch < plan.epochs && !stopped)
    return interrupted();
  if (pendingInterrupt() != SIGPIPE) // there is an output to write to
    clearInterrupt();                // it came when all was done
  return finish();
}

void Trainer::keepFirst(Error error) {
  if (error && !unwritten)
    unwritten = std::move(error);
}

//===----------------------------------------------------------------------===//
// An epoch
//===----------------------------------------------------------------------===//

Error Trainer::trainBatch(int64_t index, float *results) {
  int64_t first = index * plan.batchSize;
  int64_t left = trainingRows - first;
  int64_t size = left < plan.batchSize ? left : plan.batchSize;
  const ClassWeights *classes =
      classWeights.entries.empty() ? nullptr : &classWeights;
  RowRange range = {plan.shuffle ? order.data() : nullptr, first, size};
  if (Error error = batch.fill(training, range, classes))
    return error;
  return session.check(model.train_step(session.state(), batch.inputs(),
                                        batch.targets(), size, results,
                                        session.scratch()));
}

Error Trainer::trainEpoch(Progress &progress) {
  if (plan.shuffle)
    shuffle(order.data(), uint32_t(trainingRows), uint64_t(plan.seed),
            uint64_t(epoch));
  if (step == 0)
    if (Error error = session.check(resetMetrics(model, session.state())))
      return error;
  if (step == steps) // resumed between the last batch and the validation
    return session.check(model.metric_results(session.state(), metrics.data(),
                                              session.scratch()));
  while (step < steps && !unwritten && !pendingInterrupt()) {
    bool show = progress.due();
    bool wanted = show || step + 1 == steps;
    if (Error error = trainBatch(step, wanted ? metrics.data() : nullptr))
      return error;
    ++step;
    Logs logs;
    if (show)
      logs.addMetrics(model, metrics.data(), "");
    progress.update(step, show ? &logs : nullptr);
    // The end of an epoch is written after its validation.
    bool due = plan.checkpointEvery > 0 && step < steps &&
               (epoch * steps + step) % plan.checkpointEvery == 0;
    if (due)
      keepFirst(saveCheckpoint());
  }
  return success();
}

Error Trainer::validate(Logs &logs) {
  Vector<float> results;
  results.resize(size_t(model.num_metrics));
  if (Error error = evaluateRows(session, *validation, batch, validationFirst,
                                 validationRows, plan.batchSize, results,
                                 /*progress=*/nullptr))
    return error;
  logs.addMetrics(model, results.data(), "val_");
  return success();
}

Error Trainer::endEpoch(Progress &progress) {
  Logs logs;
  logs.addMetrics(model, metrics.data(), "");
  if (validation) {
    // Validation reuses the metric variables; an interrupt in the middle of it
    // leaves those of the training to the checkpoint.
    Vector<char> saved;
    saved.resize(model.metrics_bytes);
    char *live = static_cast<char *>(session.state()) + model.metrics_offset;
    memcpy(saved.data(), live, saved.size());
    if (Error error = validate(logs))
      return error;
    if (pendingInterrupt()) {
      memcpy(live, saved.data(), saved.size());
      return success(); // a resumed run starts with the validation
    }
  }
  progress.finish(logs);
  if (plan.display == Display::Json) {
    String line = epochJson(epoch, logs);
    line += '\n';
    print(line);
  }
  if (log.isOpen())
    keepFirst(log.append(epoch, logs));
  if (*plan.earlyStopping) {
    EarlyStopping::Decision decision =
        stopping.epochEnded(epoch, *logs.find(stopping.monitor));
    stopped = decision.stop;
    if (decision.keep && stopping.restoreBest) {
      memcpy(bestState.data(), session.state(), model.state_bytes);
      bestKept = true;
    }
  }
  ++epoch;
  step = 0;
  // Synchronizing with the disk takes 20 ms, longer than an epoch of a small
  // model; a crash may cost a second of training.
  bool last = epoch == plan.epochs || stopped;
  if (!unwritten && (last || now() - checkpointTime >= kCheckpointInterval))
    keepFirst(saveCheckpoint());
  return success();
}

Error Trainer::saveCheckpoint() {
  if (!*plan.checkpoint)
    return success();
  checkpointTime = now();
  CheckpointHeader header = {};
  header.seed = uint64_t(plan.seed);
  header.samples = uint64_t(trainingRows);
  header.batch_size = uint64_t(plan.batchSize);
  header.shuffle = plan.shuffle;
  header.epoch = uint64_t(epoch);
  header.batch = uint64_t(step);
  header.best_known = stopping.bestKnown;
  header.best_value = stopping.best;
  header.best_epoch = uint64_t(stopping.bestEpoch);
  header.wait = uint64_t(stopping.wait);
  header.stopped = stopped;
  return checkpoints.write(plan.checkpoint, model, header, session.state(),
                           bestKept ? bestState.data() : nullptr);
}

// Copies the weights of the best epoch; the optimizer goes on from the last.
static void restoreWeights(const cornu_model &model, const void *from,
                           void *to) {
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &variable = model.variables[i];
    uint64_t bytes;
    if ((variable.kind == CORNU_TRAINABLE ||
         variable.kind == CORNU_NON_TRAINABLE) &&
        variableBytes(variable, bytes))
      memcpy(static_cast<char *>(to) + variable.offset,
             static_cast<const char *>(from) + variable.offset, bytes);
  }
}

/// An optimizer with use_ema keeps the average of each variable V in
/// optimizer/V/average: they are what is learnt. A checkpoint keeps both.
static void useAverages(const cornu_model &model, void *state) {
  char *block = static_cast<char *>(state);
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &variable = model.variables[i];
    String name("optimizer/");
    name += variable.name;
    name += "/average";
    const cornu_variable *average = findVariable(model, name.c_str());
    uint64_t bytes;
    if (average && variableBytes(variable, bytes))
      memcpy(block + variable.offset, block + average->offset, bytes);
  }
}

// Makes the state what --save writes.
void Trainer::useLearnt() {
  useAverages(model, session.state());
  if (bestKept) {
    if (talks())
      print(format("Restoring model weights from the end of the best epoch: "
                   "%lld.\n",
                   static_cast<long long>(stopping.bestEpoch + 1)));
    restoreWeights(model, bestState.data(), session.state());
  }
}

Error Trainer::finish() {
  if (stopped && talks())
    print(
        format("Epoch %lld: early stopping\n", static_cast<long long>(epoch)));
  useLearnt();
  if (*plan.save) {
    if (Error error = saveWeights(plan.save, model, session.state()))
      return error;
    if (talks())
      print(format("weights -> %s\n", plan.save));
  }
  return log.close();
}

// A disk is full: the files on the others can still be written.
Error Trainer::rescue() {
  const char *checkpoint = saveCheckpoint() ? "" : plan.checkpoint;
  useLearnt();
  bool saved = *plan.save && !saveWeights(plan.save, model, session.state());
  return failure("%s; training ended after batch %lld of epoch %lld, written: "
                 "%s%s%s",
                 unwritten.message().c_str(), static_cast<long long>(step),
                 static_cast<long long>(epoch + 1), saved ? plan.save : "",
                 saved && *checkpoint ? ", " : "",
                 saved || *checkpoint ? checkpoint : "nothing");
}

Error Trainer::interrupted() {
  if (Error error = saveCheckpoint())
    return error;
  if (Error error = log.close())
    return error;
  String line =
      format("\n%s after batch %lld of epoch %lld; ",
             pendingInterrupt() == SIGPIPE ? "nobody reads the output: stopped"
                                           : "interrupted",
             static_cast<long long>(step), static_cast<long long>(epoch + 1));
  if (*plan.checkpoint)
    line.appendFormat("go on with --resume %s\n", plan.checkpoint);
  else
    line += "nothing was written (--checkpoint F makes a run resumable)\n";
  fwrite(line.c_str(), 1, line.size(), stderr);
  return success();
}

} // namespace cornu::runtime
