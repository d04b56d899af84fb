//===- ImportTest.cpp - From files to a module, and weights back ----------===//

#include "frontend/import/Import.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"
#include "test/unit/frontend/Files.h"
#include "gtest/gtest.h"

using namespace cornu;
using namespace cornu::frontend;
using namespace cornu::frontend::test;

namespace {

class ImportTest : public testing::Test {
protected:
  std::optional<ImportedModel> import(llvm::StringRef path,
                                      const ImportOptions &options = {}) {
    diagnostics = Diagnostics();
    archive = ModelArchive::read(path, "", diagnostics);
    if (!archive)
      return std::nullopt;
    return importModel(context, *archive, options, diagnostics);
  }
  /// The errors of a model given as text, with a part of it replaced.
  std::string errorsOf(llvm::StringRef from, llvm::StringRef to) {
    std::string text = kDense.str();
    size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    text.replace(at, from.size(), to.str());
    EXPECT_FALSE(import(folder.write("m.json", text)));
    return errors(diagnostics);
  }

  mlir::MLIRContext context;
  Folder folder;
  Diagnostics diagnostics;
  std::unique_ptr<ModelArchive> archive;
};

} // namespace

#define EXPECT_MENTIONS(text, part)                                            \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(ImportTest, MakesVariablesAndFunctions) {
  auto model =
      import(writeKerasFile(folder, "m.keras", kDense, denseWeights()));
  ASSERT_TRUE(model) << errors(diagnostics);
  for (llvm::StringRef name : {"forward", "loss", "metrics", "metric_results"})
    EXPECT_TRUE(model->module->lookupSymbol(name)) << name.str();
  auto kernel = model->module->lookupSymbol<nn::VariableOp>("d/kernel");
  ASSERT_TRUE(kernel);
  EXPECT_EQ(kernel.getKind(), nn::VariableKind::trainable);
  ASSERT_TRUE(kernel.getValue());
  ASSERT_EQ(model->layers.size(), 2u);
  EXPECT_EQ(model->layers[1].className, "Dense");
  EXPECT_EQ(model->layers[1].parameters, 8);
  EXPECT_EQ(model->layers[1].outputShapes[0], (std::vector<int64_t>{-1, 2}));
  EXPECT_EQ(model->layers[1].inputs, std::vector<std::string>{"x"});
}

TEST_F(ImportTest, InferenceOnlyLeavesTrainingOut) {
  ImportOptions options;
  options.inferenceOnly = true;
  auto model = import(folder.write("m.json", kDense), options);
  ASSERT_TRUE(model) << errors(diagnostics);
  EXPECT_FALSE(model->module->lookupSymbol("loss"));
  EXPECT_FALSE((*model->module)->hasAttr("nn.optimizer"));
}

TEST_F(ImportTest, OptionsReplaceTheCompileConfig) {
  ImportOptions options;
  options.optimizer = "adam";
  options.loss = R"({"class_name": "Huber", "config": {"delta": 2}})";
  options.metrics = "mse, mae";
  auto model = import(folder.write("m.json", kDense), options);
  ASSERT_TRUE(model) << errors(diagnostics);
  auto optimizer =
      (*model->module)->getAttrOfType<mlir::DictionaryAttr>("nn.optimizer");
  EXPECT_EQ(optimizer.getAs<mlir::StringAttr>("name").getValue(), "adam");
  auto results =
      model->module->lookupSymbol<mlir::func::FuncOp>("metric_results");
  EXPECT_EQ(results.getNumResults(), 3u);
}

TEST_F(ImportTest, AllProblemsAtOnce) {
  std::string text = errorsOf(
      R"("units": 2)", R"("units": 0, "kernel_initializer": "cleverness")");
  EXPECT_MENTIONS(text, "at /config/layers/1/config/units: Dense: units must");
  EXPECT_MENTIONS(errorsOf(R"("loss": "mse")", R"("loss": "mine")"),
                  "/compile_config/loss");
  EXPECT_MENTIONS(errorsOf(R"("mae")", R"("mine")"),
                  "/compile_config/metrics/0");
  EXPECT_MENTIONS(errorsOf("SGD", "Magic"), "the optimizer 'Magic'");
  EXPECT_MENTIONS(errorsOf(R"("Dense")", R"("Densely")"),
                  "'Densely' is not supported");
  EXPECT_MENTIONS(errorsOf("[null, 3]", "[null, null]"), "unknown size");
  EXPECT_MENTIONS(errorsOf("[null, 3]", "[null, 4611686018427387904]"),
                  "impossible size");
  EXPECT_MENTIONS(errorsOf("[null, 3]", "[null, -3]"), "impossible size");
  EXPECT_MENTIONS(errorsOf(R"("units": 2)", R"("units": 4611686018427387904)"),
                  "units must be an integer");
}

TEST_F(ImportTest, WeightsOfAnotherModel) {
  std::string error;
  std::vector<char> bytes =
      writeHdf5("", {dataset("layers/dense/vars", "0", {4, 2}, 1)}, error);
  EXPECT_FALSE(import(
      writeKerasFile(folder, "m.keras", kDense, {bytes.data(), bytes.size()})));
  std::string text = errors(diagnostics);
  EXPECT_MENTIONS(text, "shape (4, 2)");
  EXPECT_MENTIONS(text, "the weights are missing");
}

// Weights and optimizer state of a trained program become a .keras file.
TEST_F(ImportTest, ExportsTrainedWeights) {
  std::string path = writeKerasFile(folder, "m.keras", kDense, denseWeights());
  auto model = import(path);
  ASSERT_TRUE(model) << errors(diagnostics);
  std::string header = "{", data;
  auto add = [&](llvm::StringRef name, llvm::StringRef shape, size_t count,
                 float value) {
    header += "\"" + name.str() + R"(":{"dtype":"F32","shape":)" + shape.str() +
              ",\"data_offsets\":[" + std::to_string(data.size()) + ",";
    for (size_t i = 0; i < count; ++i)
      data.append(reinterpret_cast<char *>(&value), 4);
    header += std::to_string(data.size()) + "]},";
  };
  add("d/kernel", "[3,2]", 6, 0.5f);
  add("d/bias", "[2]", 2, 0.25f);
  add("optimizer/iteration", "[]", 1, 9);
  add("optimizer/learning_rate", "[]", 1, 0.125f);
  add("optimizer/d/kernel/momentum", "[3,2]", 6, 3);
  add("optimizer/d/bias/momentum", "[2]", 2, 4);
  header.back() = '}';
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size() & 255);
  length[1] = static_cast<char>(header.size() >> 8);
  std::string weights = folder.write("w.safetensors", length + header + data);
  std::string out = folder.file("new.keras");
  ASSERT_TRUE(exportWeights(context, *archive, weights, out, diagnostics))
      << errors(diagnostics);
  auto again = import(out);
  ASSERT_TRUE(again) << errors(diagnostics);
  WeightFile &file = *archive->getWeights();
  ASSERT_TRUE(file.find("optimizer/vars/3"));
  EXPECT_EQ(file.find("optimizer/vars/0")->type, DType::I32);
  EXPECT_EQ(file.find("optimizer/vars/2")->shape.size(), 2u);
  auto momentum =
      again->module->lookupSymbol<nn::VariableOp>("optimizer/d/bias/momentum");
  ASSERT_TRUE(momentum);
  auto value = llvm::cast<mlir::DenseElementsAttr>(*momentum.getValue());
  EXPECT_EQ(value.getSplatValue<float>(), 4.0f);
}
