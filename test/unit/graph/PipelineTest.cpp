//===- PipelineTest.cpp - Simplified and fused entries compute the same ---===//
//
// Small models as an importer builds them. Their entries are evaluated by the
// reference interpreter as nn-build-entries makes them, and after the whole
// graph pipeline: outputs, and all variables after two training steps.
//
//===----------------------------------------------------------------------===//

#include "passes/graph/Passes.h"
#include "test/unit/reference/Interpreter.h"

#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;
using namespace cornu;
using cornu::reference::Array;
using cornu::reference::Interpreter;

namespace {

struct Model {
  const char *name;
  const char *text;
};

class PipelineTest : public ::testing::TestWithParam<Model> {
protected:
  PipelineTest() {
    DialectRegistry registry;
    registry.insert<nn::NNDialect, func::FuncDialect>();
    graph::registerDerivatives(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  OwningOpRef<ModuleOp> build(bool whole) {
    auto module = parseSourceString<ModuleOp>(GetParam().text, &context);
    PassManager manager(&context);
    if (whole)
      graph::buildGraphPipeline(manager, graph::GraphOptions());
    else
      manager.addPass(graph::createBuildEntries());
    return module && succeeded(manager.run(*module)) ? std::move(module)
                                                     : nullptr;
  }

  MLIRContext context;
};

Array randomArray(RankedTensorType type, std::mt19937 &generator) {
  reference::Sizes shape(type.getShape());
  for (int64_t &size : shape)
    size = ShapedType::isDynamic(size) ? 3 : size;
  Array array(shape);
  std::uniform_real_distribution<double> real(0.1, 0.9);
  for (double &value : array.data)
    value = isa<FloatType>(type.getElementType()) ? real(generator)
                                                  : generator() % 3;
  return array;
}

std::vector<Array> randomArguments(func::FuncOp function) {
  std::mt19937 generator(5);
  std::vector<Array> arguments;
  for (Type type : function.getArgumentTypes())
    arguments.push_back(randomArray(cast<RankedTensorType>(type), generator));
  return arguments;
}

void setVariables(Interpreter &interpreter, ModuleOp module) {
  std::map<std::string, RankedTensorType> sorted;
  for (auto variable : module.getOps<nn::VariableOp>())
    sorted.emplace(variable.getName().str(),
                   cast<RankedTensorType>(variable.getType()));
  std::mt19937 generator(11);
  for (auto &[name, type] : sorted)
    interpreter.variables[name] = randomArray(type, generator);
}

void expectEqual(const Array &a, const Array &b, const std::string &what) {
  ASSERT_EQ(a.shape, b.shape) << what;
  for (int64_t i = 0; i < a.size(); ++i)
    ASSERT_NEAR(a.data[i], b.data[i], 1e-6 * (1 + std::fabs(a.data[i])))
        << what << ", element " << i;
}

TEST_P(PipelineTest, KeepsTheValues) {
  OwningOpRef<ModuleOp> plain = build(false), whole = build(true);
  ASSERT_TRUE(plain);
  ASSERT_TRUE(whole);
  Interpreter expected(*plain), actual(*whole);
  setVariables(expected, *plain);
  setVariables(actual, *whole);
  for (StringRef entry : {"predict", "evaluate_step", "train_step",
                          "train_step", "gradients", "predict"}) {
    auto function = plain->lookupSymbol<func::FuncOp>(entry);
    ASSERT_TRUE(function);
    std::vector<Array> arguments = randomArguments(function);
    std::vector<Array> a = expected.call(entry, arguments),
                       b = actual.call(entry, arguments);
    ASSERT_EQ(a.size(), b.size());
    for (size_t i = 0; i < a.size(); ++i)
      expectEqual(a[i], b[i], entry.str());
    for (auto &[name, value] : expected.variables)
      expectEqual(value, actual.variables[name], name);
  }
}

const Model models[] = {
    {"dense_dropout_adam", R"(
module attributes {nn.optimizer = {name = "adam", learning_rate = 0.01 : f64, global_clipnorm = 0.5 : f64}} {
  nn.variable trainable @"a/kernel" : tensor<5x4xf32>
  nn.variable trainable @"a/bias" : tensor<4xf32>
  nn.variable trainable @"b/kernel" : tensor<4x3xf32>
  nn.variable metric @"metrics/loss/total" : tensor<f32>
  nn.variable random @"random/state" : tensor<4xi32>
  func.func @forward(%x: tensor<?x5xf32>) -> tensor<?x3xf32> {
    %w = nn.read @"a/kernel" : tensor<5x4xf32>
    %b = nn.read @"a/bias" : tensor<4xf32>
    %0 = nn.contract "bi,iu->bu" %x, %w : (tensor<?x5xf32>, tensor<5x4xf32>) -> tensor<?x4xf32>
    %1 = nn.add %0, %b : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %2 = nn.relu %1 : tensor<?x4xf32>
    %3 = nn.if_training -> tensor<?x4xf32> {
      %s = nn.read @"random/state" : tensor<4xi32>
      %u = nn.random_uniform 0 %s like %2 : (tensor<4xi32>, tensor<?x4xf32>) -> tensor<?x4xf32>
      %r = nn.constant dense<0.25> : tensor<f32>
      %k = nn.compare ge %u, %r : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xi1>
      %f = nn.constant dense<1.3333> : tensor<f32>
      %z = nn.constant dense<0.0> : tensor<f32>
      %m = nn.multiply %2, %f : (tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xf32>
      %o = nn.select %k, %m, %z : (tensor<?x4xi1>, tensor<?x4xf32>, tensor<f32>) -> tensor<?x4xf32>
      nn.yield %o : tensor<?x4xf32>
    } else {
      nn.yield %2 : tensor<?x4xf32>
    }
    %v = nn.read @"b/kernel" : tensor<4x3xf32>
    %4 = nn.contract "bi,iu->bu" %3, %v : (tensor<?x4xf32>, tensor<4x3xf32>) -> tensor<?x3xf32>
    %5 = nn.softmax 1 %4 : tensor<?x3xf32>
    return %5 : tensor<?x3xf32>
  }
  func.func @loss(%p: tensor<?x3xf32>, %t: tensor<?x3xf32>, %sw: tensor<?xf32>) -> tensor<f32> {
    %lo = nn.constant dense<1.0e-7> : tensor<f32>
    %hi = nn.constant dense<0.9999999> : tensor<f32>
    %s = nn.reduce sum [1] keep %p : (tensor<?x3xf32>) -> tensor<?x1xf32>
    %q = nn.divide %p, %s : (tensor<?x3xf32>, tensor<?x1xf32>) -> tensor<?x3xf32>
    %c0 = nn.maximum %q, %lo : (tensor<?x3xf32>, tensor<f32>) -> tensor<?x3xf32>
    %c1 = nn.minimum %c0, %hi : (tensor<?x3xf32>, tensor<f32>) -> tensor<?x3xf32>
    %l = nn.log %c1 : tensor<?x3xf32>
    %m = nn.multiply %t, %l : (tensor<?x3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
    %r = nn.reduce sum [1] %m : (tensor<?x3xf32>) -> tensor<?xf32>
    %n = nn.negate %r : tensor<?xf32>
    %w = nn.multiply %n, %sw : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    %a = nn.reduce mean [0] %w : (tensor<?xf32>) -> tensor<f32>
    return %a : tensor<f32>
  }
  func.func @metrics(%l: tensor<f32>, %p: tensor<?x3xf32>, %t: tensor<?x3xf32>, %sw: tensor<?xf32>) {
    %a = nn.read @"metrics/loss/total" : tensor<f32>
    %n = nn.batch_size %p : (tensor<?x3xf32>) -> tensor<f32>
    %s = nn.multiply %l, %n : (tensor<f32>, tensor<f32>) -> tensor<f32>
    %b = nn.add %a, %s : (tensor<f32>, tensor<f32>) -> tensor<f32>
    nn.assign @"metrics/loss/total", %b : tensor<f32>
    return
  }
})"},
    {"convolution_batch_norm_momentum", R"(
module attributes {nn.optimizer = {name = "sgd", learning_rate = 0.01 : f64, momentum = 0.9 : f64, weight_decay = 0.001 : f64}} {
  nn.variable trainable @"c/kernel" : tensor<3x3x2x4xf32>
  nn.variable trainable @"n/gamma" : tensor<4xf32>
  nn.variable trainable @"n/beta" : tensor<4xf32>
  nn.variable non_trainable @"n/mean" : tensor<4xf32>
  nn.variable trainable @"d/kernel" : tensor<3x3x4x4xf32>
  func.func @forward(%x: tensor<?x6x6x2xf32>) -> tensor<?x4xf32> {
    %w = nn.read @"c/kernel" : tensor<3x3x2x4xf32>
    %y = nn.convolution %x, %w strides [1, 1] padding [1, 1, 1, 1] dilations [1, 1] groups 1
        : (tensor<?x6x6x2xf32>, tensor<3x3x2x4xf32>) -> tensor<?x6x6x4xf32>
    %gamma = nn.read @"n/gamma" : tensor<4xf32>
    %beta = nn.read @"n/beta" : tensor<4xf32>
    %e = nn.constant dense<0.001> : tensor<f32>
    %mean = nn.reduce mean [0, 1, 2] %y : (tensor<?x6x6x4xf32>) -> tensor<4xf32>
    %c = nn.subtract %y, %mean : (tensor<?x6x6x4xf32>, tensor<4xf32>) -> tensor<?x6x6x4xf32>
    %q = nn.multiply %c, %c : (tensor<?x6x6x4xf32>, tensor<?x6x6x4xf32>) -> tensor<?x6x6x4xf32>
    %var = nn.reduce mean [0, 1, 2] %q : (tensor<?x6x6x4xf32>) -> tensor<4xf32>
    nn.if_training {
      %old = nn.read @"n/mean" : tensor<4xf32>
      %m = nn.constant dense<0.9> : tensor<f32>
      %k = nn.constant dense<0.1> : tensor<f32>
      %a = nn.multiply %old, %m : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
      %b = nn.multiply %mean, %k : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
      %s = nn.add %a, %b : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      nn.assign @"n/mean", %s : tensor<4xf32>
    } else {
    }
    %ve = nn.add %var, %e : (tensor<4xf32>, tensor<f32>) -> tensor<4xf32>
    %r = nn.rsqrt %ve : tensor<4xf32>
    %inv = nn.multiply %r, %gamma : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %ms = nn.multiply %mean, %inv : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %ng = nn.negate %ms : tensor<4xf32>
    %shift = nn.add %ng, %beta : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    %z0 = nn.multiply %y, %inv : (tensor<?x6x6x4xf32>, tensor<4xf32>) -> tensor<?x6x6x4xf32>
    %z1 = nn.add %z0, %shift : (tensor<?x6x6x4xf32>, tensor<4xf32>) -> tensor<?x6x6x4xf32>
    %z = nn.relu %z1 : tensor<?x6x6x4xf32>
    %p = nn.max_pool %z window [2, 2] strides [2, 2] padding [0, 0, 0, 0] : (tensor<?x6x6x4xf32>) -> tensor<?x3x3x4xf32>
    %v = nn.read @"d/kernel" : tensor<3x3x4x4xf32>
    %o = nn.convolution %p, %v strides [1, 1] padding [1, 1, 1, 1] dilations [1, 1] groups 1
        : (tensor<?x3x3x4xf32>, tensor<3x3x4x4xf32>) -> tensor<?x3x3x4xf32>
    %res = nn.add %o, %p : (tensor<?x3x3x4xf32>, tensor<?x3x3x4xf32>) -> tensor<?x3x3x4xf32>
    %act = nn.sigmoid %res : tensor<?x3x3x4xf32>
    %avg = nn.reduce mean [1, 2] %act : (tensor<?x3x3x4xf32>) -> tensor<?x4xf32>
    return %avg : tensor<?x4xf32>
  }
  func.func @loss(%p: tensor<?x4xf32>, %t: tensor<?x4xf32>, %sw: tensor<?xf32>) -> tensor<f32> {
    %d = nn.subtract %p, %t : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %q = nn.multiply %d, %d : (tensor<?x4xf32>, tensor<?x4xf32>) -> tensor<?x4xf32>
    %r = nn.reduce mean [1] %q : (tensor<?x4xf32>) -> tensor<?xf32>
    %w = nn.multiply %r, %sw : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    %a = nn.reduce mean [0] %w : (tensor<?xf32>) -> tensor<f32>
    return %a : tensor<f32>
  }
})"},
    {"gru_rmsprop", R"(
module attributes {nn.optimizer = {name = "rmsprop", learning_rate = 0.01 : f64, clipnorm = 0.3 : f64}} {
  nn.variable trainable @"r/kernel" : tensor<2x6xf32>
  nn.variable trainable @"r/recurrent" : tensor<2x6xf32>
  nn.variable trainable @"r/bias" : tensor<6xf32>
  func.func @forward(%x: tensor<?x4x2xf32>) -> tensor<?x4x2xf32> {
    %w = nn.read @"r/kernel" : tensor<2x6xf32>
    %u = nn.read @"r/recurrent" : tensor<2x6xf32>
    %b = nn.read @"r/bias" : tensor<6xf32>
    %zero = nn.constant dense<0.0> : tensor<f32>
    %h0 = nn.broadcast %zero like %x : (tensor<f32>, tensor<?x4x2xf32>) -> tensor<?x2xf32>
    %h, %ys = nn.scan steps 4 state(%h0) sequences(%x) invariants(%w, %u, %b) {
    ^bb0(%s: tensor<?x2xf32>, %e: tensor<?x2xf32>, %k: tensor<2x6xf32>, %r: tensor<2x6xf32>, %c: tensor<6xf32>):
      %i0 = nn.contract "bi,iu->bu" %e, %k : (tensor<?x2xf32>, tensor<2x6xf32>) -> tensor<?x6xf32>
      %i = nn.add %i0, %c : (tensor<?x6xf32>, tensor<6xf32>) -> tensor<?x6xf32>
      %j = nn.contract "bi,iu->bu" %s, %r : (tensor<?x2xf32>, tensor<2x6xf32>) -> tensor<?x6xf32>
      %iz = nn.slice [0, 0] [-1, 2] [1, 1] %i : (tensor<?x6xf32>) -> tensor<?x2xf32>
      %ir = nn.slice [0, 2] [-1, 4] [1, 1] %i : (tensor<?x6xf32>) -> tensor<?x2xf32>
      %ih = nn.slice [0, 4] [-1, 6] [1, 1] %i : (tensor<?x6xf32>) -> tensor<?x2xf32>
      %jz = nn.slice [0, 0] [-1, 2] [1, 1] %j : (tensor<?x6xf32>) -> tensor<?x2xf32>
      %jr = nn.slice [0, 2] [-1, 4] [1, 1] %j : (tensor<?x6xf32>) -> tensor<?x2xf32>
      %jh = nn.slice [0, 4] [-1, 6] [1, 1] %j : (tensor<?x6xf32>) -> tensor<?x2xf32>
      %z0 = nn.add %iz, %jz : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      %z = nn.sigmoid %z0 : tensor<?x2xf32>
      %r0 = nn.add %ir, %jr : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      %rr = nn.sigmoid %r0 : tensor<?x2xf32>
      %h1 = nn.multiply %rr, %jh : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      %h2 = nn.add %ih, %h1 : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      %hh = nn.tanh %h2 : tensor<?x2xf32>
      %a = nn.multiply %z, %s : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      %one = nn.constant dense<1.0> : tensor<f32>
      %nz = nn.subtract %one, %z : (tensor<f32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      %d = nn.multiply %nz, %hh : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      %n = nn.add %a, %d : (tensor<?x2xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
      nn.yield %n, %n : tensor<?x2xf32>, tensor<?x2xf32>
    } : (tensor<?x2xf32>, tensor<?x4x2xf32>, tensor<2x6xf32>, tensor<2x6xf32>, tensor<6xf32>) -> (tensor<?x2xf32>, tensor<?x4x2xf32>)
    return %ys : tensor<?x4x2xf32>
  }
  func.func @loss(%p: tensor<?x4x2xf32>, %t: tensor<?x4x2xf32>, %sw: tensor<?xf32>) -> tensor<f32> {
    %d = nn.subtract %p, %t : (tensor<?x4x2xf32>, tensor<?x4x2xf32>) -> tensor<?x4x2xf32>
    %q = nn.absolute %d : tensor<?x4x2xf32>
    %r = nn.reduce mean [1, 2] %q : (tensor<?x4x2xf32>) -> tensor<?xf32>
    %w = nn.multiply %r, %sw : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    %a = nn.reduce mean [0] %w : (tensor<?xf32>) -> tensor<f32>
    return %a : tensor<f32>
  }
})"},
};

INSTANTIATE_TEST_SUITE_P(Models, PipelineTest, ::testing::ValuesIn(models),
                         [](const ::testing::TestParamInfo<Model> &info) {
                           return std::string(info.param.name);
                         });

} // namespace
