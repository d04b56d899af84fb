//===- Operations.cpp - Nodes of keras.ops --------------------------------===//
//
// Using keras.ops or Python's operators on symbolic tensors puts operations
// into a Functional model. They share class names with layers (Add, Softmax)
// and are told apart by their module, keras.src.ops.*. Constructor arguments
// are in the config, tensors in the call.
//
//===----------------------------------------------------------------------===//

#include "frontend/import/Operation.h"

using namespace mlir;
using namespace cornu;
using namespace cornu::frontend;
using nn::Predicate;
using nn::ReductionKind;

void cornu::frontend::one(OperationCall &call, Value value) {
  if (value)
    call.results.push_back({value, {}});
}

// Axes of the configuration; null means all.
Shape cornu::frontend::axesOf(OperationCall &call, Value x, StringRef key) {
  const Json &json = call.config.at(key);
  Shape axes;
  if (json.isNull() && x)
    for (int64_t i = 0; i < Math::rank(x); ++i)
      axes.push_back(i);
  if (std::optional<int64_t> axis = json.asInteger())
    axes.push_back(*axis);
  for (const Json *item : json.items())
    axes.push_back(item->asInteger().value_or(1000));
  return axes;
}

// A Python number takes the type of the tensor beside it.
static Value literalValue(OperationCall &call, const Json &json) {
  if (std::optional<bool> flag = json.asBool())
    return call.math.scalar(*flag, call.math.i1());
  if (json.isInteger())
    return call.math.scalar(static_cast<double>(*json.asInteger()),
                            call.math.i32());
  if (std::optional<double> number = json.asNumber())
    return call.math.scalar(*number);
  const Json &value = json.at("class_name").str() == "__tensor__" ||
                              json.at("class_name").str() == "__numpy__"
                          ? json.at("config").at("value")
                          : json;
  std::vector<double> numbers;
  Shape shape;
  const Json *level = &value;
  while (level->isArray()) {
    shape.push_back(static_cast<int64_t>(level->size()));
    level = &level->at(size_t{0});
  }
  std::function<void(const Json &)> collect = [&](const Json &node) {
    if (std::optional<double> number = node.asNumber())
      numbers.push_back(*number);
    for (const Json *item : node.items())
      collect(*item);
  };
  collect(value);
  std::optional<int64_t> count = countElements(shape);
  if (!count || *count != static_cast<int64_t>(numbers.size()) ||
      numbers.empty()) {
    call.fail("an argument is neither a tensor nor numbers");
    return {};
  }
  StringRef dtype = json.at("config").at("dtype").str();
  return call.math.constant(numbers, shape,
                            dtype.starts_with("int") ? call.math.i32()
                                                     : call.math.f32());
}

Value OperationCall::operand(size_t position, StringRef name) {
  const Argument *found = argument(position, name);
  if (!found) {
    fail("argument " + Twine(position) + " is missing");
    return {};
  }
  if (found->kind == Argument::Kind::Tensor)
    return found->tensor.value;
  if (found->literal)
    return literalValue(*this, *found->literal);
  fail("argument " + Twine(position) + " is not a tensor");
  return {};
}

static bool keepdims(OperationCall &call) {
  return call.config.at("keepdims").asBool().value_or(false);
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

template <Value (Math::*Function)(Value)>
static void unary(OperationCall &call) {
  one(call, (call.math.*Function)(call.operand(0)));
}

template <Value (Math::*Function)(Value, Value)>
static void binary(OperationCall &call) {
  Value a = call.operand(0), b = call.operand(1);
  one(call, (call.math.*Function)(a, b));
}

template <Predicate P> static void comparison(OperationCall &call) {
  Value a = call.operand(0), b = call.operand(1);
  one(call, call.math.compare(P, a, b));
}

static void activation(OperationCall &call) {
  one(call, applyActivation(call.math, call.operation.at("class_name").str(),
                            call.config, call.operand(0)));
}

static void square(OperationCall &call) {
  Value x = call.operand(0);
  one(call, call.math.multiply(x, x));
}

static void reciprocal(OperationCall &call) {
  one(call, call.math.divide(1.0, call.math.toFloat(call.operand(0))));
}

static void ceil(OperationCall &call) {
  Math &m = call.math;
  one(call, m.negate(m.floor(m.negate(m.toFloat(call.operand(0))))));
}

static void logarithmBase(OperationCall &call) {
  bool ten = call.operation.at("class_name").str() == "Log10";
  one(call, call.math.multiply(call.math.log(call.operand(0)),
                               ten ? 0.4342944819032518 : 1.4426950408889634));
}

static void clip(OperationCall &call) {
  std::optional<double> low = call.config.at("x_min").asNumber();
  std::optional<double> high = call.config.at("x_max").asNumber();
  Value x = call.operand(0);
  if (low)
    x = call.math.maximum(x, *low);
  if (high)
    x = call.math.minimum(x, *high);
  one(call, x);
}

static void floorDivide(OperationCall &call) {
  Value a = call.operand(0), b = call.operand(1);
  one(call, call.math.floor(call.math.divide(a, b)));
}

static void where(OperationCall &call) {
  Value condition = call.operand(0);
  Value a = call.operand(1), b = call.operand(2);
  one(call,
      call.math.select(call.math.convert(condition, call.math.i1()), a, b));
}

static void likeNumber(OperationCall &call) {
  Value x = call.operand(0);
  if (!x)
    return;
  bool ones = call.operation.at("class_name").str() == "OnesLike";
  Value number = call.math.scalar(ones, nn::elementType(x));
  one(call, call.math.broadcast(number, Math::shape(x), x));
}

static void cast(OperationCall &call) {
  StringRef name = call.config.at("dtype").str();
  Math &m = call.math;
  Type type = llvm::StringSwitch<Type>(name)
                  .Case("float32", m.f32())
                  .Case("float64", call.model.builder.getF64Type())
                  .Cases({"int32", "int64"}, m.i32())
                  .Case("bool", m.i1())
                  .Default(Type());
  if (!type)
    return call.fail("the dtype '" + name + "' is not supported",
                     "float32, float64, int32 or bool");
  one(call, m.convert(call.operand(0), type));
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

template <ReductionKind K> static void reduction(OperationCall &call) {
  Value x = call.operand(0);
  one(call, call.math.reduce(K, x, axesOf(call, x), keepdims(call)));
}

static void variance(OperationCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.operand(0));
  Shape axes = axesOf(call, x);
  Value centered = m.subtract(x, m.mean(x, axes, true));
  Value v = m.mean(m.square(centered), axes, keepdims(call));
  one(call, call.operation.at("class_name").str() == "Std" ? m.sqrt(v) : v);
}

static void logsumexp(OperationCall &call) {
  Math &m = call.math;
  Value x = m.toFloat(call.operand(0));
  Shape axes = axesOf(call, x);
  Value top = m.stopGradient(m.max(x, axes, true));
  Value sum = m.sum(m.exp(m.subtract(x, top)), axes, true);
  Value y = m.add(m.log(sum), top);
  if (!keepdims(call))
    y = m.sum(y, axes); // of size 1
  one(call, y);
}

static void argmax(OperationCall &call) {
  Math &m = call.math;
  Value x = call.operand(0);
  bool smallest = call.operation.at("class_name").str() == "Argmin";
  std::optional<int64_t> axis = call.config.at("axis").asInteger();
  if (!axis)
    return call.fail("needs an axis");
  Value y = m.argmax(smallest ? m.negate(x) : x, *axis);
  one(call, keepdims(call) ? m.expandDims(y, *axis) : y);
}

static void normalize(OperationCall &call) {
  if (call.config.at("order").asNumber().value_or(2) != 2)
    return call.fail("only order 2 is supported");
  Value x = call.operand(0);
  one(call, call.math.l2Normalize(x, axesOf(call, x), 1e12));
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

static void matmul(OperationCall &call) {
  Math &m = call.math;
  Value a = call.operand(0), b = call.operand(1);
  if (!a || !b)
    return;
  int64_t ra = Math::rank(a), rb = Math::rank(b);
  std::string batch = StringRef("cdefg").take_front(std::max(ra, rb) - 2).str();
  if (ra >= 2 && rb == 2)
    return one(
        call,
        m.contract(StringRef("cdefg").take_front(ra - 2).str() + "ij,jk->" +
                       StringRef("cdefg").take_front(ra - 2).str() + "ik",
                   a, b));
  if (ra == rb && ra > 2 && ra < 8)
    return one(call,
               m.contract(batch + "ij," + batch + "jk->" + batch + "ik", a, b));
  call.fail("operands of rank " + Twine(ra) + " and " + Twine(rb) +
            " are not supported");
}

static void einsum(OperationCall &call) {
  Math &m = call.math;
  StringRef equation = call.config.at("subscripts").str();
  if (call.arguments.positional.size() != 2 || equation.contains('.') ||
      !equation.contains("->"))
    return call.fail("needs two operands and an explicit result",
                     "for example 'bij,bjk->bik'");
  std::string compact;
  for (char c : equation)
    if (c != ' ')
      compact += c;
  Value a = call.operand(0), b = call.operand(1);
  one(call, m.contract(compact, a, b));
}

static void oneHot(OperationCall &call) {
  int64_t classes = call.config.at("num_classes").asInteger().value_or(0);
  int64_t axis = call.config.at("axis").asInteger().value_or(-1);
  if (classes < 1 || classes > (1 << 30) || axis != -1)
    return call.fail("needs a number of classes and the last axis");
  one(call, call.math.oneHot(call.operand(0), classes, call.math.f32()));
}

namespace {
struct Entry {
  StringRef className;
  void (*build)(OperationCall &);
};
} // namespace

static constexpr Entry kOperations[] = {
    {"Add", binary<&Math::add>},
    {"Subtract", binary<&Math::subtract>},
    {"Multiply", binary<&Math::multiply>},
    {"Divide", binary<&Math::divide>},
    {"TrueDivide", binary<&Math::divide>},
    {"FloorDivide", floorDivide},
    {"Mod", binary<&Math::remainder>},
    {"Power", binary<&Math::power>},
    {"Maximum", binary<&Math::maximum>},
    {"Minimum", binary<&Math::minimum>},
    {"Matmul", matmul},
    {"Einsum", einsum},
    {"Negative", unary<&Math::negate>},
    {"Absolute", unary<&Math::absolute>},
    {"Abs", unary<&Math::absolute>},
    {"Sign", unary<&Math::sign>},
    {"Exp", unary<&Math::exp>},
    {"Expm1", unary<&Math::expm1>},
    {"Log", unary<&Math::log>},
    {"Log1p", unary<&Math::log1p>},
    {"Log2", logarithmBase},
    {"Log10", logarithmBase},
    {"Sqrt", unary<&Math::sqrt>},
    {"Rsqrt", unary<&Math::rsqrt>},
    {"Square", square},
    {"Reciprocal", reciprocal},
    {"Sin", unary<&Math::sin>},
    {"Cos", unary<&Math::cos>},
    {"Tanh", unary<&Math::tanh>},
    {"Erf", unary<&Math::erf>},
    {"Floor", unary<&Math::floor>},
    {"Ceil", ceil},
    {"Clip", clip},
    {"StopGradient", unary<&Math::stopGradient>},
    {"Where", where},
    {"OnesLike", likeNumber},
    {"ZerosLike", likeNumber},
    {"Cast", cast},
    {"Equal", comparison<Predicate::eq>},
    {"NotEqual", comparison<Predicate::ne>},
    {"Less", comparison<Predicate::lt>},
    {"LessEqual", comparison<Predicate::le>},
    {"Greater", comparison<Predicate::gt>},
    {"GreaterEqual", comparison<Predicate::ge>},
    {"LogicalAnd", binary<&Math::logicalAnd>},
    {"LogicalOr", binary<&Math::logicalOr>},
    {"LogicalXor", binary<&Math::logicalXor>},
    {"LogicalNot", unary<&Math::logicalNot>},
    {"Sum", reduction<ReductionKind::sum>},
    {"Mean", reduction<ReductionKind::mean>},
    {"Max", reduction<ReductionKind::max>},
    {"Amax", reduction<ReductionKind::max>},
    {"Min", reduction<ReductionKind::min>},
    {"Amin", reduction<ReductionKind::min>},
    {"Prod", reduction<ReductionKind::product>},
    {"Any", reduction<ReductionKind::any>},
    {"All", reduction<ReductionKind::all>},
    {"Var", variance},
    {"Std", variance},
    {"Logsumexp", logsumexp},
    {"Argmax", argmax},
    {"Argmin", argmax},
    {"Normalize", normalize},
    {"Reshape", operations::reshape},
    {"Transpose", operations::transpose},
    {"Swapaxes", operations::swapAxes},
    {"ExpandDims", operations::expandDims},
    {"Squeeze", operations::squeeze},
    {"Concatenate", operations::concatenate},
    {"Stack", operations::stack},
    {"Split", operations::split},
    {"Flip", operations::flip},
    {"Repeat", operations::repeat},
    {"GetItem", operations::getItem},
    {"OneHot", oneHot},
};

bool cornu::frontend::isOperation(const Json &layer) {
  StringRef module = layer.at("module").str();
  return module.starts_with("keras.src.ops.") || module == "keras.ops" ||
         module.starts_with("keras.src.activations");
}

static void (*findOperation(StringRef className))(OperationCall &) {
  for (const Entry &entry : kOperations)
    if (entry.className == className)
      return entry.build;
  return isActivation(className) ? activation : nullptr;
}

std::vector<std::string> cornu::frontend::operationNames() {
  std::vector<std::string> names;
  for (const Entry &entry : kOperations)
    names.push_back(entry.className.str());
  return names;
}

void cornu::frontend::checkOperation(ModelBuilder &model, const Json &operation,
                                     StringRef path) {
  StringRef className = operation.at("class_name").str();
  if (!findOperation(className))
    model.diagnostics.error(path, &operation,
                            "the operation keras.ops " + className +
                                " is not supported",
                            "express it with elementwise operations, "
                            "reductions, reshapes and products");
}

std::vector<Tensor> cornu::frontend::callOperation(ModelBuilder &model,
                                                   const Json &operation,
                                                   StringRef path,
                                                   Arguments arguments) {
  auto build = findOperation(operation.at("class_name").str());
  if (!build)
    return {}; // reported by checkOperation
  for (const Argument &argument : arguments.positional) {
    SmallVector<Tensor> tensors;
    argument.flatten(tensors);
    for (const Tensor &tensor : tensors)
      if (!tensor.value)
        return {};
  }
  size_t before = model.diagnostics.getErrors().size();
  OperationCall call{model,
                     operation,
                     operation.at("config"),
                     path,
                     std::move(arguments),
                     Math(model.builder, model.locationOf(path),
                          [&](const std::string &message) {
                            model.diagnostics.error(path, &operation, message);
                          }),
                     {}};
  build(call);
  if (model.diagnostics.getErrors().size() != before)
    return {};
  return call.results;
}
