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
  /// Checks that the log can be written. With its first line, lines of epochs
  /// from `firstEpoch` on, which a resumed run repeats, are removed; at 0 the
  /// log starts anew. Until then an older log stays: training may fail.
  Error open(const char *path, int64_t firstEpoch);
  Error append(int64_t epoch, const Logs &logs);
  Error close();
  bool isOpen() const { return opened; }

private:
  Error begin();
  Error keepEpochs(int64_t count);

  AppendFile file;
  String path;
  int64_t firstEpoch = 0;
  bool opened = false;
  bool begun = false;
  bool csv = false;
  bool headerNeeded = true;
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_EPOCHLOG_H
