// A user's mistake is one line on stderr, exit code 1, and no file half
// written.
#include "Workspace.h"

#include <sys/stat.h>
#include <unistd.h>

namespace {

class ProgramError : public Workspace {
protected:
  void SetUp() override {
    Workspace::SetUp();
    write("x.npy", regressionInputs(100));
    write("y.npy", regressionTargets(100));
  }
  // The line, without "error: ".
  std::string error(const std::string &command) {
    Result result = run(command);
    EXPECT_EQ(result.code, 1) << command << result.out;
    EXPECT_EQ(result.err.substr(0, 7), "error: ") << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
    return result.err.substr(7, result.err.size() - 8);
  }
};

TEST_F(ProgramError, CommandLine) {
  EXPECT_EQ(error("regression train"),
            "unknown command 'train' (commands: info, predict, evaluate, fit, "
            "bench)");
  EXPECT_EQ(error("regression predic"),
            "unknown command 'predic'; did you mean 'predict'? (commands: "
            "info, predict, evaluate, fit, bench)");
  EXPECT_EQ(error("regression fit --epoch 3"),
            "unknown argument '--epoch'; did you mean '--epochs'?");
  EXPECT_EQ(error("regression fit --input x.npy --target y.npy --epochs 0"),
            "--epochs: '0' is not an integer of at least 1");
  EXPECT_EQ(error("regression fit --input x.npy --target y.npy "
                  "--shuffle=maybe"),
            "--shuffle: 'maybe' is neither 'true' nor 'false'");
  EXPECT_EQ(error("regression fit --input x.npy --target y.npy "
                  "--validation-split 1.5"),
            "--validation-split: 1.5 is not in [0, 1)");
  EXPECT_EQ(error("regression fit --input x.npy --target y.npy "
                  "--validation-split 0.999"),
            "--validation-split 0.999 leaves no samples for training out of "
            "100");
  EXPECT_EQ(error("regression predict"), "--input FILE is missing");
  EXPECT_EQ(error("regression predict x.npy --output y.txt"),
            "--output y.txt: the extension must be .npy, .npz or .csv");
  EXPECT_EQ(error("regression bench --mode=both"),
            "--mode: 'both' is neither 'infer' nor 'train'");
  EXPECT_EQ(error("regression predict x.npy --threads 0"),
            "--threads: '0' is not an integer of at least 1");
}

TEST_F(ProgramError, Data) {
  EXPECT_EQ(error("regression predict nope.npy"),
            "cannot open 'nope.npy': No such file or directory; check the "
            "path");
  EXPECT_EQ(error("regression predict y.npy"),
            "y.npy has shape (N,), but the input 'x' takes (N, 3)");
  write("short.npy", regressionInputs(10).substr(0, 150));
  EXPECT_NE(error("regression predict short.npy").find("truncated"),
            std::string::npos);
  write("y99.npy", regressionTargets(99));
  EXPECT_EQ(error("regression evaluate --input x.npy --target y99.npy"),
            "y99.npy has 99 rows, but x.npy has 100; each row must be the same "
            "sample");
  write("none.npy", npy<float>({0, 3}, {}));
  EXPECT_EQ(error("regression predict none.npy"), "none.npy has no rows");
}

TEST_F(ProgramError, LabelsOutOfRange) {
  write("ids.npy", npy<int64_t>({2, 2}, {0, 1, 9, 9}));
  write("image.npy", npy<float>({2, 2, 2, 1}, {1, 1, 1, 1, 1, 1, 1, 1}));
  write("label.npy", npy<int64_t>({2}, {0, 3}));
  std::string inputs = "--input ids=ids.npy --input image=image.npy ";
  EXPECT_EQ(error("one-target fit " + inputs + "--target label.npy"),
            "label.npy: row 1: 3 is out of range: the model takes integers "
            "from 0 to 2");
  write("ids.npy", npy<int64_t>({2, 2}, {0, 1, -1, 9}));
  write("t.csv", "a,label\n0,1\n0,3\n");
  write("good.npy", npy<int64_t>({2, 2}, {0, 1, 1, 9}));
  EXPECT_EQ(error("one-target fit --input ids=good.npy --input image=image.npy "
                  "--target t.csv:label"),
            "t.csv:label: line 3, column 'label': 3 is out of range: the model "
            "takes integers from 0 to 2");
  EXPECT_EQ(error("one-target predict " + inputs + "--output p.npz"),
            "ids.npy: row 1: -1 is out of range: the model takes integers from "
            "0 to 9");
  EXPECT_EQ(files().size(), 7u); // neither p.npz nor a temporary file
}

TEST_F(ProgramError, Weights) {
  write("w.safetensors", std::string("\x02\0\0\0\0\0\0\0{}", 10));
  EXPECT_EQ(error("regression predict x.npy --weights w.safetensors"),
            "w.safetensors: the variable 'dense/kernel' is missing; the file "
            "belongs to another model");
  EXPECT_EQ(error("regression predict x.npy --weights x.npy"),
            "x.npy: this is not a .safetensors file, or it is truncated");
  std::string header = "{\"dense/kernl\":{\"dtype\":\"F32\",\"shape\":[1],"
                       "\"data_offsets\":[0,4]}}";
  write("w.safetensors", std::string(1, char(header.size())) +
                             std::string(7, '\0') + header + "abcd");
  EXPECT_EQ(error("regression predict x.npy --weights w.safetensors"),
            "w.safetensors: the model has no variable 'dense/kernl'; did you "
            "mean 'dense/kernel'?");
}

TEST_F(ProgramError, FullDisk) {
  const char *full = "cannot write '/dev/full': No space left on device; free "
                     "some space or choose another folder";
  EXPECT_EQ(error("regression predict x.npy --output /dev/full"), full);
  std::string fit = "regression fit --input x.npy --target y.npy ";
  EXPECT_EQ(error(fit + "--save /dev/full"), full);
  EXPECT_EQ(error("regression predict x.npy --output nodir/p.npy"),
            "cannot create 'nodir/p.npy': No such file or directory; check the "
            "path");
}

// Training ends, and the other files are written.
TEST_F(ProgramError, ADiskThatFillsWhileTraining) {
  const char *full = "cannot write '/dev/full': No space left on device; free "
                     "some space or choose another folder; training ended "
                     "after batch 0 of epoch 2, written: ";
  std::string fit = "regression fit --input x.npy --target y.npy --quiet ";
  ASSERT_EQ(run(fit + "--save whole").code, 0);
  fit += "--epochs 5 ";
  EXPECT_EQ(error(fit + "--log /dev/full --save w --checkpoint c"),
            full + std::string("w, c"));
  EXPECT_EQ(read("w"), read("whole"));
  EXPECT_EQ(run(fit + "--resume c").code, 0);
  EXPECT_EQ(error(fit + "--checkpoint /dev/full --save v"),
            full + std::string("v"));
  EXPECT_EQ(read("v"), read("whole"));
  EXPECT_EQ(error(fit + "--log /dev/full"), full + std::string("nothing"));
}

// Under whatever names, and before training.
TEST_F(ProgramError, FilesThatWouldReplaceEachOther) {
  std::string fit = "regression fit --input x.npy --target y.npy ";
  ASSERT_EQ(run(fit + "--checkpoint ck --save w").code, 0);
  symlink("ck", path("link").c_str());
  fit += "--epochs 1000000000 --quiet ";
  struct Pair {
    const char *one, *other;
  };
  for (Pair pair : {Pair{"--save q", "--checkpoint ./q"},
                    {"--save l.csv", "--log ../$(basename $PWD)/l.csv"},
                    {"--checkpoint l.csv", "--log l.csv"},
                    {"--save link", "--resume ck"},
                    {"--checkpoint w", "--weights w"}}) {
    std::string options = pair.one + std::string(" ") + pair.other;
    EXPECT_NE(error(fit + options).find("name the same file; choose two"),
              std::string::npos)
        << options;
  }
}

TEST_F(ProgramError, OutputsThatWouldReplaceEachOther) {
  write("ids.npy", npy<int64_t>({1, 2}, {0, 1}));
  write("image.npy", npy<float>({1, 2, 2}, {1, 1, 1, 1}));
  std::string predict = "classifier predict --input ids.npy --input image.npy ";
  EXPECT_EQ(error(predict + "--output label=o.npy --output score=./o.npy"),
            "--output label=o.npy and --output score=./o.npy name the same "
            "file; choose two");
  EXPECT_EQ(error(predict + "--output o1.csv --output o2.csv"),
            "--output o2.csv: a .csv file takes all outputs, and there is one "
            "before it; leave one away");
  EXPECT_EQ(error(predict + "--output o1.npz --output o2.npz"),
            "--output o2.npz: a .npz file takes all outputs, and there is one "
            "before it; leave one away");
  EXPECT_EQ(files().size(), 4u);
}

TEST_F(ProgramError, EmptyValues) {
  std::string fit = "regression fit --input x.npy --target y.npy ";
  for (const char *option : {"--save", "--checkpoint", "--log", "--weights"}) {
    std::string start = option + std::string(" needs a value: ");
    EXPECT_EQ(error(fit + option + " ''").find(start), 0u);
    EXPECT_EQ(error(fit + option + "=").find(start), 0u);
  }
}

TEST_F(ProgramError, FoldersInsteadOfFiles) {
  mkdir(path("d").c_str(), 0777);
  std::string fit = "regression fit --input x.npy --target y.npy ";
  for (const char *option : {"--weights d", "--resume d"})
    EXPECT_EQ(error(fit + option), "'d' is a folder; name a file in it");
}

TEST_F(ProgramError, BytesThatWouldSteerATerminalAreShown) {
  EXPECT_EQ(
      error("regression predict \"$(printf 'a\\033[1m\\303\\244\\377')\""),
      "cannot open 'a\\x1b[1m\xc3\xa4\\xff': No such file or "
      "directory; check the path");
}

TEST_F(ProgramError, ValidationNamesItsOptions) {
  EXPECT_EQ(error("regression fit --input x.npy --target y.npy "
                  "--validation-input x.npy"),
            "--validation-target FILE is missing");
}

// What cannot be written is noticed before the first batch, not after hours.
TEST_F(ProgramError, PlacesThatCannotBeWritten) {
  mkdir(path("d").c_str(), 0777);
  mkdir(path("d.csv").c_str(), 0777);
  std::string fit = "regression fit --input x.npy --target y.npy "
                    "--epochs 1000000000 --quiet ";
  for (const char *option : {"--save", "--checkpoint"}) {
    std::string start = fit + option;
    EXPECT_EQ(error(start + " nodir/w"),
              "cannot create 'nodir/w': No such file or directory; check the "
              "path");
    EXPECT_EQ(error(start + " d"),
              "cannot write 'd': Is a directory; name a file in it");
    EXPECT_EQ(error(start + " x.npy/w"),
              "cannot create 'x.npy/w': Not a directory; a part of the path is "
              "a file, check it");
  }
  EXPECT_EQ(error(fit + "--log nodir/l.csv"),
            "cannot create 'nodir/l.csv': No such file or directory; check the "
            "path");
  EXPECT_EQ(error(fit + "--log d.csv"),
            "cannot write 'd.csv': Is a directory; name a file in it");
  EXPECT_EQ(error("regression predict x.npy --output nodir/p.csv"),
            "cannot create 'nodir/p.csv': No such file or directory; check the "
            "path");
  EXPECT_EQ(error("regression predict x.npy --output d.csv"),
            "cannot write 'd.csv': Is a directory; name a file in it");
  EXPECT_EQ(files().size(), 4u); // no temporary file
}

// The disk fills up while a file is being written.
TEST_F(ProgramError, FileSizeLimit) {
  for (const char *command :
       {"predict x.npy --output p.npy", "predict x.npy --output p.npz",
        "fit --input x.npy --target y.npy --save w.safetensors"}) {
    Result result = run(std::string("regression ") + command, "ulimit -f 1; ");
    EXPECT_EQ(result.code, 1) << command;
    EXPECT_NE(result.err.find("File too large"), std::string::npos)
        << result.err;
    EXPECT_EQ(files().size(), 2u) << command; // only the data
  }
}

TEST_F(ProgramError, DataThatShrinkMeanwhile) {
  Result result = interrupt("regression fit --input x.npy --target y.npy "
                            "--epochs 1000000",
                            0, 0, [&] { write("x.npy", ""); });
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err, "error: 'x.npy' became shorter while it was being "
                        "read; another program has changed it\n");
}

// `>&-`: no file may get the number of the closed standard output.
TEST_F(ProgramError, ClosedStandardOutput) {
  Result result = shell("${M}regression fit --input x.npy --target y.npy "
                        "--epochs 2 --log l.csv --save w >&- 2>.err");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(read("l.csv").find("epoch,loss"), 0u);
  EXPECT_EQ(read("l.csv").find("Epoch"), std::string::npos);
}

TEST_F(ProgramError, FullStandardOutput) {
  // The fixture's redirection comes last, so this one needs a shell within.
  write("run.sh", "exec \"$0\" info > /dev/full\n");
  std::string program = CORNU_MOCKS "cornu-mock-regression";
  int status =
      system(("cd " + folder + " && sh -c '. ./run.sh' " + program + " 2> err")
                 .c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(read("err"), "error: cannot write to the standard output; is its "
                         "disk full?\n");
}

TEST_F(ProgramError, AnOldFileKeepsItsMode) {
  write("w", "old");
  chmod(path("w").c_str(), 0600);
  run("regression fit --input x.npy --target y.npy --save w");
  struct stat info = {};
  stat(path("w").c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_NE(read("w"), "old");
}

// A file is replaced only by a complete one.
TEST_F(ProgramError, AnOldFileSurvives) {
  write("p.csv", "precious");
  write("ids.npy", npy<int64_t>({40, 2}, std::vector<int64_t>(80, 11)));
  write("image.npy", npy<float>({40, 4}, std::vector<float>(160, 1)));
  error("classifier predict --input ids=ids.npy --input image=image.npy "
        "--output p.csv");
  EXPECT_EQ(read("p.csv"), "precious");
}

TEST_F(ProgramError, OldCpu) {
  write("ids.npy", npy<int64_t>({1, 2}, {0, 1}));
  write("image.npy", npy<float>({1, 2, 2}, {1, 1, 1, 1}));
  setenv("MOCK_OLD_CPU", "1", 1);
  std::string message =
      error("classifier predict --input ids.npy --input image.npy");
  unsetenv("MOCK_OLD_CPU");
  EXPECT_EQ(message, "this CPU lacks instructions that 'classifier' was "
                     "compiled for; compile it for this machine, or portably "
                     "with --mcpu=x86-64-v3 (compiled: {\"mcpu\": "
                     "\"imaginary\"})");
}

} // namespace
