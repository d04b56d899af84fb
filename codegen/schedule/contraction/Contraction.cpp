//===- Contraction.cpp - Schedules a contraction --------------------------===//
//
// scheduleContraction = form + fusion + strategy -> ContractionNest.
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/contraction/Contraction.h"

#include "codegen/schedule/contraction/Nest.h"

using namespace mlir;

namespace cornu::codegen {

LogicalResult scheduleContraction(RewriterBase &rewriter,
                                  linalg::GenericOp root,
                                  ContractionAttr strategy,
                                  const Target &target) {
  std::optional<ContractionForm> form = ContractionForm::of(root);
  if (!form || !root.hasPureBufferSemantics())
    return root.emitError("is not a contraction on memrefs, but has the "
                          "strategy of one");
  if (strategy.getMr() < 1 || strategy.getNr() < 1 || strategy.getMc() < 1 ||
      strategy.getNc() < 1 || strategy.getKc() < 1)
    return root.emitError("strategy's blocks must be positive");
  unsigned bits = getElementTypeOrSelf(root.getDpsInits()[0].getType())
                      .getIntOrFloatBitWidth();
  unsigned width = std::max(target.lanes(bits), 1u);
  return ContractionNest(rewriter, root, *form, ContractionFusion::of(root),
                         strategy, width)
      .emit();
}

llvm::SetVector<Operation *> absorbedByContraction(linalg::GenericOp root) {
  return ContractionFusion::of(root).absorbed;
}

} // namespace cornu::codegen
