//===- Shape.cpp - Formulas of what moves elements ----------------------------
//===//

#include "test/unit/reference/Formulas.h"

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

Array constant(nn::ConstantOp op) {
  Array result(resultShape(*op, 0));
  Type type = resultElement(*op);
  int64_t i = 0;
  if (isa<FloatType>(type)) {
    for (APFloat value : op.getValue().getValues<APFloat>())
      result.data[i++] = value.convertToDouble();
  } else {
    for (APInt value : op.getValue().getValues<APInt>())
      result.data[i++] = type.isInteger(1) || type.isUnsignedInteger()
                             ? double(value.getZExtValue())
                             : double(value.getSExtValue());
  }
  return result;
}

Array reshape(nn::ReshapeOp op, const Array &x) {
  Sizes shape = resultShape(*op, 1);
  if (ShapedType::isDynamic(nn::tensorType(op.getResult()).getShape().empty()
                                ? 0
                                : nn::tensorType(op.getResult()).getDimSize(0)))
    shape[0] = x.size() / product(shape);
  return Array(shape, x.data);
}

Array transpose(nn::TransposeOp op, const Array &x) {
  Sizes shape;
  for (int64_t axis : op.getPermutation())
    shape.push_back(x.shape[axis]);
  return generate(shape, [&](const Sizes &index) {
    Sizes from(index.size());
    for (auto [i, axis] : llvm::enumerate(op.getPermutation()))
      from[axis] = index[i];
    return x.at(from);
  });
}

Array broadcast(nn::BroadcastOp op, Operands x) {
  auto type = nn::tensorType(op.getResult());
  bool supplied = x[0].rank() == type.getRank() && x[0].rank() > 0 &&
                  nn::tensorType(op.getInput()).isDynamicDim(0);
  int64_t batch = supplied ? x[0].shape[0] : x.size() > 1 ? x[1].shape[0] : 0;
  return generate(resultShape(*op, batch),
                  [&](const Sizes &index) { return x[0].atBroadcast(index); });
}

Array concatenate(nn::ConcatenateOp op, Operands x) {
  Sizes shape = x[0].shape;
  int64_t axis = op.getAxis();
  shape[axis] = 0;
  for (const Array &input : x)
    shape[axis] += input.shape[axis];
  return generate(shape, [&](Sizes index) {
    for (const Array &input : x) {
      if (index[axis] < input.shape[axis])
        return input.at(index);
      index[axis] -= input.shape[axis];
    }
    llvm_unreachable("index outside all inputs");
  });
}

Array slice(nn::SliceOp op, const Array &x) {
  auto type = nn::tensorType(op.getInput());
  Sizes shape = x.shape;
  for (int64_t d = 0; d < x.rank(); ++d)
    if (!type.isDynamicDim(d))
      shape[d] = nn::tensorType(op.getResult()).getDimSize(d);
  return generate(shape, [&](Sizes index) {
    for (int64_t d = 0; d < x.rank(); ++d)
      index[d] = op.getStarts()[d] + index[d] * op.getStrides()[d];
    return x.at(index);
  });
}

Array pad(nn::PadOp op, const Array &x) {
  Sizes shape = x.shape;
  for (int64_t d = 0; d < x.rank(); ++d)
    shape[d] += op.getLow()[d] + op.getHigh()[d] +
                std::max<int64_t>(x.shape[d] - 1, 0) * op.getInterior()[d];
  double value = op.getValue().convertToDouble();
  return generate(shape, [&](Sizes index) {
    for (int64_t d = 0; d < x.rank(); ++d) {
      int64_t shifted = index[d] - op.getLow()[d];
      int64_t stride = op.getInterior()[d] + 1;
      if (shifted < 0 || shifted % stride || shifted / stride >= x.shape[d])
        return value;
      index[d] = shifted / stride;
    }
    return x.at(index);
  });
}

Array reverse(nn::ReverseOp op, const Array &x) {
  return generate(x.shape, [&](Sizes index) {
    for (int64_t axis : op.getAxes())
      index[axis] = x.shape[axis] - 1 - index[axis];
    return x.at(index);
  });
}

} // namespace cornu::reference
