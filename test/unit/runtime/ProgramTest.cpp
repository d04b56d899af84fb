// Whole programs: what info, predict, evaluate, fit and bench print and write.
#include "Workspace.h"

#include <algorithm>
#include <cstring>
#include <sstream>

namespace {

class Program : public Workspace {
protected:
  void SetUp() override {
    Workspace::SetUp();
    write("x.npy", regressionInputs(100));
    write("y.npy", regressionTargets(100));
  }
  void writeClassifierData() {
    write("ids.npy", npy<int64_t>({5, 2}, {0, 1, 1, 1, 2, 1, 3, 1, 4, 1}));
    write("image.npy", npy<uint8_t>({5, 2, 2}, {1, 1, 1, 1, 2, 0, 0, 0, 0, 0,
                                                0, 0, 9, 9, 9, 9, 1, 2, 3, 4}));
    write("label.npy", npy<int32_t>({5}, {0, 1, 2, 1, 0}));
    write("score.npy", npy<float>({5}, {0, 0, 0, 0, 0}));
  }
  static size_t lines(const std::string &text) {
    return size_t(std::count(text.begin(), text.end(), '\n'));
  }
  // A number after "key": in a line of JSON.
  static double number(const std::string &json, const std::string &key) {
    size_t at = json.find("\"" + key + "\": ");
    return at == std::string::npos
               ? -1e99
               : std::stod(json.substr(at + key.size() + 4));
  }
};

TEST_F(Program, HelpHasAnExample) {
  Result all = run("regression --help");
  EXPECT_EQ(all.code, 0);
  for (const char *command : {"info", "predict", "evaluate", "fit", "bench"}) {
    EXPECT_NE(all.out.find(command), std::string::npos);
    Result one = run(std::string("regression ") + command + " --help");
    EXPECT_EQ(one.code, 0);
    EXPECT_NE(one.out.find("example: cornu-mock-regression "),
              std::string::npos);
  }
}

TEST_F(Program, Info) {
  Result text = run("regression info");
  EXPECT_EQ(text.code, 0);
  EXPECT_NE(text.out.find("x: float32 (N, 3)"), std::string::npos);
  EXPECT_NE(text.out.find("4 trainable"), std::string::npos);
  Result json = run("regression info --json");
  EXPECT_EQ(lines(json.out), 1u);
  EXPECT_EQ(number(json.out, "trainable_parameters"), 4);
  EXPECT_NE(json.out.find("\"compiled\": {\"mcpu\": \"any\"}"),
            std::string::npos);
}

TEST_F(Program, PredictWritesNpy) {
  Result result = run("regression predict --input x.npy --output p.npy "
                      "--batch-size 7");
  EXPECT_EQ(result.code, 0) << result.err;
  std::string file = read("p.npy");
  EXPECT_EQ(file.size(), 128u + 400);
  EXPECT_NE(file.find("'shape': (100, 1)"), std::string::npos);
  // Equal for every batch size and number of threads.
  run("regression predict x.npy --output q.npy --threads 1");
  EXPECT_EQ(read("q.npy"), file);
  EXPECT_EQ(files().size(), 4u); // no temporary file
}

TEST_F(Program, PredictShowsASummaryOrJson) {
  Result text = run("regression predict x.npy");
  EXPECT_NE(text.out.find("dense: float32 (100, 1)"), std::string::npos);
  EXPECT_NE(text.out.find("90 more"), std::string::npos);
  Result json = run("regression predict x.npy --json");
  EXPECT_EQ(lines(json.out), 100u);
  EXPECT_EQ(json.out.find("{\"dense\": ["), 0u);
}

TEST_F(Program, SeveralInputsAndOutputs) {
  writeClassifierData();
  std::string inputs = "--input ids=ids.npy --input image=image.npy";
  Result npz = run("classifier predict " + inputs + " --output p.npz");
  EXPECT_EQ(npz.code, 0) << npz.err;
  EXPECT_NE(read("p.npz").find("score.npy"), std::string::npos);
  Result csv = run("classifier predict " + inputs + " --output p.csv");
  EXPECT_EQ(csv.code, 0) << csv.err;
  EXPECT_EQ(read("p.csv"), "label_0,label_1,label_2,score\n0,1,2,4\n1,2,3,2\n"
                           "2,3,4,0\n3,4,5,36\n4,5,6,10\n");
  Result named = run("classifier predict " + inputs +
                     " --output score=s.npy --output label=l.npy");
  EXPECT_EQ(named.code, 0) << named.err;
  EXPECT_NE(read("s.npy").find("(5, 1)"), std::string::npos);
  // A prediction can be read again as data.
  Result again = run("regression predict --input l.npy --json");
  EXPECT_EQ(lines(again.out), 5u) << again.err;
}

TEST_F(Program, EvaluatePrintsKerasKeys) {
  Result json = run("regression evaluate --input x.npy --target y.npy --json");
  EXPECT_EQ(json.code, 0) << json.err;
  EXPECT_EQ(lines(json.out), 1u);
  EXPECT_EQ(json.out.find("{\"loss\": "), 0u);
  Result text = run("regression evaluate --input x.npy --target y.npy");
  EXPECT_EQ(text.out.find("4/4 - 0s - "), 0u) << text.out;
  EXPECT_NE(text.out.find(" - loss: "), std::string::npos);
  writeClassifierData();
  Result sorted = run("classifier evaluate --input ids=ids.npy "
                      "--input image=image.npy --target label=label.npy "
                      "--target score=score.npy --json");
  EXPECT_EQ(sorted.out, "{\"accuracy\": 0.5, \"loss\": 1, \"sum\": 4}\n")
      << sorted.err;
}

TEST_F(Program, SampleWeights) {
  writeClassifierData();
  write("w.npy", npy<double>({5}, {1, 0, 0, 2, 0.5}));
  Result result = run("classifier evaluate --input ids=ids.npy "
                      "--input image=image.npy --target label=label.npy "
                      "--target score=score.npy --sample-weight w.npy --json");
  EXPECT_FLOAT_EQ(float(number(result.out, "loss")), 3.5f / 5) << result.err;
}

// They count in the validation, and leave the training alone.
TEST_F(Program, ValidationSampleWeights) {
  writeClassifierData();
  write("w.npy", npy<double>({5}, {1, 0, 0, 2, 0.5}));
  Result result = run("one-target fit --input ids=ids.npy "
                      "--input image=image.npy --target label.npy --json "
                      "--validation-input ids=ids.npy "
                      "--validation-input image=image.npy "
                      "--validation-target label.npy "
                      "--validation-sample-weight w.npy");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(number(result.out, "loss"), 1);
  EXPECT_FLOAT_EQ(float(number(result.out, "val_loss")), 3.5f / 5);
}

TEST_F(Program, ClassWeightsAreForTrainingOnly) {
  writeClassifierData();
  Result result = run("one-target fit --input ids=ids.npy "
                      "--input image=image.npy --target label.npy --json "
                      "--class-weight 0=10,2=4 --validation-split 0.4");
  EXPECT_EQ(number(result.out, "loss"), (10.0 + 1 + 4) / 3) << result.err;
  EXPECT_EQ(number(result.out, "val_loss"), 1);
}

TEST_F(Program, ValidationSplitTakesTheLastSamples) {
  writeClassifierData();
  std::string data = "one-target fit --input ids=ids.npy "
                     "--input image=image.npy --target label.npy --json ";
  Result result = run(data + "--validation-split 0.4 --epochs 3");
  ASSERT_EQ(lines(result.out), 3u) << result.err;
  // Labels 0 1 2 | 1 0, in each epoch and in any order.
  std::istringstream stream(result.out);
  for (std::string line; std::getline(stream, line);) {
    EXPECT_EQ(number(line, "sum"), 3);
    EXPECT_EQ(number(line, "val_sum"), 1);
  }
  Result set = run(data + "--validation-input ids=ids.npy "
                          "--validation-input image=image.npy "
                          "--validation-target label.npy");
  EXPECT_EQ(number(set.out, "sum"), 4) << set.err;
  EXPECT_EQ(number(set.out, "val_sum"), 4);
}

TEST_F(Program, FitLearnsAndSaves) {
  Result fit = run("regression fit --input x.npy --target y.npy --epochs 30 "
                   "--batch-size 10 --save w.safetensors --log l.csv");
  EXPECT_EQ(fit.code, 0) << fit.err;
  EXPECT_EQ(fit.out.find("Epoch 1/30\n10/10 - 0s - "), 0u) << fit.out;
  EXPECT_EQ(lines(read("l.csv")), 31u);
  std::string evaluate = "regression evaluate --input x.npy --target y.npy "
                         "--json";
  double before = number(run(evaluate).out, "loss");
  double after = number(run(evaluate + " --weights w.safetensors").out, "loss");
  EXPECT_LT(after, 0.01 * before);
  std::string weights = read("w.safetensors");
  for (const char *name :
       {"dense/kernel", "norm/moving_mean", "optimizer/momentum"})
    EXPECT_NE(weights.find(name), std::string::npos);
  EXPECT_EQ(weights.find("metrics/"), std::string::npos);
}

TEST_F(Program, SeedAndShuffleDecideTheRun) {
  auto fit = [&](const std::string &options) {
    return run("regression fit --input x.npy --target y.npy --epochs 2 --json "
               "--batch-size 10 " +
               options)
        .out;
  };
  std::string base = fit("");
  EXPECT_EQ(fit("--threads 1"), base);
  EXPECT_EQ(fit("--seed 0 --shuffle=true"), base);
  EXPECT_NE(fit("--seed 7"), base); // the same initial weights as seed 0
  EXPECT_NE(fit("--shuffle=false"), base);
  EXPECT_EQ(fit("--shuffle=false"), fit("--shuffle=false"));
}

TEST_F(Program, CsvTrainsLikeNpy) {
  std::ostringstream csv;
  csv.precision(9);
  csv << "a,b,c,label\n";
  std::string x = regressionInputs(100), y = regressionTargets(100);
  const char *xs = x.data() + x.size() - 1200, *ys = y.data() + y.size() - 400;
  for (int i = 0; i < 100; ++i) {
    float row[4];
    memcpy(row, xs + 12 * i, 12);
    memcpy(row + 3, ys + 4 * i, 4);
    csv << row[0] << ',' << row[1] << ',' << row[2] << ',' << row[3] << '\n';
  }
  write("d.csv", csv.str());
  std::string options = " --epochs 3 --json --validation-split 0.1";
  Result npy = run("regression fit --input x.npy --target y.npy" + options);
  for (const char *data :
       {"--input d.csv --target d.csv:label", "--input d.csv --target label",
        "d.csv:a,b,c --target d.csv:3"}) {
    Result table = run("regression fit " + std::string(data) + options);
    EXPECT_EQ(table.out, npy.out) << table.err;
  }
}

TEST_F(Program, EarlyStoppingRestoresTheBestEpoch) {
  // Training makes the validation worse from the start: its targets are other.
  write("v.npy", regressionTargets(100, 9));
  std::string fit = "regression fit --input x.npy --target y.npy --epochs 20 "
                    "--validation-input x.npy --validation-target v.npy "
                    "--save w.safetensors ";
  Result stopped = run(fit + "--early-stopping "
                             "monitor=val_loss,patience=2,restore_best=true");
  EXPECT_EQ(stopped.code, 0) << stopped.err;
  size_t at = stopped.out.find("end of the best epoch: ");
  ASSERT_NE(at, std::string::npos) << stopped.out;
  int best = std::stoi(stopped.out.substr(at + 23));
  EXPECT_NE(stopped.out.find("Epoch " + std::to_string(best + 2) +
                             ": early stopping"),
            std::string::npos)
      << stopped.out;
  std::string evaluate = "regression evaluate --input x.npy --target v.npy "
                         "--weights w.safetensors --json";
  double restored = number(run(evaluate).out, "loss");
  run("regression fit --input x.npy --target y.npy --save w.safetensors "
      "--epochs " +
      std::to_string(best));
  EXPECT_EQ(number(run(evaluate).out, "loss"), restored);
}

TEST_F(Program, Bench) {
  for (const char *mode : {"infer", "train"}) {
    Result result = run(std::string("classifier bench --json --threads 1 "
                                    "--batch-size=4 --min-seconds 0.05 "
                                    "--mode=") +
                        mode);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(lines(result.out), 1u);
    EXPECT_GT(number(result.out, "median_s"), 0);
    EXPECT_LE(number(result.out, "min_s"), number(result.out, "median_s"));
    EXPECT_GE(number(result.out, "n_runs"), 10);
  }
}

// Numbers that are rows of a table, in a tensor of floats.
TEST_F(Program, BenchDrawsBelowTheBound) {
  Result result = run("bounded bench --batch-size=64 --min-seconds 0");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_NE(
      run("bounded info").out.find("image: float32 (N, 2, 2, 1), from 0 to 4"),
      std::string::npos);
}

TEST_F(Program, FixedBatch) {
  writeClassifierData();
  std::string inputs = "--input ids=ids.npy --input image=image.npy ";
  // Five samples are two batches of four, the second one filled up.
  Result predict = run("fixed-batch predict " + inputs + "--output p.csv");
  EXPECT_EQ(predict.code, 0) << predict.err;
  EXPECT_NE(read("p.csv").find("\n4,5,6,10\n"), std::string::npos);
  Result fit = run("fixed-batch fit " + inputs +
                   "--target label=label.npy --target score=score.npy");
  EXPECT_EQ(fit.err, "error: the model was compiled for batches of 4, and the "
                     "5 samples leave a part of one; drop 1 of them, or "
                     "compile without --batch\n");
  Result size = run("fixed-batch predict " + inputs + "--batch-size 8");
  EXPECT_EQ(size.code, 1);
}

} // namespace
