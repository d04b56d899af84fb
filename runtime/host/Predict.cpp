//===- Predict.cpp - NAME predict -----------------------------------------===//
#include "runtime/core/Layout.h"
#include "runtime/host/Commands.h"
#include "runtime/host/Interrupt.h"
#include "runtime/host/Json.h"
#include "runtime/host/Predictions.h"

namespace cornu::runtime {

namespace {
/// Buffers that the model writes a batch of outputs to.
struct OutputBuffers {
  Vector<Owned<Block>> blocks;
  Vector<void *> pointers;

  Error allocate(const cornu_model &model, int64_t batch) {
    for (int32_t i = 0; i < model.num_outputs; ++i) {
      uint64_t bytes;
      if (!sampleBytes(model.outputs[i], bytes) ||
          __builtin_mul_overflow(bytes, uint64_t(batch), &bytes))
        return failure("a batch of %lld is too large; use a smaller "
                       "--batch-size",
                       static_cast<long long>(batch));
      blocks.push_back(Owned<Block>::make());
      blocks.back()->allocate(bytes);
      pointers.push_back(blocks.back()->data());
    }
    return success();
  }
};

// A summary shows this many samples, and numbers of each.
constexpr int64_t kShownSamples = 10;
constexpr uint64_t kShownNumbers = 8;
} // namespace

static uint64_t elementsOf(const cornu_tensor &tensor) {
  uint64_t count = 1;
  elementCount(tensor.shape, tensor.rank, count);
  return count;
}

// "   3  dense_1  [0.01 0.95 ...]  largest: 1"
static void appendSample(String &text, const cornu_tensor &tensor,
                         const void *data, int64_t row, int64_t number,
                         bool named) {
  uint64_t count = elementsOf(tensor), largest = 0;
  text.appendFormat("%6lld  ", static_cast<long long>(number));
  if (named)
    text.appendFormat("%s  ", tensor.name);
  if (count > 1)
    text += "[";
  double best = 0;
  for (uint64_t e = 0; e < count; ++e) {
    double value = outputValue(tensor.dtype, data, uint64_t(row) * count + e);
    if (e == 0 || value > best) {
      best = value;
      largest = e;
    }
    if (e < kShownNumbers)
      text.appendFormat("%s%.4g", e ? " " : "", value);
    else if (e == kShownNumbers)
      text += " ...";
  }
  if (count > 1)
    text += "]";
  if (count > 1 && tensor.rank == 1)
    text.appendFormat("  largest: %llu",
                      static_cast<unsigned long long>(largest));
  text += '\n';
}

static void appendJsonRow(String &text, const cornu_model &model,
                          void *const *outputs, int64_t row) {
  JsonObject object;
  for (int32_t i = 0; i < model.num_outputs; ++i) {
    const cornu_tensor &tensor = model.outputs[i];
    uint64_t count = elementsOf(tensor);
    String values("[");
    for (uint64_t e = 0; e < count; ++e) {
      values += e ? ", " : "";
      values += jsonNumber(
          outputValue(tensor.dtype, outputs[i], uint64_t(row) * count + e));
    }
    values += "]";
    object.addRaw(tensor.name, values);
  }
  text += object.text();
  text += '\n';
}

static void showBatch(const cornu_model &model, void *const *outputs,
                      int64_t first, int64_t count, bool json) {
  String text;
  for (int64_t row = 0; row < count; ++row) {
    if (json)
      appendJsonRow(text, model, outputs, row);
    else if (first + row < kShownSamples)
      for (int32_t i = 0; i < model.num_outputs; ++i)
        appendSample(text, model.outputs[i], outputs[i], row, first + row,
                     model.num_outputs > 1);
  }
  print(text);
}

static void showEnd(const cornu_model &model, int64_t rows, double seconds,
                    const Vector<String> &files, Display display) {
  if (display == Display::Quiet)
    return;
  if (display == Display::Json) {
    if (files.empty())
      return; // the rows themselves were printed
    String line = JsonObject()
                      .add("samples", rows)
                      .add("seconds", seconds)
                      .add("output", join(files))
                      .text();
    line += '\n';
    return print(line);
  }
  if (!files.empty())
    return print(format("%lld samples in %.3g s -> %s\n",
                        static_cast<long long>(rows), seconds,
                        join(files).c_str()));
  String text;
  if (rows > kShownSamples)
    text.appendFormat("   ... %lld more; --output FILE writes all\n",
                      static_cast<long long>(rows - kShownSamples));
  for (int32_t i = 0; i < model.num_outputs; ++i) {
    const cornu_tensor &tensor = model.outputs[i];
    text.appendFormat(
        "%s: %s %s in %.3g s\n", tensor.name, dtypeName(tensor.dtype),
        shapeText(format("%lld", static_cast<long long>(rows)).c_str(),
                  tensor.shape, size_t(tensor.rank))
            .c_str(),
        seconds);
  }
  print(text);
}

Error predictCommand(const cornu_model &model, const Arguments &arguments) {
  int64_t batchSize, seed = 0;
  if (Error error = readBatchSize(model, arguments, batchSize))
    return error;
  if (Error error = arguments.integer("--seed", 0, seed))
    return error;
  Dataset data;
  if (Error error = data.open(model, {arguments.all("--input"), {}, {}}, false))
    return error;
  int64_t rows = data.rows();
  if (!model.fixed_batch && batchSize > rows)
    batchSize = rows;
  Session session(model);
  if (Error error = session.start(uint64_t(seed), arguments.text("--weights")))
    return error;
  if (Error error = session.reserveScratch(model.predict_scratch, batchSize))
    return error;
  Batch batch;
  if (Error error = batch.allocate(model, batchSize, false, false))
    return error;
  OutputBuffers outputs;
  if (Error error = outputs.allocate(model, batchSize))
    return error;
  Vector<String> files = arguments.all("--output");
  Predictions predictions;
  if (Error error = predictions.open(model, files, rows))
    return error;

  watchInterrupts();
  Display display = chooseDisplay(arguments);
  bool shown = files.empty();
  int64_t steps = (rows + batchSize - 1) / batchSize;
  Progress progress(shown ? Display::Quiet : display, steps);
  double start = now();
  for (int64_t step = 0; step < steps && !pendingInterrupt(); ++step) {
    int64_t first = step * batchSize;
    int64_t count = rows - first < batchSize ? rows - first : batchSize;
    if (Error error = batch.fill(data, {nullptr, first, count}))
      return error;
    // A fixed batch is always whole; what is left in the rest of the staging
    // buffer is computed and dropped.
    int64_t size = model.fixed_batch ? model.fixed_batch : count;
    if (Error error = session.check(
            model.predict(session.state(), batch.inputs(), size,
                          outputs.pointers.data(), session.scratch())))
      return error;
    if (Error error = predictions.write(outputs.pointers.data(), count))
      return error;
    if (shown)
      showBatch(model, outputs.pointers.data(), first, count,
                display == Display::Json);
    Logs none;
    progress.update(step + 1, progress.due() ? &none : nullptr);
  }
  if (pendingInterrupt())
    return success(); // the files are not committed
  if (Error error = predictions.commit())
    return error;
  if (display == Display::Bar && !shown)
    progress.finish(Logs());
  showEnd(model, rows, now() - start, files, display);
  return success();
}

} // namespace cornu::runtime
