//===- Control.cpp - Scans to loops ---------------------------------------===//
//
// A scan becomes a loop over its steps, which carries the states and the
// stacked outputs. Elements of sequences are slices, and the kernel that
// computes an output writes to its slice:
//
//   %r:2 = scf.for %t = %c0 to %c80 step %c1
//       iter_args(%h = %h0, %ys = %empty) -> (...) {
//     %x = tensor.extract_slice %xs[0, %t, 0] [%n, 1, 3] [1, 1, 1]
//     %y = tensor.extract_slice %ys[0, %t, 0] [%n, 1, 4] [1, 1, 1]
//     %0 = func.call @kernel_1(%x, %h, %w, %u, %y)
//     %1 = linalg.copy ins(%0) outs(%h)
//     %2 = tensor.insert_slice %0 into %ys[0, %t, 0] [%n, 1, 4] [1, 1, 1]
//     scf.yield %1, %2
//   }
//
// The copy of the state keeps the step's reads of the old one apart from the
// new one; buffer/ removes it where the kernel may write in place.
//
//===----------------------------------------------------------------------===//

#include "passes/lower/EntryLowering.h"
#include "passes/lower/KernelLowering.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace cornu::nn;

namespace cornu::lower {

namespace {
/// The part of a (N, T, ...) tensor at one step.
struct StepSlice {
  StepSlice(OpBuilder &b, Location loc, Value sequence, Value step) {
    int64_t rank = tensorType(sequence).getRank();
    strides.assign(rank, b.getIndexAttr(1));
    offsets.assign(rank, b.getIndexAttr(0));
    offsets[1] = step;
    for (int64_t d = 0; d < rank; ++d)
      sizes.push_back(tensorSize(b, loc, sequence, d));
    sizes[1] = b.getIndexAttr(1);
  }
  SmallVector<OpFoldResult> offsets, sizes, strides;
};
} // namespace

static Value stepOf(OpBuilder &b, Location loc, Value sequence, Value step,
                    Type type) {
  StepSlice slice(b, loc, sequence, step);
  return tensor::ExtractSliceOp::create(
      b, loc, cast<RankedTensorType>(loweredType(type)), sequence,
      slice.offsets, slice.sizes, slice.strides);
}

LogicalResult EntryLowering::lowerScan(ScanOp op) {
  Location loc = op.getLoc();
  int64_t steps = op.getSteps();
  unsigned numStates = op.getState().size();
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };

  SmallVector<Value> carried;
  for (Value state : op.getState())
    carried.push_back(mapping.lookup(state));
  for (Value output : op.getOutputs())
    carried.push_back(emptyLike(output));
  for (auto [argument, value] :
       llvm::zip_equal(op.getInvariantArguments(), op.getInvariants()))
    mapping.map(argument, mapping.lookup(value));

  auto loop = scf::ForOp::create(builder, loc, index(0), index(steps), index(1),
                                 carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  ValueRange present = loop.getRegionIterArgs();
  ValueRange states = present.take_front(numStates);
  SmallVector<Value> outputs(present.drop_front(numStates));
  Value step = loop.getInductionVar();
  if (op.getReverse())
    step = arith::SubIOp::create(builder, loc, index(steps - 1), step);

  mapping.map(op.getStateArguments(), states);
  for (auto [argument, value] :
       llvm::zip_equal(op.getElementArguments(), op.getSequences()))
    mapping.map(argument, stepOf(builder, loc, mapping.lookup(value), step,
                                 argument.getType()));
  Operation *yield = op.getBodyBlock()->getTerminator();
  auto stackedValues = yield->getOperands().drop_front(numStates);
  SmallVector<Value> stacked(outputs.size());
  auto insert = [&](unsigned i, Value value) {
    StepSlice slice(builder, loc, outputs[i], step);
    stacked[i] = tensor::InsertSliceOp::create(
        builder, loc, mapping.lookup(value), outputs[i], slice.offsets,
        slice.sizes, slice.strides);
  };
  for (auto [i, value] : llvm::enumerate(stackedValues)) {
    // The old state is stacked before it changes.
    if (isa<BlockArgument>(value))
      insert(i, value);
    else if (value.getDefiningOp<func::CallOp>() && !destinations.count(value))
      destinations[value] =
          stepOf(builder, loc, outputs[i], step, value.getType());
  }

  if (failed(lowerBlock(*op.getBodyBlock())))
    return failure();

  for (auto [i, value] : llvm::enumerate(stackedValues))
    if (!stacked[i])
      insert(i, value);
  SmallVector<Value> next;
  for (auto [value, state] :
       llvm::zip(yield->getOperands().take_front(numStates), states))
    next.push_back(
        linalg::CopyOp::create(builder, loc, mapping.lookup(value), state)
            .getResult(0));
  next.append(stacked);
  scf::YieldOp::create(builder, loc, next);
  mapping.map(op.getResults(), loop.getResults());
  return success();
}

} // namespace cornu::lower
