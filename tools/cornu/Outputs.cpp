//===- Outputs.cpp - Files that a command may write -----------------------===//

#include "tools/cornu/Outputs.h"
#include "tools/cornu/Arguments.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace cornu::tools {

bool keepsInputs(llvm::StringRef what, llvm::StringRef path,
                 llvm::ArrayRef<InputFile> inputs) {
  for (const InputFile &input : inputs) {
    bool same = false;
    if (fs::equivalent(path, input.path, same) || !same)
      continue;
    printError("the " + what + " '" + path + "' is the " + input.what +
               " itself; choose another with -o");
    return false;
  }
  return true;
}

bool sameFile(llvm::StringRef a, llvm::StringRef b) {
  bool same = false;
  if (!fs::equivalent(a, b, same))
    return same;
  if (path::filename(a) != path::filename(b))
    return false;
  auto folder = [](llvm::StringRef file) {
    llvm::StringRef parent = path::parent_path(file);
    return parent.empty() ? llvm::StringRef(".") : parent;
  };
  return !fs::equivalent(folder(a), folder(b), same) && same;
}

int finishStandardOutput(int exitCode) {
  llvm::outs().flush();
  std::error_code code = llvm::outs().error();
  // A stream that is destroyed with an error ends the process as if it crashed.
  llvm::outs().clear_error();
  if (!code)
    return exitCode;
  printError("cannot write to the standard output: " + code.message());
  return 1;
}

} // namespace cornu::tools
