//===- Profile.cpp - When which kernel ran --------------------------------===//
#include "runtime/host/Profile.h"
#include "runtime/host/Commands.h"
#include "runtime/host/File.h"
#include "runtime/host/Json.h"

#include <time.h>

namespace cornu::runtime {

Recorder *Recorder::active = nullptr;

Recorder::Recorder(const cornu_profile &profile, bool cpuTime)
    : profile(profile), cpuTime(cpuTime) {
  marks.reserve(kCapacity);
  active = this;
  *profile.hook = hook;
}

Recorder::~Recorder() {
  *profile.hook = nullptr;
  active = nullptr;
}

void Recorder::hook(int32_t call) { active->mark(call); }

void Recorder::mark(int32_t call) {
  if (marks.size() == kCapacity) {
    lost = true;
    return;
  }
  timespec time;
  clock_gettime(cpuTime ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  marks.push_back({int64_t(time.tv_sec) * 1000000000 + time.tv_nsec, call});
}

void Recorder::begin() {
  start = marks.size();
  mark(Begin);
}

void Recorder::end() {
  mark(End);
  uint64_t length = marks.size() - start;
  longest = length > longest ? length : longest;
}

//===--- The trace --------------------------------------------------------===//

static double flopsOf(const cornu_kernel_call &call, int64_t batch) {
  return double(call.flops) + double(call.flops_per_sample) * double(batch);
}

static double bytesOf(const cornu_kernel_call &call, int64_t batch) {
  return double(call.bytes) + double(call.bytes_per_sample) * double(batch);
}

/// A complete event, which lasts from `begin` to `end`.
static void addEvent(String &text, std::string_view name, int64_t begin,
                     int64_t end, std::string_view arguments) {
  text.appendFormat(",\n{\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":%.3f,"
                    "\"dur\":%.3f,\"name\":",
                    double(begin) * 1e-3, double(end - begin) * 1e-3);
  text += jsonString(name);
  text += ",\"args\":";
  text += arguments;
  text += '}';
}

Error writeTrace(const char *path, const Recorder &recorder, const char *entry,
                 int64_t batch) {
  OutputFile file;
  if (Error error = file.create(path))
    return error;
  // What is the same for all events of a call.
  const cornu_profile &profile = recorder.profile;
  Vector<String> arguments;
  for (int32_t i = 0; i < profile.num_calls; ++i) {
    const cornu_kernel_call &call = profile.calls[i];
    const cornu_kernel &kernel = profile.kernels[call.kernel];
    arguments.push_back(JsonObject()
                            .add("layers", kernel.layers)
                            .add("strategy", kernel.strategy)
                            .add("flops", flopsOf(call, batch))
                            .add("bytes", bytesOf(call, batch))
                            .text());
  }
  String text = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n"
                "{\"ph\":\"M\",\"pid\":1,\"tid\":1,\"name\":\"thread_name\","
                "\"args\":{\"name\":\"main\"}}";
  String ofRun = JsonObject().add("batch", batch).text();
  const Vector<Recorder::Mark> &marks = recorder.marks;
  int64_t zero = marks.empty() ? 0 : marks[0].nanoseconds, begin = 0;
  for (size_t i = 0; i < marks.size(); ++i) {
    int64_t from = marks[i].nanoseconds - zero;
    int32_t call = marks[i].call;
    if (call == Recorder::Begin)
      begin = from;
    else if (call == Recorder::End)
      addEvent(text, entry, begin, from, ofRun);
    else if (i + 1 < marks.size())
      addEvent(text, profile.kernels[profile.calls[call].kernel].name, from,
               marks[i + 1].nanoseconds - zero, arguments[size_t(call)]);
    if (text.size() > (1 << 16)) {
      if (Error error = file.write(text.c_str(), text.size()))
        return error;
      text.clear();
    }
  }
  text += "\n]}\n";
  if (Error error = file.write(text.c_str(), text.size()))
    return error;
  return file.commit();
}

//===--- The table --------------------------------------------------------===//

namespace {
/// A kernel, in all runs.
struct Row {
  const cornu_kernel *kernel = nullptr;
  double calls = 0, seconds = 0, flops = 0, bytes = 0;
  /// Of each of its places in the entry, the time in the run where that was
  /// shortest: what is left where other programs take the processor away.
  double least = 0;
};

/// Sums of a place in the entry, which may be in a loop.
struct Place {
  double inRun = 0, least = 0;
};
} // namespace

/// The rows in the order of their time; what an entry does before its first
/// kernel has none.
static Vector<Row> rowsOf(const Recorder &recorder, int64_t batch,
                          int64_t &runs, double &seconds) {
  const cornu_profile &profile = recorder.profile;
  Vector<Row> rows;
  for (int32_t i = 0; i < profile.num_kernels; ++i) {
    rows.push_back({});
    rows[size_t(i)].kernel = &profile.kernels[i];
  }
  Vector<Place> places;
  for (int32_t i = 0; i < profile.num_calls; ++i)
    places.push_back({});
  auto endRun = [&] {
    for (Place &place : places) {
      if (place.inRun > 0 && (place.least == 0 || place.inRun < place.least))
        place.least = place.inRun;
      place.inRun = 0;
    }
  };
  const Vector<Recorder::Mark> &marks = recorder.marks;
  for (size_t i = 0; i + 1 < marks.size(); ++i) {
    double passed =
        double(marks[i + 1].nanoseconds - marks[i].nanoseconds) * 1e-9;
    if (marks[i].call == Recorder::End) {
      endRun();
      continue;
    }
    seconds += passed;
    if (marks[i].call == Recorder::Begin) {
      ++runs;
      continue;
    }
    const cornu_kernel_call &call = profile.calls[marks[i].call];
    Row &row = rows[size_t(call.kernel)];
    row.calls += 1;
    row.seconds += passed;
    places[size_t(marks[i].call)].inRun += passed;
    row.flops += flopsOf(call, batch);
    row.bytes += bytesOf(call, batch);
  }
  endRun();
  for (size_t i = 0; i < places.size(); ++i)
    rows[size_t(profile.calls[i].kernel)].least += places[i].least;
  // Hundreds at most: sorted by insertion.
  for (size_t i = 1; i < rows.size(); ++i)
    for (size_t j = i; j && rows[j - 1].seconds < rows[j].seconds; --j)
      std::swap(rows[j - 1], rows[j]);
  return rows;
}

/// "1.23 M"
static String scaled(double value) {
  constexpr const char *kPrefixes[] = {"", " k", " M", " G", " T"};
  size_t prefix = 0;
  for (; value >= 1000 && prefix + 1 < sizeof(kPrefixes) / sizeof(char *);
       ++prefix)
    value /= 1000;
  return format("%.3g%s", value, kPrefixes[prefix]);
}

void printKernels(const Recorder &recorder, int64_t batch,
                  const Roofline &roofline, bool json) {
  int64_t runs = 0;
  double all = 0;
  Vector<Row> rows = rowsOf(recorder, batch, runs, all);
  if (!json)
    print(format("%lld runs; at most %s FLOP/s and %s B/s, of which roof is a "
                 "kernel's part\n"
                 "%-12s %6s %9s %6s %8s %8s %8s %8s %6s  %s\n",
                 static_cast<long long>(runs), scaled(roofline.flops).c_str(),
                 scaled(roofline.bytes).c_str(), "kernel", "calls", "ms",
                 "share", "FLOP", "GFLOP/s", "bytes", "GB/s", "roof",
                 "strategy; layers"));
  for (const Row &row : rows) {
    if (row.calls == 0)
      continue;
    double once = 1 / double(runs);
    double compute = roofline.flops > 0 ? row.flops / roofline.flops : 0;
    double memory = roofline.bytes > 0 ? row.bytes / roofline.bytes : 0;
    double roof = (compute > memory ? compute : memory) / row.seconds;
    if (json) {
      String line = JsonObject()
                        .add("kernel", row.kernel->name)
                        .add("calls", row.calls * once)
                        .add("seconds", row.seconds * once)
                        .add("min_seconds", row.least)
                        .add("share", row.seconds / all)
                        .add("flops", row.flops * once)
                        .add("bytes", row.bytes * once)
                        .add("roof", roof)
                        .add("strategy", row.kernel->strategy)
                        .add("layers", row.kernel->layers)
                        .text();
      line += '\n';
      print(line);
      continue;
    }
    std::string_view layers = row.kernel->layers;
    constexpr size_t kWidest = 60;
    print(
        format("%-12s %6.4g %9.4g %5.1f%% %8s %8.3g %8s %8.3g %5.1f%%  "
               "%s; %s%s\n",
               row.kernel->name, row.calls * once, row.seconds * once * 1e3,
               100 * row.seconds / all, scaled(row.flops * once).c_str(),
               row.flops / row.seconds * 1e-9, scaled(row.bytes * once).c_str(),
               row.bytes / row.seconds * 1e-9, 100 * roof, row.kernel->strategy,
               String(slice(layers, 0, kWidest)).c_str(),
               layers.size() > kWidest ? "..." : ""));
  }
}

} // namespace cornu::runtime
