//===- cornu-opt.cpp - Runs passes on Cornu's IR --------------------------===//
//
//   cornu compile model.keras --emit=graph -o - | cornu-opt --nn-lower
//
// knows every dialect, pass and pipeline of Cornu and of MLIR.
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tools/registry/Registry.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  cornu::tools::registerAllDialects(registry);
  cornu::tools::registerAllPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Cornu's optimizer driver\n", registry));
}
