// Binding files to a model's inputs, targets and weights; filling batches.
#include "runtime/host/Dataset.h"
#include "Workspace.h"

#include <cmath>

using namespace cornu::runtime;

namespace {

const int64_t kTwo[] = {2};
const cornu_tensor kInputs[] = {{"a", CORNU_FLOAT32, 1, kTwo, 0},
                                {"b", CORNU_INT32, 0, nullptr, 0}};
const cornu_tensor kTargets[] = {{"label", CORNU_INT32, 0, nullptr, 4}};

class DatasetTest : public Workspace {
protected:
  void SetUp() override {
    Workspace::SetUp();
    model.inputs = kInputs;
    model.num_inputs = 2;
    model.targets = kTargets;
    model.num_targets = 1;
    write("a.npy", npy<float>({3, 2}, {1, 2, 3, 4, 5, 6}));
    write("b.npy", npy<int32_t>({3}, {7, 8, 9}));
    write("y.npy", npy<int64_t>({3, 1}, {0, 1, 3}));
    write("t.csv", "u,v,b,label\n1,2,7,0\n3,4,8,1\n5,6,9,3\n");
  }
  // FILE becomes its full path, also in NAME=FILE.
  Vector<String> located(const std::vector<std::string> &arguments) {
    Vector<String> result;
    for (const std::string &argument : arguments) {
      size_t equals = argument.find('=');
      size_t file = equals == std::string::npos ? 0 : equals + 1;
      bool name = argument.find('.') == std::string::npos;
      result.push_back(
          name ? argument.c_str()
               : (argument.substr(0, file) + path(argument.substr(file)))
                     .c_str());
    }
    return result;
  }
  std::string open(Dataset &data, const std::vector<std::string> &inputs,
                   const std::vector<std::string> &targets,
                   const std::vector<std::string> &weights = {}) {
    Error error = data.open(
        model, {located(inputs), located(targets), located(weights)}, true);
    std::string message = error.message().c_str();
    for (size_t at; (at = message.find(folder + "/")) != std::string::npos;)
      message.erase(at, folder.size() + 1);
    return message;
  }
  // a, b and label of rows 2 and 0.
  void expectRows(Dataset &data) {
    Batch batch;
    ASSERT_FALSE(batch.allocate(model, 2, true, data.weighted()));
    const uint32_t order[] = {2, 0};
    Error error = batch.fill(data, {order, 0, 2});
    ASSERT_FALSE(error) << error.message().c_str();
    const float *a = static_cast<const float *>(batch.inputs()[0]);
    const int32_t *b = static_cast<const int32_t *>(batch.inputs()[1]);
    const int32_t *y = static_cast<const int32_t *>(batch.targets()[0]);
    EXPECT_EQ(std::vector<float>(a, a + 4), (std::vector<float>{5, 6, 1, 2}));
    EXPECT_EQ(std::vector<int32_t>(b, b + 2), (std::vector<int32_t>{9, 7}));
    EXPECT_EQ(std::vector<int32_t>(y, y + 2), (std::vector<int32_t>{3, 0}));
  }
  cornu_model model = {};
};

TEST_F(DatasetTest, ByNameOrByPosition) {
  Dataset named, positional;
  EXPECT_EQ(open(named, {"b=b.npy", "a=a.npy"}, {"y.npy"}), "");
  expectRows(named);
  EXPECT_EQ(open(positional, {"a.npy", "b.npy"}, {"label=y.npy"}), "");
  expectRows(positional);
}

TEST_F(DatasetTest, ColumnsOfOneTable) {
  Dataset rest;
  // `a` takes the columns that nothing else names.
  EXPECT_EQ(open(rest, {"a=t.csv", "b=t.csv:b"}, {"t.csv:label"}), "");
  expectRows(rest);
  Dataset alone;
  model.num_inputs = 1;
  EXPECT_EQ(open(alone, {"t.csv:u,v"}, {"label"}), "");
}

TEST_F(DatasetTest, Mistakes) {
  auto message = [&](std::vector<std::string> inputs,
                     std::vector<std::string> targets,
                     std::vector<std::string> weights = {}) {
    Dataset data;
    return open(data, inputs, targets, weights);
  };
  EXPECT_EQ(message({}, {"y.npy"}), "--input FILE is missing (the model's "
                                    "inputs: a, b; --input NAME=FILE)");
  EXPECT_EQ(message({"a=a.npy"}, {"y.npy"}),
            "the input 'b' is missing: --input b=FILE (the model has: a, b)");
  EXPECT_EQ(message({"a=a.npy", "c=b.npy"}, {"y.npy"}),
            "--input: the model has no input 'c' (it has: a, b)");
  EXPECT_EQ(message({"a=a.npy", "a=a.npy"}, {"y.npy"}),
            "input 'a' is given twice");
  EXPECT_EQ(message({"a.npy", "b.npy", "b.npy"}, {"y.npy"}),
            "--input " + path("b.npy").substr(folder.size() + 1) +
                " is one too many: the model has 2 inputs (a, b)");
  EXPECT_EQ(message({"a.npy", "b.npy"}, {}), "--target FILE is missing");
  write("y2.npy", npy<int64_t>({2}, {0, 1}));
  EXPECT_EQ(message({"a.npy", "b.npy"}, {"y2.npy"}),
            "y2.npy has 2 rows, but a.npy has 3; each row must be the same "
            "sample");
  EXPECT_EQ(message({"t.csv", "b.npy"}, {"t.csv"}),
            "which column of t.csv is meant? write --target t.csv:COLUMN "
            "(columns: u, v, b, label)");
  EXPECT_EQ(message({"a=t.csv", "b.npy"}, {"t.csv:label"}),
            "t.csv has 3 columns for the input 'a', which takes 2 numbers "
            "(2,); choose columns with FILE:COLUMN,COLUMN");
  EXPECT_EQ(message({"a=t.csv", "b.npy"}, {"./t.csv"}),
            "which column of ./t.csv is meant? write --target ./t.csv:COLUMN "
            "(columns: u, v, b, label)");
  model.num_inputs = 1;
  EXPECT_EQ(message({"a=t.csv:u,v"}, {"labl"}),
            "'labl' is neither a file nor a part of t.csv; did you mean "
            "'label'? (parts: u, v, b, label)");
  EXPECT_EQ(message({"t.csv:u,v"}, {"label"}, {"weights"}),
            "'weights' is neither a file nor a part of t.csv (parts: u, v, b, "
            "label)");
  write("twice.csv", "u,y,y\n1,2,3\n");
  EXPECT_EQ(message({"a.npy"}, {"twice.csv:y"}),
            "twice.csv has several columns 'y'; choose one by its number from "
            "0: the first is twice.csv:1");
  model.num_inputs = 2;
  write("text.npy", npy<float>({3}, {1, 1, 1}));
  EXPECT_EQ(message({"a.npy", "b.npy"}, {"y.npy"}, {"other=text.npy"}),
            "--sample-weight: the model has no sample weight 'other' (it has: "
            "label)");
}

TEST_F(DatasetTest, WeightsFromAFileOrByClass) {
  write("w.npy", npy<double>({3}, {0.5, 1, 2}));
  Dataset weighted, plain;
  ASSERT_EQ(open(weighted, {"a.npy", "b.npy"}, {"y.npy"}, {"w.npy"}), "");
  ASSERT_EQ(open(plain, {"a.npy", "b.npy"}, {"y.npy"}), "");
  Batch batch;
  ASSERT_FALSE(batch.allocate(model, 3, true, true));
  auto weights = [&] {
    const float *w = static_cast<const float *>(batch.targets()[1]);
    return w ? std::vector<float>(w, w + 3) : std::vector<float>();
  };
  ASSERT_FALSE(batch.fill(weighted, {nullptr, 0, 3}));
  EXPECT_EQ(weights(), (std::vector<float>{0.5f, 1, 2}));
  ClassWeights classes;
  ASSERT_FALSE(classes.parse("0=3, 3=0.25"));
  ASSERT_FALSE(batch.fill(plain, {nullptr, 0, 3}, &classes));
  EXPECT_EQ(weights(), (std::vector<float>{3, 1, 0.25f}));
  ASSERT_FALSE(batch.fill(plain, {nullptr, 0, 3})); // validation
  EXPECT_TRUE(weights().empty());
  for (const char *mistake :
       {"0:1", "4=3", "-1=3", "0=-1", "0=nan", "0=inf", "0=1,0=2"})
    EXPECT_TRUE(bool(ClassWeights().parse(mistake, 4))) << mistake;
  EXPECT_FALSE(bool(ClassWeights().parse("4=0"))); // the number is not known
}

TEST_F(DatasetTest, WeightsThatAreNotFinite) {
  write("w.npy", npy<double>({3}, {0.5, NAN, 2}));
  Dataset data;
  ASSERT_EQ(open(data, {"a.npy", "b.npy"}, {"y.npy"}, {"w.npy"}), "");
  Batch batch;
  ASSERT_FALSE(batch.allocate(model, 3, true, true));
  std::string message = batch.fill(data, {nullptr, 0, 3}).message().c_str();
  EXPECT_EQ(message.substr(message.rfind('/') + 1),
            "w.npy: row 1: nan is no weight; it must be finite");
}

} // namespace
