//===- Bench.cpp - NAME bench ---------------------------------------------===//
//
// Times the call alone, after warm-up, on random data. Very short calls are
// timed in groups of at least 0.2 ms, so that the clock's own cost and
// resolution do not count.
//
//===----------------------------------------------------------------------===//
#include "runtime/core/Layout.h"
#include "runtime/core/Philox.h"
#include "runtime/host/Commands.h"
#include "runtime/host/Json.h"
#include "runtime/host/Peak.h"
#include "runtime/host/Profile.h"
#include "runtime/include/cornu/parallel.h"

#include <stdio.h>

namespace cornu::runtime {

namespace {
constexpr double kGroupSeconds = 0.2e-3;
constexpr double kWarmUpSeconds = 0.05;
constexpr int kMinimumRuns = 10, kMinimumProfiled = 5;
/// Slow models are cut short of the minima of runs after this many times the
/// minimum of seconds.
constexpr double kPatience = 10;
constexpr double kMostSeconds = 86400;

struct Timing {
  double median = 0, least = 0;
  int64_t runs = 0;
};
} // namespace

// Standard normal enough for a bench: a sum of four uniforms, with variance 1.
static float normal(PhiloxSequence &random) {
  float sum =
      random.uniform() + random.uniform() + random.uniform() + random.uniform();
  return (sum - 2.0f) * 1.7320508f;
}

static void storeInteger(void *out, uint64_t at, cornu_dtype dtype,
                         int64_t value) {
  convertElements(&value, {Element::Int64, false}, 1, dtype, 0,
                  static_cast<char *>(out) + at * elementBytes(dtype));
}

/// Random numbers in the tensor's range; a target's rows of floats are one-hot.
static void fillRandom(const cornu_tensor &tensor, int64_t batch, bool target,
                       PhiloxSequence &random, void *out) {
  uint64_t elements = 1;
  elementCount(tensor.shape, tensor.rank, elements);
  uint64_t count = elements * uint64_t(batch);
  bool floats = tensor.dtype == CORNU_FLOAT32 || tensor.dtype == CORNU_FLOAT64;
  uint64_t classes = tensor.rank ? uint64_t(tensor.shape[tensor.rank - 1]) : 1;
  bool bounded = tensor.upper_bound > 0;
  if (floats && !target && !bounded) {
    for (uint64_t i = 0; i < count; ++i) {
      float value = normal(random);
      convertElements(&value, {Element::Float32, false}, 1, tensor.dtype, 0,
                      static_cast<char *>(out) +
                          i * elementBytes(tensor.dtype));
    }
    return;
  }
  if (floats && !bounded && classes > 1) {
    memset(out, 0, count * elementBytes(tensor.dtype));
    for (uint64_t row = 0; row + classes <= count; row += classes)
      storeInteger(out, row + random.below(uint32_t(classes)), tensor.dtype, 1);
    return;
  }
  int64_t bound = bounded ? tensor.upper_bound : 2;
  bound =
      bound < 127 || (tensor.dtype != CORNU_INT8 && tensor.dtype != CORNU_UINT8)
          ? bound
          : 127;
  uint32_t below = bound < INT32_MAX ? uint32_t(bound) : INT32_MAX;
  for (uint64_t i = 0; i < count; ++i)
    storeInteger(out, i, tensor.dtype, random.below(below));
}

/// A learning rate of 0 keeps the weights from drifting over thousands of
/// steps on one batch; the work is that of a real step.
static void stopLearning(const cornu_model &model, void *state) {
  const cornu_variable *rate = findVariable(model, "optimizer/learning_rate");
  uint64_t bytes;
  if (rate && variableBytes(*rate, bytes))
    memset(static_cast<char *>(state) + rate->offset, 0, bytes);
}

static void sortTimes(Vector<double> &times) { // Shell's sort, Ciura's gaps
  for (size_t gap : {701, 301, 132, 57, 23, 10, 4, 1})
    for (size_t i = gap; i < times.size(); ++i) {
      double value = times[i];
      size_t at = i;
      for (; at >= gap && times[at - gap] > value; at -= gap)
        times[at] = times[at - gap];
      times[at] = value;
    }
}

template <typename Call>
static Error measure(Call call, double seconds, Timing &timing) {
  double start = now(), took = 0;
  int64_t warm = 0;
  do {
    double before = now();
    if (Error error = call())
      return error;
    took = now() - before;
    ++warm;
  } while (warm < 2 || (now() - start < kWarmUpSeconds && took < 1));
  int64_t group =
      took >= kGroupSeconds ? 1 : int64_t(kGroupSeconds / (took + 1e-9)) + 1;
  Vector<double> times;
  start = now();
  double passed = 0;
  do {
    double before = now();
    for (int64_t i = 0; i < group; ++i)
      if (Error error = call())
        return error;
    times.push_back((now() - before) / double(group));
    passed = now() - start;
  } while (passed < seconds || (int64_t(times.size()) * group < kMinimumRuns &&
                                passed < seconds * kPatience));
  sortTimes(times);
  size_t middle = times.size() / 2;
  timing.median = times.size() % 2 ? times[middle]
                                   : (times[middle - 1] + times[middle]) / 2;
  timing.least = times[0];
  timing.runs = int64_t(times.size()) * group;
  return success();
}

/// After the timing, which a profile would disturb.
template <typename Call>
static Error profileRuns(const cornu_model &model, const Arguments &arguments,
                         Roofline roofline, const char *entry, int64_t batch,
                         double seconds, Call call) {
  if (roofline.flops == 0)
    roofline.flops = measureClock() * double(model.profile->flops_per_cycle) *
                     double(cornu_worker_count());
  if (roofline.bytes == 0)
    roofline.bytes = measureBandwidth();
  Recorder recorder(*model.profile, arguments.has("--cpu-time"));
  double start = now(), passed = 0;
  int runs = 0;
  do {
    recorder.begin();
    Error error = call();
    recorder.end();
    if (error)
      return error;
    ++runs;
    passed = now() - start;
  } while (recorder.hasRoom() &&
           (passed < seconds ||
            (runs < kMinimumProfiled && passed < seconds * kPatience)));
  if (recorder.overflowed())
    fprintf(stderr,
            "note: a run calls more than %llu kernels; the profile has the "
            "first\n",
            static_cast<unsigned long long>(Recorder::kCapacity));
  printKernels(recorder, batch, roofline, arguments.has("--json"));
  return writeTrace(arguments.text("--profile"), recorder, entry, batch);
}

static void printTiming(const cornu_model &model, const Arguments &arguments,
                        std::string_view mode, int64_t batch,
                        const Timing &timing) {
  int64_t threads = cornu_worker_count();
  if (arguments.has("--json")) {
    String line = JsonObject()
                      .add("model", model.name)
                      .add("mode", mode)
                      .add("batch", batch)
                      .add("threads", threads)
                      .add("median_s", timing.median)
                      .add("min_s", timing.least)
                      .add("n_runs", timing.runs)
                      .add("peak_bytes", peakBytes())
                      .text();
    line += '\n';
    return print(line);
  }
  print(format("%s, batch %lld, %lld thread%s: median %.4g ms, minimum %.4g ms "
               "of %lld runs, %.4g samples/s\n",
               String(mode).c_str(), static_cast<long long>(batch),
               static_cast<long long>(threads), threads == 1 ? "" : "s",
               timing.median * 1e3, timing.least * 1e3,
               static_cast<long long>(timing.runs),
               double(batch) / timing.median));
}

Error benchCommand(const cornu_model &model, const Arguments &arguments) {
  std::string_view mode = arguments.text("--mode", "infer");
  bool train = mode == "train";
  if (!train && mode != "infer")
    return failure("--mode: '%s' is neither 'infer' nor 'train'",
                   String(mode).c_str());
  if (train && !model.train_step)
    return failure("'%s' was compiled without training code; compile it with "
                   "a loss and an optimizer and without --inference-only",
                   model.name);
  bool profile = arguments.has("--profile");
  if (profile && !model.profile)
    return failure("'%s' was compiled without marks of its kernels; compile it "
                   "with 'cornu compile --profile'",
                   model.name);
  if (profile)
    if (Error error = checkWritable(arguments.text("--profile")))
      return error;
  // What is not given is 0, and measured.
  struct Limit {
    const char *option;
    double Roofline::*rate;
  };
  Roofline roofline;
  for (Limit limit : {Limit{"--peak-gflops", &Roofline::flops},
                      Limit{"--peak-gbs", &Roofline::bytes}}) {
    if (!arguments.has(limit.option))
      continue;
    double rate = 0;
    if (Error error = arguments.number(limit.option, rate))
      return error;
    if (!(rate > 0))
      return failure("%s: %s is no rate above 0", limit.option,
                     arguments.text(limit.option));
    if (!profile)
      return failure("%s belongs to --profile F", limit.option);
    roofline.*limit.rate = rate * 1e9;
  }
  int64_t size, seed = 0;
  double seconds = 1;
  if (Error error = readBatchSize(model, arguments, size))
    return error;
  if (Error error = arguments.integer("--seed", 0, seed))
    return error;
  if (Error error = arguments.number("--min-seconds", seconds))
    return error;
  if (!(seconds >= 0 && seconds <= kMostSeconds))
    return failure("--min-seconds: %s is not in [0, %g]",
                   arguments.text("--min-seconds"), kMostSeconds);
  Session session(model);
  if (Error error = session.start(uint64_t(seed), ""))
    return error;
  if (Error error = session.reserveScratch(
          train ? model.train_scratch : model.predict_scratch, size))
    return error;
  Batch batch;
  if (Error error = batch.allocate(model, size, train, false))
    return error;
  PhiloxSequence random(uint64_t(seed), /*stream=*/0);
  for (int32_t i = 0; i < model.num_inputs; ++i)
    fillRandom(model.inputs[i], size, false, random, batch.input(i));
  auto run = [&](auto step) -> Error {
    Timing timing;
    if (Error error = measure(step, seconds, timing))
      return error;
    printTiming(model, arguments, mode, size, timing);
    return profile ? profileRuns(model, arguments, roofline,
                                 train ? "train_step" : "predict",
                                 train ? size
                                       : int64_t(samplesOfPart(
                                             model.predict_scratch, size)),
                                 seconds, step)
                   : success();
  };
  if (train) {
    for (int32_t i = 0; i < model.num_targets; ++i)
      fillRandom(model.targets[i], size, true, random, batch.target(i));
    stopLearning(model, session.state());
    auto step = [&]() -> Error {
      return session.check(model.train_step(session.state(), batch.inputs(),
                                            batch.targets(), size, nullptr,
                                            session.scratch()));
    };
    if (Error error = run(step))
      return error;
  } else {
    Vector<Owned<Block>> outputs;
    Vector<void *> pointers;
    for (int32_t i = 0; i < model.num_outputs; ++i) {
      uint64_t bytes = 0;
      sampleBytes(model.outputs[i], bytes);
      outputs.push_back(Owned<Block>::make());
      outputs.back()->allocate(bytes * uint64_t(size));
      pointers.push_back(outputs.back()->data());
    }
    auto step = [&]() -> Error {
      return session.check(model.predict(session.state(), batch.inputs(), size,
                                         pointers.data(), session.scratch()));
    };
    if (Error error = run(step))
      return error;
  }
  return success();
}

} // namespace cornu::runtime
