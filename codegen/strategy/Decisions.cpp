//===- Decisions.cpp - What was decided about a kernel --------------------===//

#include "codegen/strategy/Decisions.h"

#include "codegen/IR/Codegen.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cornu::codegen {

void rememberStrategies(func::FuncOp kernel) {
  SmallVector<Attribute> strategies;
  if (auto known =
          kernel->getAttrOfType<ArrayAttr>(CodegenDialect::kStrategiesAttr))
    llvm::append_range(strategies, known);
  kernel.walk([&](Operation *op) {
    if (Attribute strategy = op->getAttr(CodegenDialect::kStrategyAttr))
      strategies.push_back(strategy);
  });
  if (!strategies.empty())
    kernel->setAttr(CodegenDialect::kStrategiesAttr,
                    ArrayAttr::get(kernel.getContext(), strategies));
}

void replaceStrategy(func::FuncOp kernel, Attribute old, Attribute strategy) {
  auto known =
      kernel->getAttrOfType<ArrayAttr>(CodegenDialect::kStrategiesAttr);
  if (!known)
    return;
  auto strategies = llvm::to_vector(known);
  std::replace(strategies.begin(), strategies.end(), old, strategy);
  kernel->setAttr(CodegenDialect::kStrategiesAttr,
                  ArrayAttr::get(kernel.getContext(), strategies));
}

static std::string textOf(ContractionAttr strategy) {
  std::string text =
      llvm::formatv("contraction {0}x{1}", strategy.getMr(), strategy.getNr());
  if (strategy.getPackRight())
    text += ", packed";
  if (strategy.getPanels())
    text += ", from panels";
  if (strategy.getCopyLeft() || strategy.getCopyRight())
    text += ", copied";
  if (strategy.getAlongReduction())
    text += ", along the reduction";
  if (WinogradAttr winograd = strategy.getWinograd())
    text +=
        llvm::formatv(", winograd F({0}x{0}, {1}x{1}){2}", winograd.getSide(),
                      winograd.getTaps(),
                      winograd.getTransformed() ? ", transformed ahead" : "");
  return text;
}

static std::string textOf(NestAttr strategy) {
  std::string text = stringifyNestKind(strategy.getKind()).str();
  if (strategy.getLane() < 0)
    return text + ", scalar";
  int64_t lanes = strategy.getWidth() * strategy.getVectors();
  if (strategy.getTileLoop() >= 0 && strategy.getTile() > 1)
    return llvm::formatv("{0} {1}x{2}", text, strategy.getTile(), lanes);
  return llvm::formatv("{0} {1}", text, lanes);
}

std::string strategyText(func::FuncOp kernel) {
  if (!kernel)
    return {};
  auto strategies =
      kernel->getAttrOfType<ArrayAttr>(CodegenDialect::kStrategiesAttr);
  if (!strategies)
    return {};
  SmallVector<std::string> texts;
  for (Attribute strategy : strategies) {
    if (auto contraction = dyn_cast<ContractionAttr>(strategy))
      texts.push_back(textOf(contraction));
    else if (auto nest = dyn_cast<NestAttr>(strategy);
             nest && nest.getKind() != NestKind::Epilogue)
      texts.push_back(textOf(nest));
  }
  llvm::StringMap<int> counts;
  for (const std::string &text : texts)
    ++counts[text];
  std::string result;
  for (const std::string &text : texts) {
    int count = counts.lookup(text);
    counts[text] = 0; // said once
    if (count == 0)
      continue;
    result += result.empty() ? "" : "; ";
    result += count == 1 ? text : llvm::formatv("{0} times {1}", count, text);
  }
  return result;
}

} // namespace cornu::codegen
