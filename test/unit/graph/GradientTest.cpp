//===- GradientTest.cpp - Derivatives against finite differences ----------===//
//
// For each case y = f(x...), the derivative of sum(sin(y)) is built by
// autodiff and compared with central differences in float64; then the
// derivative of a function of that derivative likewise.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Autodiff.h"
#include "passes/graph/Derivatives.h"
#include "passes/graph/Math.h"
#include "test/unit/reference/Interpreter.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;
using namespace cornu;
using cornu::graph::Math;
using cornu::reference::Array;

namespace {

constexpr int64_t kBatch = 3; // for dynamic dimensions

struct Case {
  const char *name;
  const char *function; // func.func @f
  bool again = true;    // whether to differentiate twice
};

class GradientTest : public ::testing::TestWithParam<Case> {
protected:
  GradientTest() {
    DialectRegistry registry;
    registry.insert<nn::NNDialect, func::FuncDialect>();
    graph::registerDerivatives(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  MLIRContext context;
};

bool isFloat(Value value) { return isa<FloatType>(nn::elementType(value)); }

/// Values in [0.3, 1.7], so that no case leaves its domain or meets a kink;
/// integers in [0, 3).
std::vector<Array> randomArguments(func::FuncOp function) {
  std::mt19937 generator(7);
  std::uniform_real_distribution<double> real(0.3, 1.7);
  std::vector<Array> arguments;
  for (Value argument : function.getArguments()) {
    reference::Sizes shape(nn::tensorType(argument).getShape());
    for (int64_t &size : shape)
      size = ShapedType::isDynamic(size) ? kBatch : size;
    Array array(shape);
    for (double &value : array.data)
      value = isFloat(argument) ? real(generator) : int(generator() % 3);
    if (nn::elementType(argument).isInteger(1))
      for (double &value : array.data)
        value = value != 0;
    arguments.push_back(array);
  }
  return arguments;
}

/// Replaces the results by one: the sum of sin(scale y) over all of them.
void addScalar(func::FuncOp function, double scale) {
  Operation *end = function.getBody().front().getTerminator();
  OpBuilder builder(end);
  Math m(builder, function.getLoc());
  Value total;
  for (Value y : end->getOperands()) {
    Value part = m.sumAll(m.make<nn::SinOp>(m.multiply(y, scale)));
    total = total ? m.add(total, part) : part;
  }
  end->setOperands(total);
  function.setFunctionType(
      builder.getFunctionType(function.getArgumentTypes(), total.getType()));
}

/// Replaces the scalar result by its gradients for the float arguments.
LogicalResult differentiate(func::FuncOp function) {
  Operation *end = function.getBody().front().getTerminator();
  OpBuilder builder(end);
  SmallVector<Value> variables;
  for (Value argument : function.getArguments())
    if (isFloat(argument))
      variables.push_back(argument);
  FailureOr<SmallVector<Value>> gradients =
      graph::buildGradients(builder, end->getOperand(0), variables);
  if (failed(gradients))
    return failure();
  end->setOperands(*gradients);
  function.setFunctionType(builder.getFunctionType(function.getArgumentTypes(),
                                                   end->getOperandTypes()));
  return verify(function);
}

/// The gradient of @scalar is @gradient; both have the same arguments.
void expectGradient(ModuleOp module, StringRef scalar, StringRef gradient,
                    double tolerance) {
  reference::Interpreter interpreter(module);
  auto function = module.lookupSymbol<func::FuncOp>(scalar);
  std::vector<Array> arguments = randomArguments(function);
  std::vector<Array> gradients = interpreter.call(gradient, arguments);
  auto next = gradients.begin();
  const double step = 1e-5;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!isFloat(function.getArgument(i)))
      continue;
    const Array &analytic = *next++;
    ASSERT_EQ(analytic.shape, arguments[i].shape);
    for (int64_t k = 0; k < arguments[i].size(); ++k) {
      auto evaluate = [&](double delta) {
        std::vector<Array> moved = arguments;
        moved[i].data[k] += delta;
        return interpreter.call(scalar, moved)[0].data[0];
      };
      double numeric = (evaluate(step) - evaluate(-step)) / (2 * step);
      double scale = std::max(1.0, std::fabs(numeric));
      EXPECT_NEAR(analytic.data[k], numeric, tolerance * scale)
          << "argument " << i << ", element " << k;
    }
  }
}

TEST_P(GradientTest, MatchesFiniteDifferences) {
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(GetParam().function, &context);
  ASSERT_TRUE(module);
  auto y = module->lookupSymbol<func::FuncOp>("f");
  addScalar(y, 1.0);
  auto copy = [&](func::FuncOp function, StringRef name) {
    OpBuilder builder = OpBuilder::atBlockEnd(module->getBody());
    auto clone = cast<func::FuncOp>(builder.clone(*function));
    clone.setName(name);
    return clone;
  };
  func::FuncOp gradient = copy(y, "gradient");
  ASSERT_TRUE(succeeded(differentiate(gradient)));
  expectGradient(*module, "f", "gradient", 1e-7);
  if (!GetParam().again || HasFailure())
    return;
  func::FuncOp scalar = copy(gradient, "again");
  addScalar(scalar, 0.7);
  func::FuncOp second = copy(scalar, "second");
  ASSERT_TRUE(succeeded(differentiate(second)));
  expectGradient(*module, "again", "second", 1e-6);
}

//===----------------------------------------------------------------------===//
// Cases
//===----------------------------------------------------------------------===//

#define UNARY(OP)                                                              \
  Case{#OP, "func.func @f(%x: tensor<?x4xf64>) -> tensor<?x4xf64> {\n"         \
            "  %y = nn." #OP " %x : tensor<?x4xf64>\n"                         \
            "  return %y : tensor<?x4xf64>\n}"}
const Case unary[] = {
    UNARY(negate), UNARY(absolute), UNARY(exp),   UNARY(expm1),    UNARY(log),
    UNARY(log1p),  UNARY(sqrt),     UNARY(rsqrt), UNARY(sin),      UNARY(cos),
    UNARY(tanh),   UNARY(sigmoid),  UNARY(erf),   UNARY(softplus), UNARY(relu),
    UNARY(sign),   UNARY(floor),
};

#define BINARY(OP)                                                             \
  Case{#OP, "func.func @f(%a: tensor<?x4xf64>, %b: tensor<4xf64>,"             \
            "             %c: tensor<?x2x1xf64>, %d: tensor<f64>)"             \
            "    -> (tensor<?x4xf64>, tensor<?x2x4xf64>) {\n"                  \
            "  %0 = nn." #OP                                                   \
            " %a, %b : (tensor<?x4xf64>, tensor<4xf64>) -> tensor<?x4xf64>\n"  \
            "  %1 = nn." #OP                                                   \
            " %d, %0 : (tensor<f64>, tensor<?x4xf64>) -> tensor<?x4xf64>\n"    \
            "  %2 = nn." #OP " %c, %b : (tensor<?x2x1xf64>, tensor<4xf64>)"    \
            " -> tensor<?x2x4xf64>\n"                                          \
            "  return %1, %2 : tensor<?x4xf64>, tensor<?x2x4xf64>\n}"}
const Case binary[] = {
    BINARY(add),     BINARY(subtract), BINARY(multiply), BINARY(divide),
    BINARY(maximum), BINARY(minimum),  BINARY(power),    BINARY(remainder),
};

const Case others[] = {
    {"select", R"(
func.func @f(%c: tensor<?x4xi1>, %a: tensor<4xf64>, %b: tensor<?x1xf64>) -> tensor<?x4xf64> {
  %0 = nn.select %c, %a, %b : (tensor<?x4xi1>, tensor<4xf64>, tensor<?x1xf64>) -> tensor<?x4xf64>
  return %0 : tensor<?x4xf64>
})"},
    {"stop_gradient_is_constant", R"(
func.func @f(%a: tensor<4xf64>) -> tensor<4xf64> {
  %0 = nn.sign %a : tensor<4xf64>
  %1 = nn.multiply %0, %a : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
  return %1 : tensor<4xf64>
})"},
    {"reshape", R"(
func.func @f(%a: tensor<?x2x3xf64>) -> tensor<?x6xf64> {
  %0 = nn.reshape %a : tensor<?x2x3xf64> -> tensor<?x6xf64>
  return %0 : tensor<?x6xf64>
})"},
    {"transpose", R"(
func.func @f(%a: tensor<2x3x4xf64>, %b: tensor<4x2x3xf64>) -> tensor<4x2x3xf64> {
  %0 = nn.transpose [2, 0, 1] %a : (tensor<2x3x4xf64>) -> tensor<4x2x3xf64>
  %1 = nn.multiply %0, %b : (tensor<4x2x3xf64>, tensor<4x2x3xf64>) -> tensor<4x2x3xf64>
  return %1 : tensor<4x2x3xf64>
})"},
    {"broadcast", R"(
func.func @f(%a: tensor<1x3xf64>, %b: tensor<?x2x3xf64>) -> tensor<?x2x3xf64> {
  %0 = nn.broadcast %a like %b : (tensor<1x3xf64>, tensor<?x2x3xf64>) -> tensor<?x2x3xf64>
  %1 = nn.multiply %0, %b : (tensor<?x2x3xf64>, tensor<?x2x3xf64>) -> tensor<?x2x3xf64>
  return %1 : tensor<?x2x3xf64>
})"},
    {"concatenate", R"(
func.func @f(%a: tensor<?x2xf64>, %b: tensor<?x3xf64>) -> tensor<?x7xf64> {
  %0 = nn.concatenate 1 %a, %b, %a : (tensor<?x2xf64>, tensor<?x3xf64>, tensor<?x2xf64>) -> tensor<?x7xf64>
  return %0 : tensor<?x7xf64>
})"},
    {"slice", R"(
func.func @f(%a: tensor<?x7xf64>) -> tensor<?x3xf64> {
  %0 = nn.slice [0, 1] [-1, 7] [1, 2] %a : (tensor<?x7xf64>) -> tensor<?x3xf64>
  return %0 : tensor<?x3xf64>
})"},
    {"pad", R"(
func.func @f(%a: tensor<?x3xf64>) -> tensor<?x8xf64> {
  %0 = nn.pad %a low [0, 1] high [0, 2] interior [0, 1] value 0.5 : (tensor<?x3xf64>) -> tensor<?x8xf64>
  return %0 : tensor<?x8xf64>
})"},
    {"reverse", R"(
func.func @f(%a: tensor<?x3xf64>) -> tensor<?x3xf64> {
  %0 = nn.reverse [1] %a : tensor<?x3xf64>
  return %0 : tensor<?x3xf64>
})"},
    {"batch_size_is_constant", R"(
func.func @f(%a: tensor<?x3xf64>) -> tensor<?x3xf64> {
  %0 = nn.batch_size %a : (tensor<?x3xf64>) -> tensor<f64>
  %1 = nn.divide %a, %0 : (tensor<?x3xf64>, tensor<f64>) -> tensor<?x3xf64>
  return %1 : tensor<?x3xf64>
})"},
    {"reduce_sum", R"(
func.func @f(%a: tensor<?x2x3xf64>) -> tensor<3xf64> {
  %0 = nn.reduce sum [0, 1] %a : (tensor<?x2x3xf64>) -> tensor<3xf64>
  return %0 : tensor<3xf64>
})"},
    {"reduce_mean", R"(
func.func @f(%a: tensor<?x2x3xf64>) -> (tensor<?x1x1xf64>, tensor<f64>, tensor<2x3xf64>) {
  %0 = nn.reduce mean [1, 2] keep %a : (tensor<?x2x3xf64>) -> tensor<?x1x1xf64>
  %1 = nn.reduce mean [0, 1, 2] %a : (tensor<?x2x3xf64>) -> tensor<f64>
  %2 = nn.reduce mean [0] %a : (tensor<?x2x3xf64>) -> tensor<2x3xf64>
  return %0, %1, %2 : tensor<?x1x1xf64>, tensor<f64>, tensor<2x3xf64>
})"},
    {"reduce_max", R"(
func.func @f(%a: tensor<?x5xf64>) -> tensor<?xf64> {
  %0 = nn.reduce max [1] %a : (tensor<?x5xf64>) -> tensor<?xf64>
  return %0 : tensor<?xf64>
})"},
    {"reduce_min", R"(
func.func @f(%a: tensor<?x5xf64>) -> tensor<5xf64> {
  %0 = nn.reduce min [0] %a : (tensor<?x5xf64>) -> tensor<5xf64>
  return %0 : tensor<5xf64>
})"},
    {"reduce_product", R"(
func.func @f(%a: tensor<?x4xf64>) -> tensor<?xf64> {
  %0 = nn.reduce product [1] %a : (tensor<?x4xf64>) -> tensor<?xf64>
  return %0 : tensor<?xf64>
})"},
    {"reduce_product_with_zeros", R"(
func.func @f(%a: tensor<3xf64>) -> (tensor<f64>, tensor<f64>) {
  %one = nn.constant dense<[[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]]> : tensor<2x3xf64>
  %0 = nn.multiply %a, %one : (tensor<3xf64>, tensor<2x3xf64>) -> tensor<2x3xf64>
  %1 = nn.reduce product [1] %0 : (tensor<2x3xf64>) -> tensor<2xf64>
  %2 = nn.reduce sum [0] %1 : (tensor<2xf64>) -> tensor<f64>
  %3 = nn.multiply %2, %2 : (tensor<f64>, tensor<f64>) -> tensor<f64>
  return %2, %3 : tensor<f64>, tensor<f64>
})",
     false},
    {"softmax", R"(
func.func @f(%a: tensor<?x4xf64>) -> tensor<?x4xf64> {
  %0 = nn.softmax 1 %a : tensor<?x4xf64>
  return %0 : tensor<?x4xf64>
})"},
    {"log_softmax", R"(
func.func @f(%a: tensor<?x2x4xf64>) -> tensor<?x2x4xf64> {
  %0 = nn.log_softmax 1 %a : tensor<?x2x4xf64>
  return %0 : tensor<?x2x4xf64>
})"},
    {"contract", R"(
func.func @f(%x: tensor<?x3xf64>, %w: tensor<3x2xf64>) -> tensor<?x2xf64> {
  %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x3xf64>, tensor<3x2xf64>) -> tensor<?x2xf64>
  return %0 : tensor<?x2xf64>
})"},
    {"contract_batched", R"(
func.func @f(%x: tensor<?x2x2x3xf64>, %w: tensor<?x4x2x3xf64>) -> tensor<?x2x2x4xf64> {
  %0 = nn.contract "bqhd,bkhd->bhqk" %x, %w : (tensor<?x2x2x3xf64>, tensor<?x4x2x3xf64>) -> tensor<?x2x2x4xf64>
  return %0 : tensor<?x2x2x4xf64>
})"},
    {"convolution", R"(
func.func @f(%x: tensor<?x5x4x2xf64>, %w: tensor<3x2x2x3xf64>) -> tensor<?x3x2x3xf64> {
  %0 = nn.convolution %x, %w strides [2, 1] padding [1, 1, 0, 0] dilations [1, 2] groups 1
      : (tensor<?x5x4x2xf64>, tensor<3x2x2x3xf64>) -> tensor<?x3x2x3xf64>
  return %0 : tensor<?x3x2x3xf64>
})"},
    {"convolution_grouped", R"(
func.func @f(%x: tensor<?x6x4xf64>, %w: tensor<3x2x6xf64>) -> tensor<?x3x6xf64> {
  %0 = nn.convolution %x, %w strides [2] padding [0, 2] dilations [1] groups 2
      : (tensor<?x6x4xf64>, tensor<3x2x6xf64>) -> tensor<?x3x6xf64>
  return %0 : tensor<?x3x6xf64>
})"},
    {"convolution_input_gradient", R"(
func.func @f(%y: tensor<?x3x2xf64>, %w: tensor<3x2x2xf64>) -> tensor<?x6x2xf64> {
  %0 = nn.convolution_input_gradient %y, %w strides [2] padding [0, 1] dilations [1] groups 1
      : (tensor<?x3x2xf64>, tensor<3x2x2xf64>) -> tensor<?x6x2xf64>
  return %0 : tensor<?x6x2xf64>
})"},
    {"sum_pool", R"(
func.func @f(%x: tensor<?x5x5x2xf64>) -> tensor<?x3x2x2xf64> {
  %0 = nn.sum_pool %x window [3, 2] strides [2, 2] padding [1, 1, 0, 0]
      : (tensor<?x5x5x2xf64>) -> tensor<?x3x2x2xf64>
  return %0 : tensor<?x3x2x2xf64>
})"},
    {"max_pool", R"(
func.func @f(%x: tensor<?x5x4x2xf64>) -> tensor<?x3x3x2xf64> {
  %0 = nn.max_pool %x window [3, 2] strides [2, 1] padding [1, 1, 0, 0]
      : (tensor<?x5x4x2xf64>) -> tensor<?x3x3x2xf64>
  return %0 : tensor<?x3x3x2xf64>
})"},
    {"gather", R"(
func.func @f(%t: tensor<3x2xf64>, %i: tensor<?x4xi32>) -> tensor<?x4x2xf64> {
  %0 = nn.gather %t, %i : (tensor<3x2xf64>, tensor<?x4xi32>) -> tensor<?x4x2xf64>
  return %0 : tensor<?x4x2xf64>
})"},
    {"scan_simple", R"(
func.func @f(%h0: tensor<?x2xf64>, %xs: tensor<?x4x3xf64>, %w: tensor<3x2xf64>, %u: tensor<2x2xf64>, %b: tensor<2xf64>)
    -> (tensor<?x2xf64>, tensor<?x4x2xf64>) {
  %h, %ys = nn.scan steps 4 state(%h0) sequences(%xs) invariants(%w, %u, %b) {
  ^bb0(%s: tensor<?x2xf64>, %x: tensor<?x3xf64>, %k: tensor<3x2xf64>, %r: tensor<2x2xf64>, %c: tensor<2xf64>):
    %0 = nn.contract "bi,iu->bu" %x, %k : (tensor<?x3xf64>, tensor<3x2xf64>) -> tensor<?x2xf64>
    %1 = nn.contract "bi,iu->bu" %s, %r : (tensor<?x2xf64>, tensor<2x2xf64>) -> tensor<?x2xf64>
    %2 = nn.add %0, %1 : (tensor<?x2xf64>, tensor<?x2xf64>) -> tensor<?x2xf64>
    %3 = nn.add %2, %c : (tensor<?x2xf64>, tensor<2xf64>) -> tensor<?x2xf64>
    %4 = nn.tanh %3 : tensor<?x2xf64>
    nn.yield %4, %4 : tensor<?x2xf64>, tensor<?x2xf64>
  } : (tensor<?x2xf64>, tensor<?x4x3xf64>, tensor<3x2xf64>, tensor<2x2xf64>, tensor<2xf64>) -> (tensor<?x2xf64>, tensor<?x4x2xf64>)
  return %h, %ys : tensor<?x2xf64>, tensor<?x4x2xf64>
})"},
    {"scan_lstm_reversed", R"(
func.func @f(%h0: tensor<?x2xf64>, %c0: tensor<?x2xf64>, %xs: tensor<?x3x8xf64>, %u: tensor<2x8xf64>)
    -> tensor<?x2xf64> {
  %h, %cell = nn.scan steps 3 reverse state(%h0, %c0) sequences(%xs) invariants(%u) {
  ^bb0(%s: tensor<?x2xf64>, %c: tensor<?x2xf64>, %x: tensor<?x8xf64>, %r: tensor<2x8xf64>):
    %1 = nn.contract "bi,iu->bu" %s, %r : (tensor<?x2xf64>, tensor<2x8xf64>) -> tensor<?x8xf64>
    %z = nn.add %x, %1 : (tensor<?x8xf64>, tensor<?x8xf64>) -> tensor<?x8xf64>
    %zi = nn.slice [0, 0] [-1, 2] [1, 1] %z : (tensor<?x8xf64>) -> tensor<?x2xf64>
    %zf = nn.slice [0, 2] [-1, 4] [1, 1] %z : (tensor<?x8xf64>) -> tensor<?x2xf64>
    %zc = nn.slice [0, 4] [-1, 6] [1, 1] %z : (tensor<?x8xf64>) -> tensor<?x2xf64>
    %zo = nn.slice [0, 6] [-1, 8] [1, 1] %z : (tensor<?x8xf64>) -> tensor<?x2xf64>
    %i = nn.sigmoid %zi : tensor<?x2xf64>
    %f = nn.sigmoid %zf : tensor<?x2xf64>
    %g = nn.tanh %zc : tensor<?x2xf64>
    %o = nn.sigmoid %zo : tensor<?x2xf64>
    %fc = nn.multiply %f, %c : (tensor<?x2xf64>, tensor<?x2xf64>) -> tensor<?x2xf64>
    %ig = nn.multiply %i, %g : (tensor<?x2xf64>, tensor<?x2xf64>) -> tensor<?x2xf64>
    %n = nn.add %fc, %ig : (tensor<?x2xf64>, tensor<?x2xf64>) -> tensor<?x2xf64>
    %t = nn.tanh %n : tensor<?x2xf64>
    %y = nn.multiply %o, %t : (tensor<?x2xf64>, tensor<?x2xf64>) -> tensor<?x2xf64>
    nn.yield %y, %n : tensor<?x2xf64>, tensor<?x2xf64>
  } : (tensor<?x2xf64>, tensor<?x2xf64>, tensor<?x3x8xf64>, tensor<2x8xf64>) -> (tensor<?x2xf64>, tensor<?x2xf64>)
  return %h : tensor<?x2xf64>
})"},
    {"scan_masked_with_accumulated_gradients", R"(
func.func @f(%h0: tensor<?x2xf64>, %xs: tensor<?x3x2xf64>, %ms: tensor<?x3xi1>, %a: tensor<2xf64>, %k: tensor<f64>)
    -> (tensor<?x2xf64>, tensor<?x3x2xf64>) {
  %h, %ys = nn.scan steps 3 state(%h0) sequences(%xs, %ms) invariants(%a, %k) {
  ^bb0(%s: tensor<?x2xf64>, %x: tensor<?x2xf64>, %m: tensor<?xi1>, %b: tensor<2xf64>, %l: tensor<f64>):
    %0 = nn.multiply %s, %b : (tensor<?x2xf64>, tensor<2xf64>) -> tensor<?x2xf64>
    %1 = nn.multiply %l, %l : (tensor<f64>, tensor<f64>) -> tensor<f64>
    %2 = nn.multiply %0, %1 : (tensor<?x2xf64>, tensor<f64>) -> tensor<?x2xf64>
    %3 = nn.add %2, %x : (tensor<?x2xf64>, tensor<?x2xf64>) -> tensor<?x2xf64>
    %4 = nn.sigmoid %3 : tensor<?x2xf64>
    %c = nn.reshape %m : tensor<?xi1> -> tensor<?x1xi1>
    %5 = nn.select %c, %4, %s : (tensor<?x1xi1>, tensor<?x2xf64>, tensor<?x2xf64>) -> tensor<?x2xf64>
    %6 = nn.relu %5 : tensor<?x2xf64>
    nn.yield %5, %6 : tensor<?x2xf64>, tensor<?x2xf64>
  } : (tensor<?x2xf64>, tensor<?x3x2xf64>, tensor<?x3xi1>, tensor<2xf64>, tensor<f64>) -> (tensor<?x2xf64>, tensor<?x3x2xf64>)
  return %h, %ys : tensor<?x2xf64>, tensor<?x3x2xf64>
})"},
};

auto nameOf = [](const ::testing::TestParamInfo<Case> &info) {
  return std::string(info.param.name);
};
INSTANTIATE_TEST_SUITE_P(Unary, GradientTest, ::testing::ValuesIn(unary),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Binary, GradientTest, ::testing::ValuesIn(binary),
                         nameOf);
INSTANTIATE_TEST_SUITE_P(Others, GradientTest, ::testing::ValuesIn(others),
                         nameOf);

} // namespace
