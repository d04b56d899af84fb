//===- Progress.cpp - Keras's progress line, logs of an epoch -------------===//
#include "runtime/host/Progress.h"
#include "runtime/host/Interrupt.h"
#include "runtime/host/Options.h"
#include "runtime/host/Session.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

namespace cornu::runtime {

// keras.utils.Progbar: width and interval.
static constexpr int kCells = 20;
static constexpr double kInterval = 0.05;

Display chooseDisplay(const Arguments &arguments) {
  if (arguments.has("--json"))
    return Display::Json;
  if (arguments.has("--quiet"))
    return Display::Quiet;
  return isatty(STDOUT_FILENO) ? Display::Bar : Display::Lines;
}

const double *Logs::find(std::string_view name) const {
  for (const Entry &entry : entries)
    if (std::string_view(entry.name) == name)
      return &entry.value;
  return nullptr;
}

void Logs::addMetrics(const cornu_model &model, const float *values,
                      const char *prefix) {
  size_t first = entries.size();
  for (int32_t i = 0; i < model.num_metrics; ++i) {
    Entry entry = {format("%s%s", prefix, model.metric_names[i]),
                   double(values[i])};
    // Insertion sort by bytes, as Python sorts strings; there are few.
    entries.push_back(std::move(entry));
    for (size_t at = entries.size() - 1;
         at > first && std::string_view(entries[at].name) <
                           std::string_view(entries[at - 1].name);
         --at)
      std::swap(entries[at], entries[at - 1]);
  }
}

Progress::Progress(Display display, int64_t steps)
    : display(display), steps(steps), start(now()) {}

bool Progress::due() const {
  return display == Display::Bar && now() - lastUpdate >= kInterval;
}

// The first step is left out of the mean once there are more, since it is
// slower than the others.
double Progress::secondsPerStep(int64_t step, double elapsed) {
  if (step == 0)
    return 0;
  double result = firstStepEnd >= 0 && step > 1
                      ? (elapsed - firstStepEnd) / double(step - 1)
                      : elapsed / double(step);
  if (step == 1)
    firstStepEnd = elapsed;
  return result;
}

static String timeText(double seconds) {
  if (seconds >= 1 || seconds == 0)
    return format(" %.0fs/step", seconds);
  if (seconds >= 1e-3)
    return format(" %.0fms/step", seconds * 1e3);
  return format(" %.0fus/step", seconds * 1e6);
}

static String remainingText(double seconds) {
  int64_t eta = int64_t(seconds);
  long long hours = eta / 3600, minutes = eta % 3600 / 60, rest = eta % 60;
  if (seconds > 3600)
    return format("%lld:%02lld:%02lld", hours, minutes, rest);
  if (seconds > 60)
    return format("%lld:%02lld", static_cast<long long>(eta / 60), rest);
  return format("%llds", static_cast<long long>(eta));
}

static void appendValue(String &text, const Logs::Entry &entry, bool fixed) {
  text.appendFormat(" - %s: ", entry.name.c_str());
  if (entry.value != entry.value)
    text += "nan"; // C may write "-nan"
  else
    text.appendFormat(fixed ? "%.4f" : "%.4e", entry.value);
}

static int digitsOf(int64_t value) {
  int digits = 1;
  for (; value >= 10; value /= 10)
    ++digits;
  return digits;
}

String Progress::barText(int64_t step, const Logs &logs, double elapsed,
                         bool last) {
  double perStep = secondsPerStep(step, elapsed);
  int filled = int(kCells * (double(step) / double(steps)));
  String counter =
      format("%*lld/%lld", digitsOf(steps), static_cast<long long>(step),
             static_cast<long long>(steps));
  String info;
  for (const Logs::Entry &entry : logs.entries)
    appendValue(info, entry, entry.value > 1e-3 || entry.value < -1e-3);
  String time = last ? format("%.0fs", elapsed)
                     : remainingText(perStep * double(steps - step));
  String each = timeText(perStep);

  String text;
  for (size_t i = 0; i < previousWidth; ++i)
    text += '\b';
  text += '\r';
  text.appendFormat("\x1b[1m%s\x1b[0m ", counter.c_str());
  if (filled > 0) {
    text += "\x1b[32m";
    for (int i = 0; i < filled; ++i)
      text += "━";
    text += "\x1b[0m";
  }
  text += "\x1b[37m";
  for (int i = filled; i < kCells; ++i)
    text += "━";
  text += "\x1b[0m";
  text.appendFormat(" \x1b[1m%s\x1b[0m%s%s", time.c_str(), each.c_str(),
                    info.c_str());
  // Visible columns.
  size_t width =
      counter.size() + 1 + kCells + 1 + time.size() + each.size() + info.size();
  for (size_t i = width; i < previousWidth; ++i)
    text += ' ';
  previousWidth = width;
  if (last)
    text += '\n';
  return text;
}

String Progress::lineText(const Logs &logs, double elapsed) const {
  double perStep = steps ? elapsed / double(steps) : 0;
  String text =
      format("%lld/%lld - %.0fs -%s", static_cast<long long>(steps),
             static_cast<long long>(steps), elapsed, timeText(perStep).c_str());
  for (const Logs::Entry &entry : logs.entries)
    appendValue(text, entry, entry.value > 1e-3);
  text += '\n';
  return text;
}

void Progress::update(int64_t step, const Logs *logs) {
  double elapsed = now() - start;
  if (!logs) {
    secondsPerStep(step, elapsed);
    return;
  }
  print(barText(step, *logs, elapsed, false));
  lastUpdate = now();
}

void Progress::finish(const Logs &logs) {
  double elapsed = now() - start;
  if (display == Display::Bar)
    print(barText(steps, logs, elapsed, true));
  if (display == Display::Lines)
    print(lineText(logs, elapsed));
}

void print(std::string_view text) {
  bool written = fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
                 fflush(stdout) == 0;
  if (!written && errno == EPIPE)
    noteInterrupt(SIGPIPE);
}

Error finishOutput() {
  // After an interrupt the exit code says why; a terminal may be gone, too.
  if (pendingInterrupt())
    return success();
  if (fflush(stdout) != 0 || ferror(stdout))
    return failure("cannot write to the standard output; is its disk full?");
  return success();
}

} // namespace cornu::runtime
