//===- Outputs.h - Files that a command may write -------------------------===//
#ifndef CORNU_TOOLS_CORNU_OUTPUTS_H
#define CORNU_TOOLS_CORNU_OUTPUTS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace cornu::tools {

/// A file that a command reads: "model" and its path, which may be empty.
struct InputFile {
  llvm::StringRef what;
  llvm::StringRef path;
};

/// True if writing `path` would overwrite none of the inputs, whatever links
/// lead to them. False after a message on stderr, in which `what` is the file
/// to write: "output", "header".
bool keepsInputs(llvm::StringRef what, llvm::StringRef path,
                 llvm::ArrayRef<InputFile> inputs);

/// Whether two names, also of files that are not there yet, are of one file.
bool sameFile(llvm::StringRef a, llvm::StringRef b);

/// Ends what was written to the standard output: the exit code, or 1 after a
/// message if not all of it got there.
int finishStandardOutput(int exitCode);

} // namespace cornu::tools

#endif // CORNU_TOOLS_CORNU_OUTPUTS_H
