//===- cornu-reduce.cpp - The smallest IR that still shows a fault --------===//
//
//   cornu-reduce big.mlir -reduction-tree='traversal-mode=0 test=./fails.sh'
//
// where fails.sh exits with 1 while its argument still shows the fault.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/MLIRContext.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "tools/registry/Registry.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  cornu::tools::registerAllDialects(registry);
  cornu::tools::registerAllPasses();
  mlir::MLIRContext context(registry);
  return failed(mlir::mlirReduceMain(argc, argv, context));
}
