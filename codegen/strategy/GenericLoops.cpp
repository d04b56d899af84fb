//===- GenericLoops.cpp - Facts about the loops of a generic --------------===//
//
// y[i] = sum over j of exp(x[i, j]):   i is parallel, j is not; y is its own
//
//===----------------------------------------------------------------------===//

#include "codegen/strategy/GenericLoops.h"

using namespace mlir;

namespace cornu::codegen {

bool isParallel(linalg::GenericOp op, unsigned loop) {
  return op.getIteratorTypesArray()[loop] == utils::IteratorType::parallel;
}

bool isAllParallel(linalg::GenericOp op) {
  return op.getNumParallelLoops() == op.getNumLoops();
}

std::optional<unsigned> plainLoop(AffineExpr expr) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dim.getPosition();
  return std::nullopt;
}

bool hasOwnOutputs(linalg::GenericOp op) {
  for (unsigned o = 0; o < op.getNumDpsInits(); ++o) {
    AffineMap map = op.getIndexingMapsArray()[op.getNumDpsInputs() + o];
    if (!map.isProjectedPermutation())
      return false;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
      if (map.isFunctionOfDim(loop) != isParallel(op, loop))
        return false;
  }
  return true;
}

} // namespace cornu::codegen
