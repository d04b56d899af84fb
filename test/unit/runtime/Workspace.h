//===- Workspace.h - A folder of files, and programs run in it ------------===//
//
//   class MyTest : public Workspace {};
//   TEST_F(MyTest, Predicts) {
//     write("x.npy", npy<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
//     Result result = run("regression predict x.npy");
//     EXPECT_EQ(result.code, 0) << result.err;
//   }
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_TEST_UNIT_RUNTIME_WORKSPACE_H
#define CORNU_TEST_UNIT_RUNTIME_WORKSPACE_H

#include "PngChunk.h"

#include <cstdint>
#include <functional>
#include <gtest/gtest.h>
#include <string>
#include <vector>

struct Result {
  int code = -1;
  std::string out, err;
};

class Workspace : public testing::Test {
protected:
  void SetUp() override;
  void TearDown() override;

  std::string path(const std::string &name) const {
    return folder + "/" + name;
  }
  void write(const std::string &name, const std::string &content) const;
  std::string read(const std::string &name) const;
  bool exists(const std::string &name) const;
  std::vector<std::string> files() const;

  /// Runs a mock program, "regression fit --epochs 2 ...", through the shell
  /// in the folder.
  /// `before` is a shell command that comes first, "ulimit -f 1;".
  Result run(const std::string &command, const std::string &before = "") const;
  /// Runs a line of shell in the folder, where $M is "PATH/cornu-mock-"; what
  /// it redirects to .out and .err is the result's.
  Result shell(const std::string &line) const;
  /// Starts it, waits for its first output and `milliseconds` more, calls
  /// `then`, sends a signal, and waits for its end.
  Result interrupt(
      const std::string &command, int signal, int milliseconds,
      const std::function<void()> &then = [] {}) const;

  std::string folder;

private:
  Result collect(int status) const;
  static std::string shellLine(const std::string &command);
};

template <typename T> const char *descrOf();
template <> inline const char *descrOf<float>() { return "<f4"; }
template <> inline const char *descrOf<double>() { return "<f8"; }
template <> inline const char *descrOf<int32_t>() { return "<i4"; }
template <> inline const char *descrOf<int64_t>() { return "<i8"; }
template <> inline const char *descrOf<uint64_t>() { return "<u8"; }
template <> inline const char *descrOf<uint8_t>() { return "|u1"; }

/// A .npy file of version `major` with this header dict.
std::string npyFile(const std::string &dict, const std::string &data,
                    int major = 1);
std::string shapeTuple(const std::vector<int64_t> &shape);

template <typename T> std::string bytesOf(const std::vector<T> &values) {
  return std::string(reinterpret_cast<const char *>(values.data()),
                     values.size() * sizeof(T));
}

template <typename T>
std::string npy(const std::vector<int64_t> &shape,
                const std::vector<T> &values) {
  return npyFile(
      std::string("{'descr': '") + descrOf<T>() +
          "', 'fortran_order': False, 'shape': " + shapeTuple(shape) + ", }",
      bytesOf(values));
}

/// A .png file of these rows, each with its filter's number in front; `more`
/// are chunks before the pixels.
std::string pngFile(uint32_t width, uint32_t height, int depth, int color,
                    const std::string &rows, const std::string &more = "");

/// Inputs (rows, 3) and targets (rows,) of a linear function with noise.
std::string regressionInputs(int64_t rows, unsigned seed = 1);
std::string regressionTargets(int64_t rows, unsigned seed = 1);

#endif // CORNU_TEST_UNIT_RUNTIME_WORKSPACE_H
