//===- Evaluate.cpp - NAME evaluate ---------------------------------------===//
#include "runtime/core/Layout.h"
#include "runtime/host/Commands.h"
#include "runtime/host/Interrupt.h"
#include "runtime/host/Json.h"

namespace cornu::runtime {

Error evaluateRows(Session &session, Dataset &data, Batch &batch, int64_t first,
                   int64_t count, int64_t batchSize, Vector<float> &metrics,
                   Progress *progress) {
  const cornu_model &model = session.model;
  if (Error error = session.check(resetMetrics(model, session.state())))
    return error;
  int64_t steps = (count + batchSize - 1) / batchSize;
  for (int64_t step = 0; step < steps && !pendingInterrupt(); ++step) {
    int64_t begin = step * batchSize;
    int64_t size = count - begin < batchSize ? count - begin : batchSize;
    if (Error error = batch.fill(data, {nullptr, first + begin, size}))
      return error;
    bool show = progress && progress->due();
    bool wanted = show || step + 1 == steps;
    if (Error error = session.check(model.evaluate_step(
            session.state(), batch.inputs(), batch.targets(), size,
            wanted ? metrics.data() : nullptr, session.scratch())))
      return error;
    if (!progress)
      continue;
    Logs logs;
    if (show)
      logs.addMetrics(model, metrics.data(), "");
    progress->update(step + 1, show ? &logs : nullptr);
  }
  return success();
}

Error evaluateCommand(const cornu_model &model, const Arguments &arguments) {
  if (!model.evaluate_step)
    return failure("'%s' was compiled without a loss or with --inference-only, "
                   "so it cannot evaluate; compile it with --loss and without "
                   "--inference-only",
                   model.name);
  int64_t batchSize, seed = 0;
  if (Error error = readBatchSize(model, arguments, batchSize))
    return error;
  if (Error error = arguments.integer("--seed", 0, seed))
    return error;
  Dataset data;
  if (Error error =
          data.open(model,
                    {arguments.all("--input"), arguments.all("--target"),
                     arguments.all("--sample-weight")},
                    true))
    return error;
  int64_t rows = data.rows();
  if (Error error = checkWholeBatches(model, rows, "samples"))
    return error;
  if (!model.fixed_batch && batchSize > rows)
    batchSize = rows;
  Session session(model);
  if (Error error = session.start(uint64_t(seed), arguments.text("--weights")))
    return error;
  if (Error error = session.reserveScratch(model.evaluate_scratch, batchSize))
    return error;
  Batch batch;
  if (Error error = batch.allocate(model, batchSize, true, data.weighted()))
    return error;

  watchInterrupts();
  Vector<float> metrics;
  metrics.resize(size_t(model.num_metrics));
  Display display = chooseDisplay(arguments);
  Progress progress(display, (rows + batchSize - 1) / batchSize);
  if (Error error = evaluateRows(session, data, batch, 0, rows, batchSize,
                                 metrics, &progress))
    return error;
  if (pendingInterrupt())
    return success();
  Logs logs;
  logs.addMetrics(model, metrics.data(), "");
  progress.finish(logs);
  if (display == Display::Json || display == Display::Quiet) {
    JsonObject object;
    String plain;
    for (const Logs::Entry &entry : logs.entries) {
      object.add(entry.name, entry.value);
      plain.appendFormat("%s%s: %.6g", plain.empty() ? "" : " - ",
                         entry.name.c_str(), entry.value);
    }
    String line = display == Display::Json ? object.text() : plain;
    line += '\n';
    print(line);
  }
  return success();
}

} // namespace cornu::runtime
