//===- cornu-lsp-server.cpp - Cornu's IR in an editor ---------------------===//
//
// Point the editor's MLIR plugin to this program: it completes, checks and
// cross-references files with Cornu's dialects.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "tools/registry/Registry.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  cornu::tools::registerAllDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry));
}
