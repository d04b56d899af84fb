//===- EpochLog.h - One line per epoch in a file --------------------------===//
//
// F.csv is what keras.callbacks.CSVLogger writes: `epoch` from 0, the sorted
// keys, CRLF. F.jsonl has one object per line, as fit --json prints it.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_EPOCHLOG_H
#define CORNU_RUNTIME_HOST_EPOCHLOG_H

#include "runtime/host/File.h"
#include "runtime/host/Progress.h"

namespace cornu::runtime {

/// {"epoch": 0, "accuracy": 0.9, "loss": 0.3}
String epochJson(int64_t epoch, const Logs &logs);

class EpochLog {
public:
  /// Opens or creates the log. Lines of epochs from `firstEpoch` on, which a
  /// resumed run is going to repeat, are removed; at 0 the log starts anew.
  Error open(const char *path, int64_t firstEpoch);
  Error append(int64_t epoch, const Logs &logs);
  Error close();
  bool isOpen() const { return opened; }

private:
  Error keepEpochs(const char *path, int64_t count);

  AppendFile file;
  bool opened = false;
  bool csv = false;
  bool headerNeeded = true;
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_EPOCHLOG_H
