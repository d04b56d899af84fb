//===- cornu-layers.cpp - The table of supported layers -------------------===//
//
// Prints the importer's registry as the Markdown table of README.md:
//
//   build/bin/cornu-layers
//
//===----------------------------------------------------------------------===//
#include "frontend/import/Layer.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/raw_ostream.h"

using namespace cornu::frontend;

int main() {
  llvm::MapVector<llvm::StringRef, std::vector<const LayerEntry *>> families;
  for (const LayerEntry &entry : Registry::get().getEntries())
    families[entry.family].push_back(&entry);
  llvm::outs() << "| family | layers |\n|---|---|\n";
  for (auto &[family, entries] : families) {
    llvm::outs() << "| " << family << " | ";
    const char *separator = "";
    for (const LayerEntry *entry : entries) {
      llvm::outs() << separator << entry->className;
      if (!entry->note.empty())
        llvm::outs() << " (" << entry->note << ")";
      separator = ", ";
    }
    llvm::outs() << " |\n";
  }
  return 0;
}
