//===- shape.cpp - Derivatives of ops that move elements ------------------===//
//
// Each moves the gradient back; repetition becomes a sum, selection a padding
// with zeros.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Derivatives.h"

using namespace mlir;

namespace cornu::graph {

static Gradients reshape(nn::ReshapeOp op, const Rule &r) {
  return {r.reshape(r.gradient, op.getInput().getType())};
}

static Gradients transpose(nn::TransposeOp op, const Rule &r) {
  SmallVector<int64_t> inverse(op.getPermutation().size());
  for (auto [i, axis] : llvm::enumerate(op.getPermutation()))
    inverse[axis] = i;
  return {r.make<nn::TransposeOp>(inverse, r.gradient)};
}

static Gradients broadcast(nn::BroadcastOp op, const Rule &r) {
  Gradients gradients(op->getNumOperands());
  gradients[0] = r.unbroadcast(r.gradient, op.getInput());
  return gradients;
}

static Gradients concatenate(nn::ConcatenateOp op, const Rule &r) {
  auto type = nn::tensorType(r.gradient);
  SmallVector<int64_t> starts(type.getRank(), 0), strides(type.getRank(), 1),
      limits(type.getShape());
  for (int64_t &limit : limits)
    if (ShapedType::isDynamic(limit))
      limit = -1;
  Gradients gradients;
  int64_t axis = op.getAxis(), start = 0;
  for (auto [i, input] : llvm::enumerate(op.getInputs())) {
    starts[axis] = start;
    start += nn::tensorType(input).getDimSize(axis);
    limits[axis] = start;
    gradients.push_back(
        r.needed[i] ? r.make<nn::SliceOp>(starts, limits, strides, r.gradient)
                    : Value());
  }
  return gradients;
}

static Gradients slice(nn::SliceOp op, const Rule &r) {
  auto input = nn::tensorType(op.getInput());
  auto result = nn::tensorType(op.getResult());
  SmallVector<int64_t> low, high, interior;
  for (int64_t axis = 0; axis < input.getRank(); ++axis) {
    if (input.isDynamicDim(axis)) {
      low.push_back(0), high.push_back(0), interior.push_back(0);
      continue;
    }
    int64_t start = op.getStarts()[axis], stride = op.getStrides()[axis];
    int64_t count = result.getDimSize(axis);
    int64_t end = count == 0 ? start : start + (count - 1) * stride + 1;
    low.push_back(start);
    high.push_back(input.getDimSize(axis) - end);
    interior.push_back(stride - 1);
  }
  return {r.make<nn::PadOp>(low, high, interior, APFloat(0.0), r.gradient)};
}

static Gradients pad(nn::PadOp op, const Rule &r) {
  auto input = nn::tensorType(op.getInput());
  SmallVector<int64_t> starts, limits, strides;
  for (int64_t axis = 0; axis < input.getRank(); ++axis) {
    if (input.isDynamicDim(axis)) {
      starts.push_back(0), limits.push_back(-1), strides.push_back(1);
      continue;
    }
    int64_t stride = op.getInterior()[axis] + 1, low = op.getLow()[axis];
    int64_t count = input.getDimSize(axis);
    starts.push_back(low);
    limits.push_back(count == 0 ? low : low + (count - 1) * stride + 1);
    strides.push_back(stride);
  }
  return {r.make<nn::SliceOp>(starts, limits, strides, r.gradient)};
}

static Gradients reverse(nn::ReverseOp op, const Rule &r) {
  return {r.make<nn::ReverseOp>(op.getAxesAttr(), r.gradient)};
}

void attachShapeDerivatives(MLIRContext *context) {
  attachRule<nn::ReshapeOp, reshape>(context);
  attachRule<nn::TransposeOp, transpose>(context);
  attachRule<nn::BroadcastOp, broadcast>(context);
  attachRule<nn::ConcatenateOp, concatenate>(context);
  attachRule<nn::SliceOp, slice>(context);
  attachRule<nn::PadOp, pad>(context);
  attachRule<nn::ReverseOp, reverse>(context);
  attachZero<nn::BatchSizeOp>(context);
}

} // namespace cornu::graph
