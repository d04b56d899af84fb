//===- Candidates.cpp - Strategies near another one -----------------------===//

#include "codegen/strategy/Candidates.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;

namespace cornu::codegen {

SmallVector<Attribute> candidatesNear(linalg::GenericOp op, Attribute current,
                                      const Target &target) {
  llvm::SmallSetVector<Attribute, 32> distinct;
  if (auto contraction = dyn_cast<ContractionAttr>(current))
    distinct.insert_range(contractionCandidates(op, contraction, target));
  else if (auto nest = dyn_cast<NestAttr>(current))
    distinct.insert_range(nestCandidates(op, nest, target));
  distinct.remove(current);
  return distinct.takeVector();
}

std::string whyUnsuitable(linalg::GenericOp op, Attribute given,
                          const Target &target) {
  Attribute byDefault = op->getAttr(CodegenDialect::kStrategyAttr);
  if (auto contraction = dyn_cast<ContractionAttr>(byDefault)) {
    if (auto attr = dyn_cast<ContractionAttr>(given))
      return whyUnsuitable(op, attr, contraction, target);
    return "a contraction takes a #codegen.contraction";
  }
  if (auto attr = dyn_cast<NestAttr>(given))
    return whyUnsuitable(op, attr, cast<NestAttr>(byDefault), target);
  return "what is no contraction takes a #codegen.nest";
}

std::string whyOutside(StringRef name, int64_t value, int64_t least,
                       int64_t most) {
  if (value >= least && value <= most)
    return {};
  return llvm::formatv("{0} = {1} is not in [{2}, {3}]", name, value, least,
                       most);
}

} // namespace cornu::codegen
