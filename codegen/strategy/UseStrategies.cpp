//===- UseStrategies.cpp - A file's strategies for a module ---------------===//

#include "codegen/strategy/UseStrategies.h"

#include "codegen/IR/Codegen.h"
#include "codegen/strategy/GivenStrategies.h"
#include "codegen/strategy/KernelKey.h"
#include "codegen/strategy/StrategyFile.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace cornu::codegen {

/// The attribute that a text of the file stands for; `error` says why there is
/// none.
static Attribute parseStrategy(MLIRContext *context, StringRef text,
                               std::string &error) {
  // The parser's diagnostics are about the text, not about the model.
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    error += (error.empty() ? "" : "; ") + diagnostic.str();
    return success();
  });
  size_t read = 0;
  Attribute strategy = parseAttribute(text, context, Type(), &read);
  if (!strategy && error.empty())
    error = "it does not parse";
  if (strategy && (!isa<ContractionAttr, NestAttr>(strategy) ||
                   !text.drop_front(read).trim().empty())) {
    error = "it is neither #codegen.contraction<...> nor #codegen.nest<...>";
    return nullptr;
  }
  return strategy;
}

namespace {
struct UseStrategiesPass
    : public PassWrapper<UseStrategiesPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(UseStrategiesPass)
  UseStrategiesPass() = default;
  UseStrategiesPass(const UseStrategiesPass &other) : PassWrapper(other) {}
  StringRef getArgument() const final { return "codegen-use-strategies"; }
  StringRef getDescription() const final {
    return "Give kernels the strategies that a file has for them";
  }
  void getDependentDialects(DialectRegistry &registry) const final {
    registry.insert<CodegenDialect>();
  }

  void runOnOperation() final {
    ModuleOp module = getOperation();
    auto read = StrategyFile::read(path);
    if (!read) {
      emitError(module.getLoc()) << llvm::toString(read.takeError());
      return signalPassFailure();
    }
    if (llvm::Error error = read->checkTarget(path, Target::of(module))) {
      emitError(module.getLoc()) << llvm::toString(std::move(error));
      return signalPassFailure();
    }
    llvm::StringMap<SmallVector<func::FuncOp>> kernels;
    for (auto kernel : module.getOps<func::FuncOp>())
      if (!kernel.isExternal())
        kernels[kernelKey(kernel)].push_back(kernel);
    size_t unknown = 0;
    bool failed = false;
    for (auto [number, entry] : llvm::enumerate(read->kernels)) {
      std::string from = "'" + path + "': /kernels/" + std::to_string(number);
      SmallVector<Attribute> strategies;
      for (auto [i, text] : llvm::enumerate(entry.strategies)) {
        std::string error;
        Attribute strategy = parseStrategy(&getContext(), text, error);
        if (strategy) {
          strategies.push_back(strategy);
          continue;
        }
        emitError(module.getLoc())
            << from << "/strategies/" << i << " is no strategy: " << error;
        failed = true;
      }
      auto found = kernels.find(entry.key);
      if (found == kernels.end())
        ++unknown;
      else
        for (func::FuncOp kernel : found->second)
          giveStrategies(kernel, from, strategies);
    }
    if (failed)
      return signalPassFailure();
    if (unknown)
      emitWarning(module.getLoc())
          << unknown << " of the " << read->kernels.size() << " strategies in '"
          << path
          << "' are for kernels that this model does not have: tune it again, "
             "with the options that it is compiled with";
  }

  Option<std::string> path{*this, "file",
                           llvm::cl::desc("What 'cornu tune' wrote")};
};
} // namespace

std::unique_ptr<Pass> createUseStrategiesPass(StringRef file) {
  auto pass = std::make_unique<UseStrategiesPass>();
  pass->path = file.str();
  return pass;
}

} // namespace cornu::codegen
