//===- Options.h - The command line ---------------------------------------===//
//
// One table describes all options and which commands take them; parsing, help
// and suggestions are made from it.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_OPTIONS_H
#define CORNU_RUNTIME_HOST_OPTIONS_H

#include "runtime/host/Text.h"

namespace cornu::runtime {

/// Commands as bits, for the table's column "which commands take it".
enum Command : unsigned {
  Info = 1,
  Predict = 2,
  Evaluate = 4,
  Fit = 8,
  Bench = 16
};

struct Option {
  const char *name;  ///< "--batch-size"
  const char *value; ///< "N"; null for a switch
  unsigned commands; ///< which take it
  const char *help;
};

class Arguments {
public:
  /// Reads `--name value`, `--name=value` and switches. An argument without
  /// dashes is a file to read, as with --input.
  Error parse(Command command, int argc, char **argv);

  bool has(const char *name) const;
  /// The last value, or `otherwise`.
  const char *text(const char *name, const char *otherwise = "") const;
  Vector<String> all(const char *name) const;
  /// Leaves `value` as it is when the option is not given.
  Error integer(const char *name, int64_t least, int64_t &value) const;
  Error number(const char *name, double &value) const;
  Error boolean(const char *name, bool &value) const;

private:
  struct Given {
    const Option *option;
    String value;
  };
  Vector<Given> given;
};

/// The lines of --help that list a command's options.
String optionsHelp(Command command);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_OPTIONS_H
