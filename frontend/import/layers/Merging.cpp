//===- Merging.cpp - Layers of several inputs -----------------------------===//

#include "frontend/import/ModelBuilder.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

// Inputs of different ranks get axes of size 1 after the batch.
static SmallVector<Value> alignRanks(LayerCall &call) {
  int64_t rank = 0;
  for (const Tensor &tensor : call.inputs())
    rank = std::max(rank, Math::rank(tensor.value));
  SmallVector<Value> values;
  for (const Tensor &tensor : call.inputs()) {
    Value value = tensor.value;
    while (value && Math::rank(value) < rank)
      value = call.math.expandDims(value, 1);
    values.push_back(value);
  }
  return values;
}

static bool expectInputs(LayerCall &call, size_t least, size_t most = ~0u) {
  if (call.inputs().size() >= least && call.inputs().size() <= most)
    return true;
  call.error("needs " + Twine(least) +
             (most == least ? " inputs" : " or more inputs") + ", has " +
             Twine(call.inputs().size()));
  return false;
}

// All inputs masked: a position counts if it does in any of them.
static Value anyMask(LayerCall &call) {
  Value mask = call.mask();
  for (const Tensor &tensor : call.inputs())
    mask = tensor.mask && mask
               ? (tensor.mask == mask ? mask
                                      : call.math.logicalOr(mask, tensor.mask))
               : Value();
  return mask;
}

static void importAdd(LayerCall &call) {
  if (!expectInputs(call, 2))
    return;
  SmallVector<Value> values = alignRanks(call);
  Value sum = values[0];
  for (Value value : llvm::drop_begin(values))
    sum = call.math.add(sum, value);
  if (call.className() == "Average")
    sum = call.math.divide(sum, static_cast<double>(values.size()));
  call.result(sum, anyMask(call));
}

static void importSubtract(LayerCall &call) {
  if (!expectInputs(call, 2, 2))
    return;
  SmallVector<Value> values = alignRanks(call);
  call.result(call.math.subtract(values[0], values[1]), anyMask(call));
}

// A masked element counts as 1; where all are masked the product is 0.
static void importMultiply(LayerCall &call) {
  if (!expectInputs(call, 2))
    return;
  Math &m = call.math;
  SmallVector<Value> values = alignRanks(call);
  Value product;
  for (auto [value, tensor] : llvm::zip(values, call.inputs())) {
    Value factor = value;
    if (tensor.mask)
      factor = m.select(m.expandDims(tensor.mask, -1), value,
                        m.scalar(1, nn::elementType(value)));
    product = product ? m.multiply(product, factor) : factor;
  }
  Value mask = anyMask(call);
  if (mask)
    product = m.select(m.expandDims(mask, -1), product, 0.0);
  call.result(product, mask);
}

// A masked element is replaced by the other operand.
static void importExtremum(LayerCall &call) {
  if (!expectInputs(call, 2))
    return;
  Math &m = call.math;
  bool maximum = call.className() == "Maximum";
  SmallVector<Value> values = alignRanks(call);
  Value result = values[0], mask = call.mask();
  for (size_t i = 1; i < values.size(); ++i) {
    Value x = values[i], other = call.mask(i);
    if (other)
      x = m.select(m.expandDims(other, -1), x, result);
    if (mask)
      result = m.select(m.expandDims(mask, -1), result, x);
    mask = mask && other ? m.logicalOr(mask, other) : Value();
    result = maximum ? m.maximum(result, x) : m.minimum(result, x);
  }
  call.result(result, mask);
}

static void importConcatenate(LayerCall &call) {
  if (!expectInputs(call, 1))
    return;
  Math &m = call.math;
  int64_t axis = call.config.at("axis").asInteger().value_or(-1);
  SmallVector<Value> values, masks;
  bool masked = false;
  for (const Tensor &tensor : call.inputs()) {
    values.push_back(tensor.value);
    masked |= static_cast<bool>(tensor.mask);
  }
  Value result = m.concatenate(values, axis);
  if (!masked || !result)
    return call.result(result);
  for (const Tensor &tensor : call.inputs()) {
    Shape shape = Math::shape(tensor.value);
    Value mask = tensor.mask;
    if (!mask)
      mask = m.broadcast(m.scalar(1, m.i1()), shape, tensor.value);
    else if (Math::rank(mask) < static_cast<int64_t>(shape.size()))
      mask = m.broadcast(m.expandDims(mask, -1), shape);
    masks.push_back(mask);
  }
  call.result(result, m.reduce(nn::ReductionKind::any,
                               m.concatenate(masks, axis), {-1}));
}

// The sum of products over one axis of each input, the batch kept apart.
static void importDot(LayerCall &call) {
  if (!expectInputs(call, 2, 2))
    return;
  Math &m = call.math;
  Value a = call.input(0), b = call.input(1);
  const Json &axes = call.config.at("axes");
  const Json &first = axes.isArray() ? axes.at(size_t{0}) : axes;
  const Json &second = axes.isArray() ? axes.at(1) : axes;
  if (!first.isInteger() || !second.isInteger()) {
    call.errorAt("axes", "axes must be an integer or a pair of integers");
    return;
  }
  int64_t axisA = m.axis(a, *first.asInteger());
  int64_t axisB = m.axis(b, *second.asInteger());
  if (axisA == 0 || axisB == 0)
    call.errorAt("axes", "axes may not name the batch");
  if (axisA <= 0 || axisB <= 0)
    return;
  if (call.boolean("normalize", false)) {
    a = m.l2Normalize(a, {axisA});
    b = m.l2Normalize(b, {axisB});
  }
  std::string la = "n", lb = "n", out = "n";
  char next = 'a';
  for (int64_t i = 1; i < Math::rank(a); ++i) {
    la += i == axisA ? 'z' : next++;
    if (i != axisA)
      out += la.back();
  }
  for (int64_t i = 1; i < Math::rank(b); ++i) {
    lb += i == axisB ? 'z' : next++;
    if (i != axisB)
      out += lb.back();
  }
  if (Math::rank(a) + Math::rank(b) > 14) {
    call.error("inputs of such a high rank are not supported");
    return;
  }
  Value result = m.contract(la + "," + lb + "->" + out, a, b);
  if (out == "n")
    result = m.expandDims(result, -1);
  call.result(result);
}

void cornu::frontend::registerMerging(Registry &registry) {
  StringRef family = "Merging";
  registry.add({"Add", family, importAdd, MaskRule::Own, ""});
  registry.add({"Average", family, importAdd, MaskRule::Own, ""});
  registry.add({"Subtract", family, importSubtract, MaskRule::Own, ""});
  registry.add({"Multiply", family, importMultiply, MaskRule::Own, ""});
  registry.add({"Maximum", family, importExtremum, MaskRule::Own, ""});
  registry.add({"Minimum", family, importExtremum, MaskRule::Own, ""});
  registry.add({"Concatenate", family, importConcatenate, MaskRule::Own, ""});
  registry.add({"Dot", family, importDot, MaskRule::Drop, ""});
}
