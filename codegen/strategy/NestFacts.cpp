//===- NestFacts.cpp - What decisions about a nest are made from ----------===//

#include "codegen/strategy/NestFacts.h"

#include "codegen/schedule/Combiners.h"
#include "codegen/schedule/Elementwise.h"
#include "codegen/schedule/NestGuards.h"
#include "codegen/strategy/GenericLoops.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace cornu::codegen {

static unsigned bitsOf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 0;
}

NestFacts::NestFacts(linalg::GenericOp op, unsigned rows)
    : op(op), rows(rows), sizes(op.getStaticLoopRanges()) {
  for (utils::IteratorType type : op.getIteratorTypesArray())
    parallel.push_back(type == utils::IteratorType::parallel);
  reduces = llvm::is_contained(parallel, false);
  ownOutputs = hasOwnOutputs(op);
  combines = !llvm::is_contained(findCombiners(op), nullptr);
  guarded.assign(sizes.size(), false);
  for (const Guard &guard : guardsOf(op))
    for (auto [loop, coefficient] : llvm::enumerate(guard.coefficients))
      guarded[loop] = guarded[loop] || coefficient != 0;
  for (unsigned i = 0; i < op->getNumOperands(); ++i)
    if (!op.getBody()->getArgument(i).use_empty() || i >= op.getNumDpsInputs())
      elementBits = std::max(elementBits, bitsOf(op->getOperand(i).getType()));
  op.getBody()->walk([&](Operation *inner) {
    if (isa<arith::ConstantOp, linalg::YieldOp, linalg::IndexOp>(inner))
      return;
    gathers |= isa<memref::LoadOp>(inner);
    for (Type type : inner->getResultTypes())
      elementBits = std::max(elementBits, bitsOf(type));
    // A division or a gather occupies its unit for about five cycles, a
    // polynomial takes about twelve operations.
    if (isa<arith::DivFOp, memref::LoadOp>(inner))
      cost += 5;
    else if (isa<math::MathDialect>(inner->getDialect()) &&
             !isa<math::AbsFOp, math::CopySignOp, math::FmaOp>(inner))
      cost += isa<math::SqrtOp, math::RsqrtOp>(inner) ? 5 : 12;
    else
      cost += 1;
  });
}

unsigned NestFacts::fullWidth(const Target &target) const {
  return isVectorizable(op) ? std::max(1u, target.lanes(elementBits)) : 1;
}

bool indexesAllOutputs(linalg::GenericOp op, unsigned loop) {
  for (unsigned o = 0; o < op.getNumDpsInits(); ++o) {
    AffineMap map = op.getIndexingMapsArray()[op.getNumDpsInputs() + o];
    bool found = llvm::any_of(map.getResults(), [&](AffineExpr expr) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      return dim && dim.getPosition() == loop;
    });
    if (!found)
      return false;
  }
  return true;
}

} // namespace cornu::codegen
