//===- Arguments.h - The command line of a subcommand ---------------------===//
//
//   constexpr Option options[] = {{"-o", "NAME", "The file to write"}, ...};
//   Arguments arguments;
//   if (!arguments.parse(options, words)) return 1;       // says why
//   arguments.value("-o")
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TOOLS_CORNU_ARGUMENTS_H
#define CORNU_TOOLS_CORNU_ARGUMENTS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include <string>
#include <vector>

namespace cornu::tools {

struct Option {
  llvm::StringLiteral name;
  /// What the value stands for in the help; empty for a flag. In brackets if
  /// it may be left out: `[json]`.
  llvm::StringLiteral value;
  llvm::StringLiteral help;
};

/// A subcommand of `cornu`.
struct Command {
  llvm::StringLiteral name;
  llvm::StringLiteral usage;
  /// The first line is a sentence, for the list of commands.
  llvm::StringLiteral summary;
  llvm::StringLiteral example;
  llvm::ArrayRef<Option> options;
  int (*run)(const class Arguments &);
};

class Arguments {
public:
  /// False after a message on stderr. `--mlir-...` and `-mllvm WORD` are
  /// handed to MLIR and LLVM.
  bool parse(const Command &command, llvm::ArrayRef<const char *> words);

  bool has(llvm::StringRef name) const { return values.contains(name); }
  llvm::StringRef value(llvm::StringRef name,
                        llvm::StringRef fallback = "") const {
    auto it = values.find(name);
    return it == values.end() ? fallback : llvm::StringRef(it->second);
  }
  llvm::ArrayRef<std::string> positional() const { return rest; }

private:
  llvm::StringMap<std::string> values;
  std::vector<std::string> rest;
};

/// "cornu: error: ..." on stderr.
void printError(const llvm::Twine &message);

/// "; did you mean 'NAME'?" for the name nearest to a mistyped word, or "".
std::string suggestion(llvm::StringRef word,
                       llvm::ArrayRef<llvm::StringRef> known);

void printHelp(const Command &command);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_ARGUMENTS_H
