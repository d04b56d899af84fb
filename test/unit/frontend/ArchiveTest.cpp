//===- ArchiveTest.cpp - Readers and writers of model files ---------------===//

#include "test/unit/frontend/Files.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace cornu::frontend;
using namespace cornu::frontend::test;

static std::vector<float> readFloats(WeightFile &file, llvm::StringRef name) {
  const WeightEntry *entry = file.find(name);
  if (!entry)
    return {};
  std::vector<float> out(static_cast<size_t>(*countElements(entry->shape)));
  std::string error =
      file.read(*entry, DType::F32,
                {reinterpret_cast<char *>(out.data()), out.size() * 4});
  EXPECT_EQ(error, "");
  return out;
}

TEST(Json, KnowsItsPlaces) {
  JsonDocument document;
  std::string error;
  const Json *root =
      document.parse(R"({"a": [1, {"b/c": 2.5}], "d": null})", error);
  ASSERT_TRUE(root) << error;
  EXPECT_EQ(root->at("a").at(1).at("b/c").pointer(), "/a/1/b~1c");
  EXPECT_EQ(root->at("a").at(1).at("b/c").asNumber(), 2.5);
  EXPECT_EQ(root->at("a").at(size_t{0}).asInteger(), 1);
  EXPECT_FALSE(root->at("a").at(1).at("b/c").asInteger());
  EXPECT_TRUE(root->at("none").at("of").at("these").isNull());
  EXPECT_EQ(root->dump(), R"({"a": [1, {"b/c": 2.5}], "d": null})");
}

TEST(Json, WholeFloatsAreIntegers) {
  JsonDocument document;
  std::string error;
  const Json *root =
      document.parse("[2.0, 1e300, 18446744073709551615]", error);
  ASSERT_TRUE(root) << error;
  EXPECT_EQ(root->at(size_t{0}).asInteger(), 2);
  EXPECT_FALSE(root->at(1).asInteger());
  EXPECT_FALSE(root->at(2).asInteger());
}

TEST(Json, LimitsNesting) {
  JsonDocument document;
  std::string error;
  EXPECT_FALSE(document.parse(std::string(100000, '['), error));
  EXPECT_NE(error.find("nested deeper"), std::string::npos) << error;
}

TEST(Json, ReportsWhereTextIsDamaged) {
  JsonDocument document;
  std::string error;
  EXPECT_FALSE(document.parse(R"({"a": NaN})", error));
  EXPECT_NE(error.find("byte 7"), std::string::npos) << error;
  error.clear();
  EXPECT_FALSE(document.parse("", error));
  EXPECT_NE(error, "");
}

TEST(Shapes, ProductsDoNotOverflow) {
  EXPECT_EQ(countElements({3, 4}), 12);
  EXPECT_EQ(countElements({}), 1);
  EXPECT_EQ(countElements({0, 1 << 30}), 0);
  EXPECT_FALSE(countElements({-1}));
  EXPECT_FALSE(countElements({int64_t{1} << 21, int64_t{1} << 21}));
  EXPECT_FALSE(countElements({int64_t{1} << 62, 4, 4}));
}

TEST(Elements, ConvertBetweenTypes) {
  const float in[] = {1.5f, -2.0f, 3e9f, NAN};
  int32_t out[4];
  convertElements(DType::F32, reinterpret_cast<const char *>(in), DType::I32,
                  reinterpret_cast<char *>(out), 4);
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[1], -2);
  EXPECT_EQ(out[2], INT32_MAX);
  EXPECT_EQ(out[3], 0);
  const uint16_t brain = 0x3fc0;
  float wide;
  convertElements(DType::BF16, reinterpret_cast<const char *>(&brain),
                  DType::F32, reinterpret_cast<char *>(&wide), 1);
  EXPECT_EQ(wide, 1.5f);
}

TEST(Archive, ReadsKerasZip) {
  Folder folder;
  std::string path = writeKerasFile(folder, "m.keras", kDense, denseWeights());
  Diagnostics diagnostics;
  auto archive = ModelArchive::read(path, "", diagnostics);
  ASSERT_TRUE(archive) << errors(diagnostics);
  EXPECT_EQ(archive->getModel().at("class_name").str(), "Sequential");
  EXPECT_EQ(archive->getCompileConfig().at("loss").str(), "mse");
  EXPECT_EQ(archive->getNaming(), ModelArchive::Naming::Paths);
  EXPECT_EQ(readFloats(*archive->getWeights(), "layers/dense/vars/0"),
            (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(archive->getWeights()->attribute("layers/dense/vars", "name"), "d");
}

TEST(Archive, ReadsKerasDirectory) {
  Folder folder;
  folder.write("config.json", kDense);
  folder.write("model.weights.h5", denseWeights());
  Diagnostics diagnostics;
  auto archive = ModelArchive::read(folder.file(""), "", diagnostics);
  ASSERT_TRUE(archive) << errors(diagnostics);
  EXPECT_TRUE(archive->getWeights()->find("layers/dense/vars/1"));
}

TEST(Archive, ReadsJsonWithWeightsBesideIt) {
  Folder folder;
  std::string model = folder.write("m.json", kDense);
  std::string weights = folder.write("m.weights.h5", denseWeights());
  Diagnostics diagnostics;
  auto archive = ModelArchive::read(model, weights, diagnostics);
  ASSERT_TRUE(archive) << errors(diagnostics);
  EXPECT_EQ(archive->getNaming(), ModelArchive::Naming::Paths);

  std::string header =
      R"({"d/bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  float values[] = {7, 8};
  bytes += header + std::string(reinterpret_cast<char *>(values), 8);
  weights = folder.write("m.safetensors", bytes);
  archive = ModelArchive::read(model, weights, diagnostics);
  ASSERT_TRUE(archive) << errors(diagnostics);
  EXPECT_EQ(archive->getNaming(), ModelArchive::Naming::VariablePaths);
  EXPECT_EQ(readFloats(*archive->getWeights(), "d/bias"),
            (std::vector<float>{7, 8}));
}

TEST(Archive, SkipsTheByteOrderMark) {
  Folder folder;
  Diagnostics diagnostics;
  std::string path = folder.write("m.json", ("\xEF\xBB\xBF" + kDense).str());
  EXPECT_TRUE(ModelArchive::read(path, "", diagnostics)) << errors(diagnostics);
}

TEST(Archive, NormalizesKeras2) {
  Folder folder;
  std::string path = folder.write("m.json", R"({
    "class_name": "Model", "config": {"name": "m", "layers": [
      {"class_name": "InputLayer", "name": "x", "inbound_nodes": [],
       "config": {"batch_input_shape": [null, 3], "name": "x"}},
      {"class_name": "LeakyReLU", "name": "l",
       "config": {"name": "l", "alpha": 0.25},
       "inbound_nodes": [[["x", 0, 0, {}]]]}],
     "input_layers": [["x", 0, 0]], "output_layers": [["l", 0, 0]]}})");
  Diagnostics diagnostics;
  auto archive = ModelArchive::read(path, "", diagnostics);
  ASSERT_TRUE(archive) << errors(diagnostics);
  const Json &model = archive->getModel();
  EXPECT_EQ(model.at("class_name").str(), "Functional");
  const Json &layers = model.at("config").at("layers");
  EXPECT_TRUE(layers.at(size_t{0}).at("config").has("batch_shape"));
  EXPECT_EQ(layers.at(1).at("config").at("negative_slope").asNumber(), 0.25);
  const Json &tensor =
      layers.at(1).at("inbound_nodes").at(size_t{0}).at("args").at(size_t{0});
  EXPECT_EQ(tensor.at("class_name").str(), "__keras_tensor__");
  // Diagnostics still name the place in the file.
  EXPECT_EQ(layers.at(1).at("config").pointer(), "/config/layers/1/config");
}

TEST(Archive, OverwritesWeightsInPlace) {
  std::string error, base = denseWeights();
  std::vector<char> bytes =
      writeHdf5(base,
                {dataset("layers/dense/vars", "1", {2}, 50),
                 dataset("optimizer/vars", "0", {}, 3)},
                error);
  ASSERT_EQ(error, "");
  auto file = openHdf5(
      llvm::MemoryBuffer::getMemBufferCopy({bytes.data(), bytes.size()}),
      "memory", error);
  ASSERT_TRUE(file) << error;
  EXPECT_EQ(readFloats(*file, "layers/dense/vars/0")[5], 6);
  EXPECT_EQ(readFloats(*file, "layers/dense/vars/1"),
            (std::vector<float>{50, 51}));
  EXPECT_EQ(readFloats(*file, "optimizer/vars/0"), std::vector<float>{3});
}

TEST(Archive, WritesWhatItReads) {
  Folder folder;
  std::string path = writeKerasFile(folder, "m.keras", kDense, denseWeights());
  Diagnostics diagnostics;
  auto archive = ModelArchive::read(path, "", diagnostics);
  ASSERT_TRUE(archive);
  std::string copy = folder.file("copy.keras");
  ASSERT_EQ(writeKeras(copy, *archive,
                       {dataset("layers/dense/vars", "0", {3, 2}, 20)}),
            "");
  auto again = ModelArchive::read(copy, "", diagnostics);
  ASSERT_TRUE(again) << errors(diagnostics);
  EXPECT_EQ(again->getModel().dump(), archive->getModel().dump());
  EXPECT_EQ(again->getMetadata(), archive->getMetadata());
  EXPECT_EQ(readFloats(*again->getWeights(), "layers/dense/vars/0")[0], 20);
  EXPECT_EQ(readFloats(*again->getWeights(), "layers/dense/vars/1")[0], 10);
}

TEST(Archive, WritesNoHalfFile) {
  Folder folder;
  std::string error =
      writeZip(folder.file("no/such/folder.keras"), {{"a", "b"}});
  EXPECT_NE(error, "");
  EXPECT_FALSE(llvm::sys::fs::exists(folder.file("no")));
}

TEST(Diagnostics, SayWhereAndWhatWorks) {
  JsonDocument document;
  std::string error;
  const Json *root = document.parse(R"({"units": -1})", error);
  Diagnostics diagnostics("m.keras");
  diagnostics.error("a/b", &root->at("units"), "units is negative", "use 3");
  diagnostics.error("a/b", &root->at("units"), "units is negative", "use 3");
  diagnostics.error("bad \x1b[31m name", nullptr, "second");
  std::string text;
  llvm::raw_string_ostream os(text);
  diagnostics.print(os);
  EXPECT_EQ(text, "m.keras: error: layer 'a/b' at /units: units is negative\n"
                  "  help: use 3\n"
                  "m.keras: error: layer 'bad ?[31m name': second\n");
}
