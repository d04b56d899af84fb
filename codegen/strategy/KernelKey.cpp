//===- KernelKey.cpp - What a kernel computes, as a short text ------------===//

#include "codegen/strategy/KernelKey.h"

#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;

namespace cornu::codegen {

std::string kernelKey(func::FuncOp kernel) {
  OwningOpRef<func::FuncOp> copy(kernel.clone());
  copy->setName("kernel");
  copy->walk([](Operation *op) {
    op->setDiscardableAttrs(ArrayRef<NamedAttribute>());
  });
  copy->removeArgAttrsAttr();
  std::string text;
  llvm::raw_string_ostream stream(text);
  // Without aliases, which depend on what else is printed.
  copy->print(stream, OpPrintingFlags().useLocalScope().printGenericOpForm());
  return llvm::formatv("{0:x-16}", llvm::xxh3_64bits(StringRef(text)));
}

} // namespace cornu::codegen
