//===- Profile.h - When which kernel ran ----------------------------------===//
//
//   Recorder recorder(*model.profile);           // reserves all it will need
//   while (recorder.hasRoom()) {
//     recorder.begin();
//     model.predict(...);                        // marks each kernel
//     recorder.end();
//   }
//   writeTrace("trace.json", recorder, "predict", batch);
//   printKernels(recorder, batch, roofline, /*json=*/false);
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_PROFILE_H
#define CORNU_RUNTIME_HOST_PROFILE_H

#include "runtime/host/Text.h"
#include "runtime/include/cornu/model.h"

namespace cornu::runtime {

/// Takes the time of each mark. One at a time, for a model's hook has no
/// context.
class Recorder {
public:
  /// Marks that are recorded; later ones are lost.
  static constexpr uint64_t kCapacity = 1 << 16;
  /// Numbers beside those of calls.
  enum : int32_t { Begin = -1, End = -2 };
  struct Mark {
    int64_t nanoseconds;
    int32_t call; ///< a row of the profile's calls, Begin or End
  };

  /// Takes the time on the clock, or the calling thread's on a CPU.
  explicit Recorder(const cornu_profile &profile, bool cpuTime = false);
  ~Recorder();
  Recorder(const Recorder &) = delete;
  Recorder &operator=(const Recorder &) = delete;

  /// Around one run of an entry.
  void begin();
  void end();
  /// Whether one more run of the same length can be recorded whole.
  bool hasRoom() const { return marks.size() + longest <= kCapacity; }
  /// Whether a run was cut short.
  bool overflowed() const { return lost; }

  const cornu_profile &profile;
  Vector<Mark> marks;

private:
  static void hook(int32_t call);
  void mark(int32_t call);

  uint64_t longest = 0, start = 0;
  bool lost = false, cpuTime = false;
  static Recorder *active;
};

/// What limits kernels, per second.
struct Roofline {
  double flops = 0, bytes = 0;
};

/// A file of trace events, which Perfetto and chrome://tracing open: one event
/// for each run of `entry` and one for each kernel in it.
Error writeTrace(const char *path, const Recorder &recorder, const char *entry,
                 int64_t batch);

/// A table with the kernels in the order of their time, or a JSON object for
/// each. Numbers are those of one run.
void printKernels(const Recorder &recorder, int64_t batch,
                  const Roofline &roofline, bool json);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_PROFILE_H
