//===- EpochLog.cpp - One line per epoch in a file ------------------------===//
#include "runtime/host/EpochLog.h"
#include "runtime/host/Json.h"

#include <sys/stat.h>

namespace cornu::runtime {

String epochJson(int64_t epoch, const Logs &logs) {
  JsonObject object;
  object.add("epoch", epoch);
  for (const Logs::Entry &entry : logs.entries)
    object.add(entry.name, entry.value);
  return object.text();
}

// The epoch that a line of either format is about; -1 for a header.
static int64_t epochOf(std::string_view line, bool csv) {
  int64_t epoch = -1;
  if (csv) {
    parseInteger(slice(line, 0, line.find(',')), epoch);
    return epoch;
  }
  constexpr std::string_view kStart = "{\"epoch\": ";
  if (startsWith(line, kStart)) {
    std::string_view rest = slice(line, kStart.size());
    parseInteger(slice(rest, 0, rest.find_first_of(",}")), epoch);
  }
  return epoch;
}

Error EpochLog::keepEpochs(int64_t count) {
  String kept;
  {
    MappedFile old;
    if (Error error = old.open(path.c_str()))
      return error;
    Bytes bytes = old.bytes();
    for (std::string_view line : split({bytes.data, bytes.size}, '\n'))
      if (!line.empty() && epochOf(line, csv) < count) {
        kept += line;
        kept += '\n';
      }
  }
  headerNeeded = kept.empty();
  OutputFile replacement;
  if (Error error = replacement.create(path.c_str()))
    return error;
  if (Error error = replacement.write(kept.c_str(), kept.size()))
    return error;
  return replacement.commit();
}

Error EpochLog::open(const char *name, int64_t first) {
  csv = endsWith(name, ".csv");
  if (!csv && !endsWith(name, ".jsonl") && !startsWith(name, "/dev/"))
    return failure("--log %s: the extension must be .csv or .jsonl", name);
  path = String(name);
  firstEpoch = first;
  opened = true;
  return AppendFile::check(name);
}

Error EpochLog::begin() {
  begun = true;
  struct stat info;
  // What /dev/stdout leads to has this run's own output by now.
  bool older = !startsWith(path, "/dev/") && stat(path.c_str(), &info) == 0 &&
               S_ISREG(info.st_mode) && info.st_size > 0;
  if (older)
    if (Error error = keepEpochs(firstEpoch > 0 ? firstEpoch : -1))
      return error;
  return file.open(path.c_str());
}

// Keras leaves room for a validation that may come later.
static size_t emptyColumns(const Logs &logs) {
  for (const Logs::Entry &entry : logs.entries)
    if (startsWith(entry.name, "val_"))
      return 0;
  return logs.entries.size();
}

Error EpochLog::append(int64_t epoch, const Logs &logs) {
  if (!begun)
    if (Error error = begin())
      return error;
  if (!csv) {
    String line = epochJson(epoch, logs);
    line += '\n';
    return file.append(line);
  }
  String line;
  if (headerNeeded) {
    line += "epoch";
    for (const Logs::Entry &entry : logs.entries)
      line.appendFormat(",%s", entry.name.c_str());
    for (size_t i = 0; i < emptyColumns(logs); ++i)
      line.appendFormat(",val_%s", logs.entries[i].name.c_str());
    line += "\r\n";
    headerNeeded = false;
  }
  line.appendFormat("%lld", static_cast<long long>(epoch));
  for (const Logs::Entry &entry : logs.entries)
    line.appendFormat(",%.9g", entry.value);
  for (size_t i = 0; i < emptyColumns(logs); ++i)
    line += ",NA";
  line += "\r\n";
  return file.append(line);
}

Error EpochLog::close() { return opened ? file.close() : success(); }

} // namespace cornu::runtime
