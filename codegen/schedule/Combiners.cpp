//===- Combiners.cpp - How the values of a reduction combine --------------===//
//
// a, b, c, d, e   ->   ((a + b) + (c + d)) + e
//
//===----------------------------------------------------------------------===//

#include "codegen/schedule/Combiners.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

namespace cornu::codegen {

SmallVector<Operation *> findCombiners(linalg::GenericOp op) {
  SmallVector<Operation *> combiners;
  Block *body = op.getBody();
  for (auto [i, value] :
       llvm::enumerate(body->getTerminator()->getOperands())) {
    BlockArgument old = body->getArgument(op.getNumDpsInputs() + i);
    Operation *combiner = value.getDefiningOp();
    bool known = combiner && combiner->getBlock() == body &&
                 combiner->getNumOperands() == 2 && old.hasOneUse() &&
                 *old.user_begin() == combiner && value.hasOneUse() &&
                 linalg::getCombinerOpKind(combiner) &&
                 arith::getNeutralElement(combiner);
    combiners.push_back(known ? combiner : nullptr);
  }
  return combiners;
}

TypedAttr neutralElement(Operation *combiner) {
  // 0 rather than -0: sums of nothing are 0 in Keras.
  if (auto add = dyn_cast<arith::AddFOp>(combiner))
    return FloatAttr::get(add.getType(), 0.0);
  return *arith::getNeutralElement(combiner);
}

Value combine(OpBuilder &builder, Operation *combiner, Value a, Value b) {
  OperationState state(combiner->getLoc(), combiner->getName(), {a, b},
                       {a.getType()}, combiner->getAttrs());
  state.propertiesAttr = combiner->getPropertiesAsAttribute();
  return builder.create(state)->getResult(0);
}

Value combineAll(OpBuilder &builder, Operation *combiner,
                 ArrayRef<Value> values) {
  SmallVector<Value> level(values);
  while (level.size() > 1) {
    SmallVector<Value> next;
    for (size_t i = 0; i + 1 < level.size(); i += 2)
      next.push_back(combine(builder, combiner, level[i], level[i + 1]));
    if (level.size() % 2)
      next.push_back(level.back());
    level = next;
  }
  return level.front();
}

Value combineLanes(OpBuilder &builder, Operation *combiner, Value value,
                   unsigned run) {
  auto type = dyn_cast<VectorType>(value.getType());
  if (!type)
    return value;
  if (run > 1) {
    Location loc = combiner->getLoc();
    auto part = [&](int64_t first, int64_t lanes) {
      return vector::ExtractStridedSliceOp::create(builder, loc, value, first,
                                                   lanes, int64_t(1))
          .getResult();
    };
    Value odd; // the last of an odd number of runs
    for (int64_t runs = type.getNumElements() / run; runs > 1; runs /= 2) {
      if (runs % 2) {
        Value last = part((runs - 1) * run, run);
        odd = odd ? combine(builder, combiner, odd, last) : last;
      }
      int64_t half = runs / 2 * run;
      value = combine(builder, combiner, part(0, half), part(half, half));
    }
    return odd ? combine(builder, combiner, value, odd) : value;
  }
  return vector::ReductionOp::create(builder, combiner->getLoc(),
                                     *linalg::getCombinerOpKind(combiner),
                                     value, arith::FastMathFlags::reassoc);
}

} // namespace cornu::codegen
