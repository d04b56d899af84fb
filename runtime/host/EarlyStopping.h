//===- EarlyStopping.h - When training has stopped to improve -------------===//
//
// keras.callbacks.EarlyStopping, decided on the logs of each epoch:
//
//   EarlyStopping stopping;
//   stopping.parse("monitor=val_loss,patience=3,restore_best=true", names);
//   Decision d = stopping.epochEnded(epoch, value);
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_EARLYSTOPPING_H
#define CORNU_RUNTIME_HOST_EARLYSTOPPING_H

#include "runtime/host/Text.h"

namespace cornu::runtime {

class EarlyStopping {
public:
  /// `available` are the keys of the logs. With mode=auto a loss or an error
  /// goes down and an accuracy up; an unknown metric is an error.
  Error parse(std::string_view text, const Vector<String> &available);

  struct Decision {
    bool keep = false; ///< these are the best weights so far
    bool stop = false;
  };
  Decision epochEnded(int64_t epoch, double value);

  String monitor = String("val_loss");
  int64_t patience = 0;
  double minDelta = 0;
  bool maximize = false;
  bool restoreBest = false;
  bool hasBaseline = false;
  double baseline = 0;
  int64_t startEpoch = 0;

  // What a checkpoint keeps.
  bool bestKnown = false;
  double best = 0;
  int64_t bestEpoch = 0;
  int64_t wait = 0;

private:
  Error parsePair(std::string_view key, std::string_view value);
  bool improves(double value, double reference) const;
  String mode = String("auto");
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_EARLYSTOPPING_H
