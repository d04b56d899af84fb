// What is shown: Keras's progress lines, the order of logs, early stopping.
#include "Workspace.h"
#include "runtime/host/EarlyStopping.h"
#include "runtime/host/EpochLog.h"
#include "runtime/host/Progress.h"

#include <cmath>

using namespace cornu::runtime;

namespace {

Logs logsOf(std::vector<std::pair<const char *, double>> entries) {
  Logs logs;
  for (auto &[name, value] : entries)
    logs.entries.push_back({name, value});
  return logs;
}

// The expected texts are those that keras.utils.Progbar 3.15.1 prints.
TEST(Progress, BarIsKerass) {
  Progress progress(Display::Bar, 10);
  Logs logs = logsOf({{"accuracy", 0.5}, {"loss", 0.6931}});
  EXPECT_STREQ(
      progress.barText(3, logs, 0.036, false).c_str(),
      "\r\x1b[1m 3/10\x1b[0m \x1b[32m━━━━━━\x1b[0m\x1b[37m━━━━━━━━━━━━━━"
      "\x1b[0m \x1b[1m0s\x1b[0m 12ms/step - accuracy: 0.5000 - loss: 0.6931");
  // The second line replaces the first, of 73 columns.
  String last = progress.barText(10, logsOf({{"loss", 0.001}}), 1.6, true);
  EXPECT_EQ(std::string(last.c_str()),
            std::string(73, '\b') +
                "\r\x1b[1m10/10\x1b[0m \x1b[32m━━━━━━━━━━━━━━━━━━━━\x1b[0m"
                "\x1b[37m\x1b[0m \x1b[1m2s\x1b[0m 160ms/step - loss: "
                "1.0000e-03" +
                std::string(14, ' ') + "\n");
}

TEST(Progress, TimesAreKerass) {
  auto text = [](int64_t steps, int64_t step, double elapsed) {
    Progress progress(Display::Bar, steps);
    std::string line = progress.barText(step, Logs(), elapsed, false).c_str();
    return line.substr(line.rfind("\x1b[1m") + 4);
  };
  EXPECT_EQ(text(1000, 1, 0.0004), "0s\x1b[0m 400us/step");
  EXPECT_EQ(text(100, 1, 2), "3:18\x1b[0m 2s/step");
  EXPECT_EQ(text(3601, 1, 2), "2:00:00\x1b[0m 2s/step");
  EXPECT_EQ(text(61, 1, 1), "60s\x1b[0m 1s/step");
}

TEST(Progress, TheFirstStepIsLeftOutOfTheMean) {
  Progress progress(Display::Bar, 3);
  (void)progress.barText(1, Logs(), 1.0, false);
  std::string line = progress.barText(3, Logs(), 1.4, true).c_str();
  EXPECT_NE(line.find(" 200ms/step"), std::string::npos) << line;
}

TEST(Progress, LineIsKerassVerbose2) {
  Progress progress(Display::Lines, 10);
  EXPECT_STREQ(
      progress.lineText(logsOf({{"accuracy", 0.9}, {"loss", 0.3}}), 0.62)
          .c_str(),
      "10/10 - 1s - 62ms/step - accuracy: 0.9000 - loss: 0.3000\n");
  EXPECT_STREQ(
      progress.lineText(logsOf({{"loss", -std::nan("")}}), 0.62).c_str(),
      "10/10 - 1s - 62ms/step - loss: nan\n");
}

TEST(Logs, AreSortedWithValidationLast) {
  const char *names[] = {"loss", "mae", "accuracy"};
  cornu_model model = {};
  model.num_metrics = 3;
  model.metric_names = names;
  const float values[] = {1, 2, 3};
  Logs logs;
  logs.addMetrics(model, values, "");
  logs.addMetrics(model, values, "val_");
  EXPECT_STREQ(epochJson(0, logs).c_str(),
               "{\"epoch\": 0, \"accuracy\": 3, \"loss\": 1, \"mae\": 2, "
               "\"val_accuracy\": 3, \"val_loss\": 1, \"val_mae\": 2}");
  EXPECT_EQ(*logs.find("val_mae"), 2);
  EXPECT_EQ(logs.find("val_"), nullptr);
}

class EpochLogTest : public Workspace {};

TEST_F(EpochLogTest, CsvIsThatOfKerassLogger) {
  EpochLog log;
  ASSERT_FALSE(log.open(path("l.csv").c_str(), 0));
  ASSERT_FALSE(log.append(0, logsOf({{"loss", 0.5}})));
  ASSERT_FALSE(log.append(1, logsOf({{"loss", 0.25}})));
  ASSERT_FALSE(log.close());
  EXPECT_EQ(read("l.csv"), "epoch,loss,val_loss\r\n0,0.5,NA\r\n1,0.25,NA\r\n");
  EpochLog resumed;
  ASSERT_FALSE(resumed.open(path("l.csv").c_str(), 1));
  ASSERT_FALSE(resumed.append(1, logsOf({{"loss", 0.125}})));
  EXPECT_EQ(read("l.csv"), "epoch,loss,val_loss\r\n0,0.5,NA\r\n1,0.125,NA\r\n");
  EpochLog fresh;
  ASSERT_FALSE(fresh.open(path("l.csv").c_str(), 0));
  // The old log stays until there is something to put in its place.
  EXPECT_EQ(read("l.csv"), "epoch,loss,val_loss\r\n0,0.5,NA\r\n1,0.125,NA\r\n");
  ASSERT_FALSE(fresh.append(0, logsOf({{"loss", 2}})));
  EXPECT_EQ(read("l.csv"), "epoch,loss,val_loss\r\n0,2,NA\r\n");
}

TEST_F(EpochLogTest, Jsonl) {
  for (int64_t first : {0, 1, 1}) {
    EpochLog log;
    ASSERT_FALSE(log.open(path("l.jsonl").c_str(), first));
    ASSERT_FALSE(log.append(first, logsOf({{"loss", 0.5}})));
  }
  EXPECT_EQ(read("l.jsonl"), "{\"epoch\": 0, \"loss\": 0.5}\n"
                             "{\"epoch\": 1, \"loss\": 0.5}\n");
  EpochLog log;
  EXPECT_STREQ(log.open("l.txt", 0).message().c_str(),
               "--log l.txt: the extension must be .csv or .jsonl");
}

EarlyStopping stoppingOf(const char *text) {
  EarlyStopping stopping;
  Error error =
      stopping.parse(text, {"loss", "accuracy", "strange", "val_loss"});
  EXPECT_FALSE(bool(error)) << error.message().c_str();
  return stopping;
}

// The epoch after which these values stop the training, or -1.
int stopEpoch(EarlyStopping stopping, const std::vector<double> &values) {
  for (size_t epoch = 0; epoch < values.size(); ++epoch)
    if (stopping.epochEnded(int64_t(epoch), values[epoch]).stop)
      return int(epoch);
  return -1;
}

// Checked against keras.callbacks.EarlyStopping with the same values.
TEST(EarlyStopping, FollowsKeras) {
  std::vector<double> v{5, 4, 4.5, 3, 3.5, 3.2, 3.1, 2};
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=loss"), v), 2);
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=loss,patience=2"), v), 5);
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=loss,patience=3"), v), 6);
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=loss,patience=4"), v), -1);
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=loss,patience=2,min_delta=1.5"), v),
            2);
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=accuracy"), v), 1);
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=accuracy,mode=min"), v), 2);
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=loss,start_from_epoch=3"), v), 4);
  // A baseline that is never beaten: the wait goes on although values improve.
  EXPECT_EQ(stopEpoch(stoppingOf("monitor=loss,patience=2,baseline=1"), v), 2);
  // A NaN is the best there is, and nothing improves on it.
  EXPECT_EQ(
      stopEpoch(stoppingOf("monitor=loss,patience=1"), {std::nan(""), 1, 0.5}),
      1);
}

TEST(EarlyStopping, KeepsTheBestEpoch) {
  EarlyStopping stopping = stoppingOf("monitor=loss,patience=9");
  EXPECT_TRUE(stopping.epochEnded(0, 2).keep);
  EXPECT_FALSE(stopping.epochEnded(1, 3).keep);
  EXPECT_TRUE(stopping.epochEnded(2, 1).keep);
  EXPECT_EQ(stopping.bestEpoch, 2);
}

TEST(EarlyStopping, ExplainsMistakes) {
  auto message = [](const char *text) {
    EarlyStopping stopping;
    return std::string(
        stopping.parse(text, {"loss", "strange"}).message().c_str());
  };
  EXPECT_EQ(message("monitor=val_loss"),
            "--early-stopping: 'val_loss' is not among the logs (loss, "
            "strange); give --validation-split or --validation-input");
  EXPECT_EQ(message("monitor=strange"),
            "--early-stopping: whether 'strange' should grow or shrink is not "
            "known; add mode=max or mode=min");
  EXPECT_EQ(message("monitor=loss,patience=x"),
            "--early-stopping: 'x' is no value of 'patience'");
  EXPECT_NE(message("monitr=loss").find("did you mean 'monitor'?"),
            std::string::npos);
}

} // namespace
