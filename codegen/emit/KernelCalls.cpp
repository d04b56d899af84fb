//===- KernelCalls.cpp - Which entries call which kernels -----------------===//

#include "codegen/emit/KernelCalls.h"
#include "codegen/IR/Codegen.h"
#include "mlir/IR/SymbolTable.h"
#include "passes/buffer/Buffer.h"
#include "passes/lower/Lower.h"

using namespace mlir;

namespace cornu::codegen {

std::vector<KernelCall> kernelCalls(ModuleOp module) {
  SymbolTable symbols(module);
  std::vector<KernelCall> calls;
  for (auto entry : module.getOps<func::FuncOp>())
    if (entry->hasAttr(buffer::kEntryAttr))
      entry.walk([&](Operation *op) {
        func::FuncOp kernel;
        if (auto call = dyn_cast<func::CallOp>(op)) {
          kernel = symbols.lookup<func::FuncOp>(call.getCallee());
          if (!kernel || !kernel->hasAttr(lower::kKernelAttr))
            return;
        } else if (!isa<memref::CopyOp>(op)) {
          return;
        }
        calls.push_back({entry, kernel, op, buffer::describedWork(op)});
      });
  return calls;
}

std::vector<std::string> layersOf(func::FuncOp kernel) {
  std::vector<std::string> names;
  if (auto layers =
          !kernel ? ArrayAttr() : kernel->getAttrOfType<ArrayAttr>("nn.layers"))
    for (auto name : layers.getAsRange<StringAttr>())
      names.push_back(name.str());
  return names;
}

void dropKernelNotes(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    function->removeAttr(CodegenDialect::kStrategiesAttr);
    function.walk(
        [](Operation *op) { op->removeDiscardableAttr(buffer::kWorkAttr); });
  }
}

} // namespace cornu::codegen
