// Checkpoints: a resumed run is, bit for bit, the uninterrupted one.
#include "Workspace.h"

#include <cmath>
#include <csignal>

namespace {

class Resume : public Workspace {
protected:
  void SetUp() override {
    Workspace::SetUp();
    write("x.npy", regressionInputs(103));
    write("y.npy", regressionTargets(103));
  }
  std::string fit(const std::string &options) const {
    return "regression fit --input x.npy --target y.npy --batch-size 8 "
           "--validation-split 0.2 " +
           options;
  }
  // The last line of a training's JSON.
  static std::string lastLine(const std::string &text) {
    size_t end = text.rfind('\n');
    return text.substr(text.rfind('\n', end - 1) + 1);
  }
};

TEST_F(Resume, AtTheEndOfAnEpoch) {
  Result whole = run(fit("--epochs 5 --json --save whole.safetensors"));
  run(fit("--epochs 2 --checkpoint c"));
  // Batch size, seed and order come from the checkpoint.
  Result rest = run("regression fit --input x.npy --target y.npy --resume c "
                    "--validation-split 0.2 --epochs 5 --json "
                    "--save rest.safetensors");
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(lastLine(rest.out), lastLine(whole.out));
  EXPECT_EQ(read("rest.safetensors"), read("whole.safetensors"));
  EXPECT_EQ(rest.out.find("{\"epoch\": 2, "), 0u);
}

// The interrupt comes at some batch of some epoch, or in a validation; the
// checkpoint is whole whenever it comes.
TEST_F(Resume, AfterCtrlC) {
  constexpr const char *kEpochs = "--epochs 10000 --seed 3 ";
  Result whole = run(fit(std::string(kEpochs) + "--json --log whole.jsonl "
                                                "--save whole.safetensors"));
  ASSERT_EQ(whole.code, 0) << whole.err;
  int interrupted = 0;
  std::string options = std::string(kEpochs) + "--log rest.jsonl "
                                               "--save rest.safetensors "
                                               "--json --checkpoint c ";
  Result rest = interrupt(fit(options), SIGINT, 10);
  for (int round = 0; rest.code == 130 && round < 100; ++round) {
    ++interrupted;
    EXPECT_NE(rest.err.find("interrupted after batch "), std::string::npos);
    EXPECT_FALSE(exists("rest.safetensors"));
    std::string again = fit(options + "--resume c");
    rest = round < 4 ? interrupt(again, round % 2 ? SIGINT : SIGTERM, 10)
                     : run(again);
    if (rest.code == 143)
      rest.code = 130;
  }
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_GT(interrupted, 0);
  EXPECT_EQ(lastLine(rest.out), lastLine(whole.out));
  EXPECT_EQ(read("rest.safetensors"), read("whole.safetensors"));
  EXPECT_TRUE(read("rest.jsonl") == read("whole.jsonl"));
}

// What ends a run without a last checkpoint leaves that of the last N batches,
// in the middle of an epoch.
TEST_F(Resume, InTheMiddleOfAnEpoch) {
  std::vector<float> weights(103, 1);
  write("good.npy", npy<float>({103}, weights));
  weights[41] = NAN;
  write("bad.npy", npy<float>({103}, weights));
  std::string options = "--epochs 2 --sample-weight good.npy ";
  run(fit(options + "--save whole.safetensors"));
  // With this order, row 41 is refused after the seventh of eleven batches.
  Result ended = run(fit("--epochs 2 --sample-weight bad.npy --checkpoint c "
                         "--checkpoint-every 7"));
  EXPECT_EQ(ended.code, 1);
  Result rest = run(fit(options + "--resume c --save rest.safetensors"));
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(read("rest.safetensors"), read("whole.safetensors"));
}

TEST_F(Resume, KeepsEarlyStopping) {
  write("v.npy", regressionTargets(103, 9));
  auto options = [&](const std::string &more) {
    return "regression fit --input x.npy --target y.npy --json "
           "--validation-input x.npy --validation-target v.npy "
           "--early-stopping patience=3,restore_best=true --epochs " +
           more;
  };
  Result whole = run(options("30 --save whole.safetensors"));
  run(options("3 --checkpoint c"));
  Result rest = run(options("30 --resume c --save rest.safetensors"));
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(lastLine(rest.out), lastLine(whole.out));
  EXPECT_EQ(read("rest.safetensors"), read("whole.safetensors"));
  // A training that has stopped stays stopped.
  run(options("30 --checkpoint c"));
  Result stopped = run(options("30 --resume c --save again.safetensors"));
  EXPECT_EQ(stopped.out, "");
  EXPECT_EQ(read("again.safetensors"), read("whole.safetensors"));
}

TEST_F(Resume, NothingLeftToDo) {
  run(fit("--epochs 2 --checkpoint c --save a.safetensors"));
  Result result = run(fit("--epochs 2 --resume c --save b.safetensors"));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(read("a.safetensors"), read("b.safetensors"));
}

TEST_F(Resume, Mistakes) {
  run(fit("--checkpoint c --seed 4"));
  auto message = [&](const std::string &command) {
    Result result = run(command);
    EXPECT_EQ(result.code, 1);
    return result.err;
  };
  EXPECT_EQ(message(fit("--resume c --seed 5")),
            "error: c was written with another --seed (4); leave the option "
            "away when resuming\n");
  EXPECT_EQ(message("regression fit --input x.npy --target y.npy --resume c"),
            "error: c was written while training on 82 samples, these data "
            "give 103; use the same files and --validation-split\n");
  EXPECT_EQ(message(fit("--resume x.npy")),
            "error: x.npy is not a checkpoint; weights (.safetensors) are read "
            "with --weights\n");
  write("c", read("c") + "x");
  EXPECT_EQ(message(fit("--resume c")), "error: c is truncated\n");
  EXPECT_EQ(message(fit("--resume none")),
            "error: cannot open 'none': No such file or directory; check the "
            "path\n");
  EXPECT_EQ(message(fit("--checkpoint-every 3")),
            "error: --checkpoint-every needs --checkpoint F, the file to "
            "write\n");
}

// `fit | head` stops as after Ctrl-C: nobody would see the rest.
TEST_F(Resume, AfterThePipeBroke) {
  Result result =
      shell("{ ${M}" + fit("--epochs 1000000 --checkpoint c 2>.err") +
            "; echo $? >code; } | head -1 >.out");
  EXPECT_EQ(result.out, "Epoch 1/1000000\n");
  EXPECT_EQ(read("code"), "141\n");
  EXPECT_NE(result.err.find("go on with --resume c\n"), std::string::npos)
      << result.err;
  // It broke at the end: everything is written.
  shell("{ sleep 0.2; ${M}" + fit("--save w 2>.err") +
        "; echo $? >code; } | true");
  EXPECT_EQ(read("code"), "141\n");
  EXPECT_TRUE(exists("w"));
}

// The same for the pipe that a file is written to.
TEST_F(Resume, AfterTheLogsPipeBroke) {
  Result result = shell("{ ${M}" +
                        fit("--epochs 1000000 --quiet --log /dev/stdout "
                            "--checkpoint c 2>.err") +
                        "; echo $? >code; } | head -1 >.out");
  EXPECT_EQ(result.out.find("{\"epoch\": 0, "), 0u) << result.out;
  EXPECT_EQ(read("code"), "141\n");
  EXPECT_NE(result.err.find("go on with --resume c\n"), std::string::npos)
      << result.err;
  EXPECT_TRUE(exists("c"));
  shell("{ sleep 0.2; ${M}" + fit("--quiet --log /dev/stdout --save w 2>.err") +
        "; echo $? >code; } | true");
  EXPECT_EQ(read("code"), "141\n");
  EXPECT_TRUE(exists("w"));
}

TEST_F(Resume, AfterThePipeOfThePredictionsBroke) {
  write("many.npy", regressionInputs(100000)); // more than a pipe holds
  Result result = shell("{ ${M}regression predict many.npy "
                        "--output /dev/stdout 2>.err; echo $? >code; } | "
                        "head -c 6 >.out");
  EXPECT_EQ(result.out, "\x93NUMPY");
  EXPECT_EQ(result.err, "");
  EXPECT_EQ(read("code"), "141\n");
}

TEST_F(Resume, AfterTheTerminalClosed) {
  Result result = interrupt(fit("--epochs 1000000 --checkpoint c"), SIGHUP, 10);
  EXPECT_EQ(result.code, 129);
  EXPECT_TRUE(exists("c"));
}

// A signal that the caller ignores stays ignored, as HUP under nohup; another
// one ends the program.
TEST_F(Resume, AfterAnIgnoredSignal) {
  struct {
    const char *ignored, *other;
    int code;
  } cases[] = {
      {"HUP", "TERM", 143}, {"INT", "TERM", 143}, {"TERM", "HUP", 129}};
  for (const auto &[ignored, other, code] : cases) {
    std::string before = std::string("trap '' ") + ignored + "; ${M}";
    std::string after = std::string(" & sleep 0.2; kill -") + ignored +
                        " $!; sleep 0.1; kill -" + other + " $!; wait $!";
    Result result =
        shell(before + fit("--epochs 1000000 --quiet 2>.err") + after);
    EXPECT_EQ(result.code, code) << ignored;
  }
}

TEST_F(Resume, CtrlCWithoutACheckpoint) {
  Result result = interrupt(fit("--epochs 1000000"), SIGINT, 50);
  EXPECT_EQ(result.code, 130);
  EXPECT_NE(result.err.find("nothing was written"), std::string::npos);
  EXPECT_EQ(files().size(), 2u);
}

} // namespace
