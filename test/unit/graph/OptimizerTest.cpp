//===- OptimizerTest.cpp - Optimizer steps against Keras ------------------===//
//
// Four steps of @apply_gradients with given gradients; the expected variables
// are those of Keras 3.15.1 (optimizer.apply on the JAX backend).
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Passes.h"
#include "test/unit/reference/Interpreter.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace cornu;
using cornu::reference::Array;
using cornu::reference::Interpreter;

namespace {

struct Case {
  const char *name;
  const char *optimizer;        // the attribute nn.optimizer
  std::vector<double> expected; // a, then b
};

class OptimizerTest : public ::testing::TestWithParam<Case> {
protected:
  OptimizerTest() {
    DialectRegistry registry;
    registry.insert<nn::NNDialect, func::FuncDialect>();
    graph::registerDerivatives(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  MLIRContext context;
};

const char *kModel = R"(
  nn.variable trainable @a : tensor<3xf32>
  nn.variable trainable @b : tensor<1x2xf32>
  func.func @forward(%x: tensor<?xf32>) -> tensor<?xf32> {
    return %x : tensor<?xf32>
  }
  func.func @loss(%p: tensor<?xf32>, %t: tensor<?xf32>, %sw: tensor<?xf32>) -> tensor<f32> {
    %l = nn.reduce sum [0] %p : (tensor<?xf32>) -> tensor<f32>
    return %l : tensor<f32>
  }
)";

/// The value that a variable has before training.
Array initialValue(nn::VariableOp variable) {
  auto type = cast<RankedTensorType>(variable.getType());
  Array array(reference::Sizes(type.getShape()));
  auto value = dyn_cast_or_null<DenseElementsAttr>(
      variable.getValue().value_or(ElementsAttr()));
  if (value && isa<FloatType>(type.getElementType()))
    for (auto [i, element] : llvm::enumerate(value.getValues<APFloat>()))
      array.data[i] = element.convertToDouble();
  return array;
}

TEST_P(OptimizerTest, StepsAsKeras) {
  std::string text = std::string("module attributes {nn.optimizer = {") +
                     GetParam().optimizer + "}} {" + kModel + "}";
  auto module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  PassManager manager(&context);
  graph::buildGraphPipeline(manager, graph::GraphOptions());
  ASSERT_TRUE(succeeded(manager.run(*module)));
  Interpreter interpreter(*module);
  for (auto variable : module->getOps<nn::VariableOp>())
    interpreter.variables[variable.getName().str()] = initialValue(variable);
  Array &a = interpreter.variables["a"], &b = interpreter.variables["b"];
  a.data = {0.5, -1.0, 2.0};
  b.data = {0.3, -0.2};
  for (int k = 0; k < 4; ++k)
    interpreter.call("apply_gradients",
                     {Array({3}, {0.1 * (k + 1), -0.4, 0.9 - 0.3 * k}),
                      Array({1, 2}, {1.5 - k, -0.05})});
  std::vector<double> actual = a.data;
  actual.insert(actual.end(), b.data.begin(), b.data.end());
  for (size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], GetParam().expected[i], 5e-6) << "element " << i;
}

const Case cases[] = {
    {"sgd",
     R"(class_name = "SGD", learning_rate = 0.1 : f64)",
     {0.4, -0.8399999, 1.82, 0.3, -0.18}},
    {"sgd_momentum",
     R"(class_name = "SGD", learning_rate = 0.1 : f64, momentum = 0.9 : f64)",
     {0.31441, -0.6380399, 1.47089, -0.10635, -0.154755}},
    {"sgd_nesterov",
     R"(class_name = "SGD", learning_rate = 0.1 : f64, momentum = 0.9 : f64, nesterov = true, weight_decay = 0.01 : f64)",
     {0.2312016, -0.510824, 1.33687, -0.06557144, -0.1385534}},
    {"rmsprop",
     R"(class_name = "RMSprop", learning_rate = 0.1 : f64)",
     {-0.5997376, -0.0917401, 1.410246, 0.2115349, 0.7081501}},
    {"rmsprop_centered",
     R"(class_name = "RMSprop", learning_rate = 0.1 : f64, momentum = 0.5 : f64, centered = true)",
     {-1.40221, 0.619081, 0.8663053, -0.1339047, 1.418835}},
    {"adam",
     R"(class_name = "Adam", learning_rate = 0.1 : f64)",
     {0.1116494, -0.6000052, 1.640407, 0.0797216, 0.1999794}},
    {"adam_amsgrad",
     R"(class_name = "Adam", learning_rate = 0.1 : f64, amsgrad = true, clipvalue = 0.5 : f64)",
     {0.1116494, -0.6000052, 1.625191, 0.08430083, 0.1999794}},
    {"adamw",
     R"(class_name = "AdamW", learning_rate = 0.1 : f64, weight_decay = 0.02 : f64)",
     {0.1088375, -0.5932276, 1.62562, 0.07836549, 0.2003763}},
    {"adamax",
     R"(class_name = "Adamax", learning_rate = 0.1 : f64)",
     {0.1888986, -0.6000001, 1.707242, 0.1150587, 0.1999991}},
    {"nadam",
     R"(class_name = "Nadam", learning_rate = 0.1 : f64)",
     {0.1137723, -0.6750557, 1.777816, 0.2482058, 0.1249437}},
    {"lamb",
     R"(class_name = "Lamb", learning_rate = 0.1 : f64)",
     {0.02908549, -0.515448, 1.561649, 0.2442415, -0.09625115}},
    {"lion",
     R"(class_name = "Lion", learning_rate = 0.1 : f64)",
     {0.1, -0.5999999, 1.6, 0.3, 0.2}},
    {"adagrad",
     R"(class_name = "Adagrad", learning_rate = 0.1 : f64)",
     {0.2937263, -0.7608106, 1.826688, 0.2671807, -0.1386269}},
    {"adadelta",
     R"(class_name = "Adadelta", learning_rate = 0.1 : f64)",
     {0.4992099, -0.9994255, 1.999682, 0.3000092, -0.1994258}},
    {"ftrl",
     R"(class_name = "Ftrl", learning_rate = 0.1 : f64, l1_regularization_strength = 0.01 : f64, l2_regularization_strength = 0.02 : f64, beta = 0.1 : f64, l2_shrinkage_regularization_strength = 0.01 : f64)",
     {-0.1503384, -0.103159, 1.038287, 0.1922687, 0.04297822}},
    {"clipnorm",
     R"(class_name = "SGD", learning_rate = 0.1 : f64, clipnorm = 0.7 : f64)",
     {0.4042206, -0.8542991, 1.850236, 0.3, -0.1853359}},
    {"global_clipnorm",
     R"(class_name = "SGD", learning_rate = 0.1 : f64, global_clipnorm = 0.7 : f64)",
     {0.4358356, -0.8995299, 1.891083, 0.3137053, -0.1874412}},
    {"exponential",
     R"(class_name = "SGD", learning_rate = {class_name = "ExponentialDecay", initial_learning_rate = 0.1 : f64, decay_steps = 2 : i64, decay_rate = 0.5 : f64})",
     {0.4467157, -0.8975736, 1.852574, 0.1926777, -0.1871967}},
    {"inverse_time_staircase",
     R"(class_name = "SGD", learning_rate = {class_name = "InverseTimeDecay", initial_learning_rate = 0.1 : f64, decay_steps = 2 : i64, decay_rate = 0.5 : f64, staircase = true})",
     {0.4233333, -0.8666667, 1.83, 0.2333333, -0.1833334}},
    {"piecewise",
     R"(class_name = "SGD", learning_rate = {class_name = "PiecewiseConstantDecay", boundaries = [0.0, 1.0], values = [0.1, 0.05, 0.2]})",
     {0.34, -0.78, 1.82, 0.525, -0.1725}},
    {"polynomial",
     R"(class_name = "SGD", learning_rate = {class_name = "PolynomialDecay", initial_learning_rate = 0.1 : f64, decay_steps = 2 : i64, end_learning_rate = 0.01 : f64, power = 2.0 : f64})",
     {0.4765, -0.939, 1.8875, 0.15375, -0.192375}},
    {"polynomial_cycle",
     R"(class_name = "SGD", learning_rate = {class_name = "PolynomialDecay", initial_learning_rate = 0.1 : f64, decay_steps = 2 : i64, end_learning_rate = 0.01 : f64, power = 1.0 : f64, cycle = true})",
     {0.463, -0.9209999, 1.874, 0.17625, -0.190125}},
    {"cosine",
     R"(class_name = "SGD", learning_rate = {class_name = "CosineDecay", initial_learning_rate = 0.1 : f64, decay_steps = 4 : i64, alpha = 0.1 : f64})",
     {0.446864, -0.8939999, 1.841408, 0.1688604, -0.18675}},
    {"cosine_warmup",
     R"(class_name = "SGD", learning_rate = {class_name = "CosineDecay", initial_learning_rate = 0.01 : f64, decay_steps = 4 : i64, alpha = 0.1 : f64, warmup_target = 0.1 : f64, warmup_steps = 2 : i64})",
     {0.4232721, -0.899272, 1.928, 0.4377297, -0.187409}},
    {"cosine_restarts",
     R"(class_name = "SGD", learning_rate = {class_name = "CosineDecayRestarts", initial_learning_rate = 0.1 : f64, first_decay_steps = 1 : i64, t_mul = 1.5 : f64, m_mul = 0.8 : f64, alpha = 0.1 : f64})",
     {0.4408552, -0.8916551, 1.8524, 0.2142931, -0.1864569}},
};

INSTANTIATE_TEST_SUITE_P(All, OptimizerTest, ::testing::ValuesIn(cases),
                         [](const ::testing::TestParamInfo<Case> &info) {
                           return std::string(info.param.name);
                         });

} // namespace
