//===- Contraction.cpp - Sums of products ---------------------------------===//
//
// nn.contract "bi,iu->bu" %x, %w    becomes
//
//   %0 = linalg.fill ins(%zero) outs(%out)
//   %1 = linalg.generic {(b, u, i) -> (b, i), (b, u, i) -> (i, u),
//        (b, u, i) -> (b, u)} ins(%x, %w) outs(%0) { arith.mulf, arith.addf }
//
// Loops: the result's letters, then those summed over. Operands that must be
// computed are stored first, by a generic of their own (the prologue), so that
// the body is one product and one sum.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

/// Makes sure that the nest reads `value` from a tensor: stores what ops that
/// move elements move.
static void storeOperand(KernelLowering &kernel, Value value) {
  while (!kernel.isStored(value) && !kernel.isRoot(value)) {
    Operation *op = value.getDefiningOp();
    if (!isa<TransposeOp, SliceOp, ReverseOp, StopGradientOp>(op))
      break;
    value = op->getOperand(0);
  }
  (void)kernel.tensorOf(value);
}

void KernelLowering::lowerContract(ContractOp op) {
  Location loc = op.getLoc();
  storeOperand(*this, op.getLhs());
  storeOperand(*this, op.getRhs());

  StringRef left = op.getLhsLabels(), right = op.getRhsLabels(),
            result = op.getResultLabels();
  std::string letters = result.str();
  SmallVector<IteratorType> iterators(result.size(), IteratorType::parallel);
  for (char letter : left)
    if (!result.contains(letter)) {
      letters.push_back(letter);
      iterators.push_back(IteratorType::reduction);
    }
  Sizes sizes;
  for (char letter : letters) {
    size_t position = left.find(letter);
    sizes.push_back(position != StringRef::npos
                        ? sizeOf(op.getLhs(), position)
                        : sizeOf(op.getRhs(), right.find(letter)));
  }

  Nest nest(*this, loc, sizes);
  auto indexOf = [&](StringRef labels) {
    Index index;
    for (char letter : labels)
      index.push_back(nest.dim(letters.find(letter)));
    return index;
  };
  // A scalar operand would be captured by the body: read as an operand here.
  auto operand = [&](Value value, StringRef labels) {
    return labels.empty() ? nest.readTensor(tensorOf(value), {})
                          : nest.read(value, indexOf(labels));
  };
  Value a = operand(op.getLhs(), left), b = operand(op.getRhs(), right);
  Value zero = constant(loc, elementType(op), 0);
  Value tensor = fill(loc, zero, destination(op));
  store(op, nest.finish(tensor, indexOf(result), iterators,
                        [&](OpBuilder &body, ValueRange present) {
                          Value p = arith::MulFOp::create(body, loc, a, b);
                          return SmallVector<Value>{
                              arith::AddFOp::create(body, loc, present[0], p)};
                        })[0]);
}

} // namespace cornu::lower
