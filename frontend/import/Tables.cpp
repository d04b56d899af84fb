//===- Tables.cpp - What is supported, for the README ---------------------===//

#include "frontend/import/Training.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace cornu::frontend;

static void printRow(llvm::raw_ostream &os, llvm::StringRef title,
                     std::vector<std::string> names) {
  os << "| " << title << " | ";
  llvm::interleaveComma(
      names, os, [&](const std::string &name) { os << "`" << name << "`"; });
  os << " |\n";
}

std::string cornu::frontend::supportedTables() {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "| family | layers |\n|---|---|\n";
  std::vector<llvm::StringRef> families;
  for (const LayerEntry &entry : Registry::get().getEntries())
    if (!llvm::is_contained(families, entry.family))
      families.push_back(entry.family);
  for (llvm::StringRef family : families) {
    os << "| " << family << " | ";
    llvm::ListSeparator comma;
    for (const LayerEntry &entry : Registry::get().getEntries())
      if (entry.family == family) {
        os << comma << "`" << entry.className << "`";
        if (!entry.note.empty())
          os << " (" << entry.note << ")";
      }
    os << " |\n";
  }
  os << "\n| kind | names |\n|---|---|\n";
  printRow(os, "activations", activationNames());
  printRow(os, "losses", lossNames());
  printRow(os, "metrics (beside every loss)", metricNames());
  printRow(os, "constraints", constraintNames());
  printRow(os, "optimizers", optimizerNames());
  printRow(os, "keras.ops", operationNames());
  return text;
}
