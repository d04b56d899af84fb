//===- OperationShapes.cpp - keras.ops that move elements -----------------===//

#include "frontend/import/Operation.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;

void cornu::frontend::operations::reshape(OperationCall &call) {
  Value x = call.operand(0);
  if (!x)
    return;
  const Json &json = call.config.at("newshape");
  Shape shape;
  int64_t known = 1;
  std::optional<size_t> open;
  for (size_t i = 0; i < json.size(); ++i) {
    std::optional<int64_t> size = json.at(i).asInteger();
    if (i == 0 && (!size || *size == -1)) {
      shape.push_back(ShapedType::kDynamic);
    } else if (size && *size > 0 && *size < (1 << 30) && known < (1 << 30)) {
      shape.push_back(*size);
      known *= *size;
    } else if (!open) {
      open = i;
      shape.push_back(1);
    }
  }
  int64_t count = 1;
  for (int64_t size : Math::shape(x))
    count *= ShapedType::isDynamic(size) ? 1 : size;
  if (open && count % known == 0)
    shape[*open] = count / known;
  if (!shape.empty() && !ShapedType::isDynamic(shape[0]))
    return call.fail("the batch may not be part of the new shape",
                     "start the new shape with -1");
  one(call, call.math.reshape(x, shape));
}

void cornu::frontend::operations::transpose(OperationCall &call) {
  Value x = call.operand(0);
  if (!x)
    return;
  Shape permutation = axesOf(call, x, "axes");
  if (call.config.at("axes").isNull())
    std::reverse(permutation.begin(), permutation.end());
  for (int64_t &axis : permutation)
    axis = axis < 0 ? axis + Math::rank(x) : axis;
  Shape sorted = permutation;
  llvm::sort(sorted);
  for (auto [i, axis] : llvm::enumerate(sorted))
    if (axis != static_cast<int64_t>(i))
      return call.fail("axes are not a permutation");
  if (static_cast<int64_t>(sorted.size()) != Math::rank(x))
    return call.fail("axes are not a permutation");
  one(call, call.math.transpose(x, permutation));
}

void cornu::frontend::operations::swapAxes(OperationCall &call) {
  one(call, call.math.swap(call.operand(0),
                           call.config.at("axis1").asInteger().value_or(0),
                           call.config.at("axis2").asInteger().value_or(0)));
}

void cornu::frontend::operations::expandDims(OperationCall &call) {
  Value x = call.operand(0);
  for (int64_t axis : axesOf(call, x))
    x = call.math.expandDims(x, axis);
  one(call, x);
}

void cornu::frontend::operations::squeeze(OperationCall &call) {
  Value x = call.operand(0);
  if (!x)
    return;
  Shape axes = axesOf(call, x);
  if (call.config.at("axis").isNull())
    llvm::erase_if(axes,
                   [&](int64_t axis) { return Math::size(x, axis) != 1; });
  for (int64_t &axis : axes)
    axis = axis < 0 ? axis + Math::rank(x) : axis;
  llvm::sort(axes, std::greater<>());
  for (int64_t axis : axes)
    x = call.math.squeeze(x, axis);
  one(call, x);
}

static SmallVector<Value> operands(OperationCall &call) {
  SmallVector<Tensor> tensors;
  if (const Argument *first = call.argument(0, "xs"))
    first->flatten(tensors);
  SmallVector<Value> values;
  for (const Tensor &tensor : tensors)
    values.push_back(tensor.value);
  if (values.empty())
    call.fail("needs a list of tensors");
  return values;
}

void cornu::frontend::operations::concatenate(OperationCall &call) {
  SmallVector<Value> values = operands(call);
  if (!values.empty())
    one(call, call.math.concatenate(
                  values, call.config.at("axis").asInteger().value_or(0)));
}

void cornu::frontend::operations::stack(OperationCall &call) {
  int64_t axis = call.config.at("axis").asInteger().value_or(0);
  SmallVector<Value> values = operands(call);
  for (Value &value : values) {
    int64_t at = axis < 0 && value ? axis + Math::rank(value) + 1 : axis;
    value = call.math.expandDims(value, at);
  }
  if (!values.empty() && values[0])
    one(call, call.math.concatenate(
                  values, axis < 0 ? axis + Math::rank(values[0]) : axis));
}

void cornu::frontend::operations::split(OperationCall &call) {
  Math &m = call.math;
  Value x = call.operand(0);
  int64_t axis = m.axis(x, call.config.at("axis").asInteger().value_or(0));
  if (axis < 0)
    return;
  int64_t size = Math::size(x, axis);
  const Json &json = call.config.at("indices_or_sections");
  Shape bounds{0};
  if (std::optional<int64_t> parts = json.asInteger()) {
    if (*parts < 1 || *parts > 4096 || size % *parts != 0)
      return call.fail("cannot split " + Twine(size) + " positions into " +
                       Twine(*parts) + " equal parts");
    for (int64_t i = 1; i < *parts; ++i)
      bounds.push_back(i * (size / *parts));
  }
  for (const Json *item : json.items())
    bounds.push_back(item->asInteger().value_or(-1));
  bounds.push_back(size);
  for (size_t i = 0; i + 1 < bounds.size(); ++i)
    one(call, m.slice(x, axis, bounds[i], bounds[i + 1]));
}

void cornu::frontend::operations::flip(OperationCall &call) {
  Value x = call.operand(0);
  for (int64_t axis : axesOf(call, x))
    x = call.math.reverse(x, axis);
  one(call, x);
}

void cornu::frontend::operations::repeat(OperationCall &call) {
  std::optional<int64_t> n = call.config.at("repeats").asInteger();
  std::optional<int64_t> axis = call.config.at("axis").asInteger();
  if (!n || *n < 1 || *n > (1 << 30) || !axis)
    return call.fail("needs an axis and a number of repeats");
  one(call, call.math.repeat(call.operand(0), *axis, {*n}));
}

// x[1, :, 2:4, ..., None]: one entry per axis.
void cornu::frontend::operations::getItem(OperationCall &call) {
  Math &m = call.math;
  Value x = call.operand(0);
  const Argument *index = call.argument(1, "key");
  if (!x || !index || !index->literal)
    return call.fail("the index must be made of integers and slices");
  std::vector<const Json *> entries{index->literal};
  if (index->literal->isArray())
    entries.assign(index->literal->items().begin(),
                   index->literal->items().end());
  auto isClass = [](const Json *json, StringRef name) {
    return json->isObject() && json->at("class_name").str() == name;
  };
  int64_t named = 0;
  for (const Json *entry : entries)
    named += !entry->isNull() && !isClass(entry, "__ellipsis__");
  int64_t axis = 0;
  for (const Json *entry : entries) {
    if (!x)
      return;
    if (isClass(entry, "__ellipsis__")) {
      axis = Math::rank(x) - named;
      continue;
    }
    if (entry->isNull()) {
      x = m.expandDims(x, axis++);
      continue;
    }
    --named;
    if (axis >= Math::rank(x))
      return call.fail("more indices than axes");
    int64_t size = Math::size(x, axis);
    if (std::optional<int64_t> position = entry->asInteger()) {
      int64_t at = *position < 0 ? *position + size : *position;
      x = m.squeeze(m.slice(x, axis, at, at + 1), axis);
      continue;
    }
    const Json &range = entry->at("config");
    if (!isClass(entry, "__slice__"))
      return call.fail("the index must be made of integers and slices");
    if (ShapedType::isDynamic(size)) {
      if (!range.at("start").isNull() || !range.at("stop").isNull())
        return call.fail("the batch cannot be sliced");
      ++axis;
      continue;
    }
    auto bound = [&](StringRef key, int64_t missing) {
      int64_t at = range.at(key).asInteger().value_or(missing);
      return std::clamp<int64_t>(at < 0 ? at + size : at, 0, size);
    };
    x = m.slice(x, axis, bound("start", 0), bound("stop", size),
                range.at("step").asInteger().value_or(1));
    ++axis;
  }
  one(call, x);
}
