//===- LowerTest.cpp - Lowered ops against the reference ------------------===//
//
// Each case is a module of nn functions. It runs lowered, through MLIR's own
// loops, and in the reference interpreter, on the same random data and for
// several batches; results and variables must agree. Arguments may carry
//
//   {test.bound = n}     integers in [-n, n + 2): some outside the range
//   {test.labels = n}    integers in [0, n)
//   {test.positive}      floats in [0.5, 2.5)
//
//===----------------------------------------------------------------------===//

#include "test/unit/lower/Cases.h"
#include "test/unit/lower/Lowered.h"

#include "mlir/Parser/Parser.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace mlir;

namespace cornu::test {
namespace {

reference::Array randomArray(RankedTensorType type, DictionaryAttr attrs,
                             int64_t batch, std::mt19937 &random) {
  std::vector<int64_t> shape(type.getShape());
  for (int64_t &size : shape)
    size = ShapedType::isDynamic(size) ? batch : size;
  reference::Array array(shape);
  Type element = type.getElementType();
  auto number = [&](StringRef key) -> int64_t {
    auto attr = attrs ? attrs.getAs<IntegerAttr>(key) : IntegerAttr();
    return attr ? attr.getInt() : 0;
  };
  int64_t bound = number("test.bound"), labels = number("test.labels");
  bool positive = attrs && attrs.get("test.positive");
  std::uniform_real_distribution<double> unit(0, 1);
  for (double &value : array.data) {
    double u = unit(random);
    if (bound)
      value = std::floor(u * (2 * bound + 2)) - bound;
    else if (labels)
      value = std::floor(u * labels);
    else if (element.isInteger(1))
      value = u < 0.5;
    else if (element.isUnsignedInteger(8))
      value = std::floor(u * 256);
    else if (isa<IntegerType>(element))
      value = std::floor(u * 21) - 10;
    else
      value = positive ? 0.5 + 2 * u : 4 * u - 2;
    if (element.isF32())
      value = static_cast<float>(value);
  }
  return array;
}

void expectNear(const reference::Array &actual,
                const reference::Array &expected, double tolerance,
                const std::string &what) {
  ASSERT_EQ(actual.shape, expected.shape) << what;
  double largest = 1;
  for (double value : expected.data)
    if (std::isfinite(value))
      largest = std::max(largest, std::abs(value));
  for (int64_t i = 0; i < expected.size(); ++i) {
    double a = actual.data[i], e = expected.data[i];
    if (std::isfinite(e))
      ASSERT_NEAR(a, e, tolerance * largest) << what << ", element " << i;
    else
      ASSERT_TRUE(std::isnan(e) ? std::isnan(a) : a == e)
          << what << ", element " << i << ": " << a << " for " << e;
  }
}

class LowerTest : public testing::TestWithParam<Case> {};

TEST_P(LowerTest, AgreesWithReference) {
  DialectRegistry registry;
  Lowered::registerDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  OwningOpRef<ModuleOp> module =
      parseSourceString<ModuleOp>(GetParam().text, &context);
  ASSERT_TRUE(module);
  OwningOpRef<ModuleOp> reference = module->clone();
  std::unique_ptr<Lowered> lowered = Lowered::compile(*module);
  ASSERT_TRUE(lowered);

  std::mt19937 random(7);
  for (int64_t batch : {1, 3, 5}) {
    for (auto function : reference->getOps<func::FuncOp>()) {
      if (function.isPrivate())
        continue;
      reference::Interpreter interpreter(*reference);
      for (auto variable : reference->getOps<nn::VariableOp>())
        interpreter.variables[variable.getSymName().str()] =
            randomArray(cast<RankedTensorType>(variable.getType()),
                        variable->getAttrDictionary(), 1, random);
      lowered->variables = interpreter.variables;
      std::vector<reference::Array> inputs;
      for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
        inputs.push_back(randomArray(cast<RankedTensorType>(type),
                                     function.getArgAttrDict(i), batch,
                                     random));
      std::vector<reference::Array> expected =
          interpreter.call(function.getName(), inputs);
      std::vector<reference::Array> actual =
          lowered->call(function.getName(), inputs);
      ASSERT_EQ(actual.size(), expected.size());
      std::string where =
          (function.getName() + ", batch " + Twine(batch)).str();
      for (size_t i = 0; i < expected.size(); ++i)
        expectNear(actual[i], expected[i], GetParam().tolerance,
                   where + ", result " + std::to_string(i));
      for (auto &[name, value] : interpreter.variables)
        expectNear(lowered->variables[name], value, GetParam().tolerance,
                   where + ", variable " + name);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Ops, LowerTest, testing::ValuesIn(allCases()),
                         [](const testing::TestParamInfo<Case> &info) {
                           return info.param.name;
                         });

} // namespace
} // namespace cornu::test
