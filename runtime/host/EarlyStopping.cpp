//===- EarlyStopping.cpp - When training has stopped to improve -----------===//
#include "runtime/host/EarlyStopping.h"

namespace cornu::runtime {

namespace {
struct Direction {
  std::string_view part; ///< of the metric's name
  bool up;
};
// The first that occurs in the name decides. From the `_direction` of Keras's
// metrics; its losses and errors go down.
constexpr Direction kDirections[] = {
    {"loss", false},       {"error", false},  {"crossentropy", false},
    {"false_", false},     {"hinge", false},  {"logcosh", false},
    {"poisson", false},    {"kl_div", false}, {"divergence", false},
    {"mse", false},        {"mae", false},    {"mape", false},
    {"msle", false},       {"acc", true},     {"precision", true},
    {"recall", true},      {"auc", true},     {"iou", true},
    {"io_u", true},        {"f1", true},      {"fbeta", true},
    {"f_beta", true},      {"cosine", true},  {"r2", true},
    {"correlation", true}, {"true_", true},   {"sensitivity", true},
    {"specificity", true}};
} // namespace

Error EarlyStopping::parsePair(std::string_view key, std::string_view value) {
  bool read = true;
  if (key == "monitor") {
    monitor = value;
  } else if (key == "mode") {
    mode = value;
    read = value == "auto" || value == "min" || value == "max";
  } else if (key == "patience") {
    read = parseInteger(value, patience) && patience >= 0;
  } else if (key == "min_delta") {
    read = parseDouble(value, minDelta);
  } else if (key == "baseline") {
    hasBaseline = true;
    read = parseDouble(value, baseline);
  } else if (key == "start_from_epoch") {
    read = parseInteger(value, startEpoch) && startEpoch >= 0;
  } else if (key == "restore_best" || key == "restore_best_weights") {
    read = parseBool(value, restoreBest);
  } else {
    Vector<String> keys{"monitor",     "mode",     "patience",
                        "min_delta",   "baseline", "start_from_epoch",
                        "restore_best"};
    return failure("--early-stopping has no setting '%s'%s (it has: %s)",
                   String(key).c_str(), suggestion(key, keys).c_str(),
                   join(keys).c_str());
  }
  if (!read)
    return failure("--early-stopping: '%s' is no value of '%s'",
                   String(value).c_str(), String(key).c_str());
  return success();
}

Error EarlyStopping::parse(std::string_view text,
                           const Vector<String> &available) {
  for (std::string_view pair : split(text, ',')) {
    size_t equals = pair.find('=');
    if (equals == std::string_view::npos)
      return failure("--early-stopping: '%s' is not KEY=VALUE; an example is "
                     "--early-stopping monitor=val_loss,patience=3",
                     String(pair).c_str());
    if (Error error = parsePair(trim(slice(pair, 0, equals)),
                                trim(slice(pair, equals + 1))))
      return error;
  }
  bool known = false;
  for (const String &name : available)
    known |= std::string_view(name) == std::string_view(monitor);
  if (!known)
    return failure("--early-stopping: '%s' is not among the logs (%s)%s",
                   monitor.c_str(), join(available).c_str(),
                   startsWith(monitor, "val_")
                       ? "; give --validation-split or --validation-input"
                       : "");
  minDelta = minDelta < 0 ? -minDelta : minDelta;
  maximize = std::string_view(mode) == "max";
  if (std::string_view(mode) != "auto")
    return success();
  for (const Direction &row : kDirections)
    if (std::string_view(monitor).find(row.part) != std::string_view::npos) {
      maximize = row.up;
      return success();
    }
  return failure("--early-stopping: whether '%s' should grow or shrink is not "
                 "known; add mode=max or mode=min",
                 monitor.c_str());
}

bool EarlyStopping::improves(double value, double reference) const {
  return maximize ? value - minDelta > reference : value + minDelta < reference;
}

EarlyStopping::Decision EarlyStopping::epochEnded(int64_t epoch, double value) {
  Decision decision;
  if (epoch < startEpoch)
    return decision;
  ++wait;
  if (!bestKnown || improves(value, best)) {
    bestKnown = true;
    best = value;
    bestEpoch = epoch;
    decision.keep = true;
    if (!hasBaseline || improves(value, baseline))
      wait = 0;
    return decision;
  }
  decision.stop = wait >= patience && epoch > 0;
  return decision;
}

} // namespace cornu::runtime
