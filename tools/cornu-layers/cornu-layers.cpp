//===- cornu-layers.cpp - What the importer supports ----------------------===//
//
// Prints the importer's registries as the Markdown tables of README.md:
//
//   build/bin/cornu-layers
//
//===----------------------------------------------------------------------===//
#include "frontend/import/Import.h"
#include "llvm/Support/raw_ostream.h"

int main() {
  llvm::outs() << cornu::frontend::supportedTables();
  return 0;
}
