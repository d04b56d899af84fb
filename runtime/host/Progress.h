//===- Progress.h - Keras's progress line, logs of an epoch ---------------===//
//
// The text is that of keras.utils.Progbar, character by character:
//
//   Epoch 1/5
//   32/32 ━━━━━━━━━━━━━━━━━━━━ 0s 2ms/step - accuracy: 0.9100 - loss: 0.3120
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_PROGRESS_H
#define CORNU_RUNTIME_HOST_PROGRESS_H

#include "runtime/host/Text.h"
#include "runtime/include/cornu/model.h"

namespace cornu::runtime {

class Arguments;

/// What a command prints: a bar on a terminal, a line per epoch elsewhere.
enum class Display { Bar, Lines, Json, Quiet };
Display chooseDisplay(const Arguments &arguments);

/// Names and values of an epoch, in Keras's order: sorted, then `val_`.
struct Logs {
  struct Entry {
    String name;
    double value;
  };
  Vector<Entry> entries;

  const double *find(std::string_view name) const;
  /// Appends the model's metrics in sorted order, each name after `prefix`.
  void addMetrics(const cornu_model &model, const float *values,
                  const char *prefix);
};

class Progress {
public:
  /// A bar of `steps` steps that starts now.
  Progress(Display display, int64_t steps);

  /// Whether a bar would be redrawn now, so that its values are needed.
  bool due() const;
  /// After `step` steps; `logs` is null if the bar was not due.
  void update(int64_t step, const Logs *logs);
  /// The last line, with the values of the whole epoch.
  void finish(const Logs &logs);

  // The texts, for a time given in seconds since the start.
  String barText(int64_t step, const Logs &logs, double elapsed, bool last);
  String lineText(const Logs &logs, double elapsed) const;

private:
  double secondsPerStep(int64_t step, double elapsed);

  Display display;
  int64_t steps;
  double start;
  double lastUpdate = -1;
  double firstStepEnd = -1;
  size_t previousWidth = 0;
};

/// Prints to stdout and flushes. A pipe that nobody reads counts as an
/// interrupt: `fit | head` stops as after Ctrl-C.
void print(std::string_view text);
/// Flushes stdout; fails if something could not be written, e.g. to a full
/// disk.
Error finishOutput();

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_PROGRESS_H
