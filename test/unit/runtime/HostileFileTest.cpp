// Damaged and malicious files end in an error, never in a crash or a huge
// allocation. Run under AddressSanitizer and UBSan this is a small fuzzer.
#include "Workspace.h"
#include "runtime/core/Layout.h"
#include "runtime/host/CheckpointFile.h"
#include "runtime/host/Safetensors.h"
#include "runtime/host/Source.h"

#include <functional>
#include <random>

using namespace cornu::runtime;

namespace {

class HostileFile : public Workspace {
protected:
  // Reads each prefix of the file and many versions with changed bytes.
  void damage(const std::string &name, const std::string &good,
              const std::function<void(const std::string &)> &read) {
    for (size_t size = 1; size < good.size(); ++size) {
      write(name, good.substr(0, size));
      read(path(name));
    }
    std::mt19937 engine(3);
    for (int round = 0; round < 500; ++round) {
      std::string bad = good;
      for (unsigned changes = 1 + engine() % 3; changes; --changes)
        bad[engine() % bad.size()] = char(engine());
      write(name, bad);
      read(path(name));
    }
  }
  void damageData(const std::string &name, const std::string &good) {
    damage(name, good, [](const std::string &file) {
      Files files;
      Source source;
      if (files.open(file.c_str(), "x", "x", source))
        return;
      // What opens must also be readable in full, whatever its shape is now.
      int64_t rows = source.rows() < 100 ? source.rows() : 100;
      std::vector<int64_t> shape(source.shape().begin(), source.shape().end());
      cornu_tensor tensor = {"x", CORNU_FLOAT32, int32_t(shape.size()),
                             shape.data(), 0};
      uint64_t bytes = 0;
      ASSERT_TRUE(sampleBytes(tensor, bytes));
      if (source.fit(tensor, "input") || bytes > 1000000)
        return;
      std::vector<char> out(size_t(rows) * bytes);
      (void)source.gather({nullptr, 0, rows}, out.data());
    });
  }
};

std::vector<float> ramp(int count) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i)
    values.push_back(float(i));
  return values;
}

TEST_F(HostileFile, Npy) { damageData("x.npy", npy<float>({4, 3}, ramp(12))); }

TEST_F(HostileFile, Npz) {
  const int64_t shape[] = {3};
  const cornu_tensor tensor = {"x", CORNU_FLOAT32, 1, shape, 0};
  NpzWriter writer;
  ASSERT_FALSE(writer.create(path("good.npz").c_str(), &tensor, 1, 4));
  ASSERT_FALSE(writer.write(0, ramp(12).data(), 48));
  ASSERT_FALSE(writer.commit());
  damageData("x.npz", read("good.npz"));
}

TEST_F(HostileFile, Idx) {
  damageData("idx",
             std::string("\0\0\x08\x02\0\0\0\x02\0\0\0\x03", 12) + "abcdef");
}

TEST_F(HostileFile, Png) {
  std::string palette = pngChunk("PLTE", "abcdefghi") + pngChunk("tRNS", "a");
  damageData("p.png",
             pngFile(3, 2, 2, 3, std::string("\1\x18\4\x24", 4), palette));
  std::string rows;
  for (char y = 0; y < 5; ++y)
    rows += y + std::string("\x12\x80\xff\x34\x56\x01", 6);
  damageData("x.png", pngFile(2, 5, 8, 2, rows));
}

// A header that claims gigabytes is refused before any allocation.
TEST_F(HostileFile, PngBomb) {
  write("bomb.png", pngFile(1 << 20, 1 << 20, 16, 6, std::string(100, 0)));
  cornu_dtype dtype = CORNU_FLOAT32;
  const int64_t shape[] = {1 << 20, 1 << 20, 4};
  Files files;
  Source source;
  ASSERT_FALSE(files.open(path("bomb.png").c_str(), "x", "x", source));
  ASSERT_FALSE(source.fit({"x", dtype, 3, shape, 0}, "input"));
  float number;
  Error error = source.gather({nullptr, 0, 1}, &number);
  ASSERT_TRUE(bool(error));
  EXPECT_NE(std::string(error.message().c_str()).find("pixels are missing"),
            std::string::npos)
      << error.message().c_str();
}

TEST_F(HostileFile, Csv) {
  damageData("x.csv", "a,\"b\",c\n1,2,3\n4,5,6\n7,8,9\n1e5,-.5,\"2\"\n");
}

TEST_F(HostileFile, ImpossibleShapes) {
  for (const char *shape :
       {"(4611686018427387904, 4)", "(9223372036854775807,)", "(-1,)",
        "(99999999999999999999,)", "(0,)", "(0, 4611686018427387904)", "()",
        "(1, 2", "(3000000000, 3000000000, 3000000000)"}) {
    write("x.npy", npyFile(std::string("{'descr': '<f4', 'fortran_order': "
                                       "True, 'shape': ") +
                               shape + ", }",
                           std::string(64, 'x')));
    Files files;
    Source source;
    EXPECT_TRUE(bool(files.open(path("x.npy").c_str(), "x", "x", source)))
        << shape;
  }
}

// A deflated member that claims terabytes is refused before any allocation.
TEST_F(HostileFile, ZipBomb) {
  auto field = [](uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i)
      text += i < 8 ? char(value >> (8 * i)) : '\0';
    return text;
  };
  std::string local = field(0x04034b50, 4) + field(20, 2) + field(0, 2) +
                      field(8, 2) + field(0, 8) + field(8, 4) +
                      field(0xfffffffe, 4) + field(5, 2) + field(0, 2) +
                      "x.npy" + std::string(8, '\0');
  std::string central = field(0x02014b50, 4) + field(20, 2) + field(20, 2) +
                        field(0, 2) + field(8, 2) + field(0, 8) + field(8, 4) +
                        field(0xfffffffe, 4) + field(5, 2) + field(0, 12) +
                        field(0, 4) + "x.npy";
  std::string end = field(0x06054b50, 4) + field(0, 4) + field(1, 2) +
                    field(1, 2) + field(central.size(), 4) +
                    field(local.size(), 4) + field(0, 2);
  write("bomb.npz", local + central + end);
  Files files;
  Source source;
  Error error = files.open(path("bomb.npz").c_str(), "x", "x", source);
  ASSERT_TRUE(bool(error));
  EXPECT_NE(std::string(error.message().c_str()).find("impossible size"),
            std::string::npos)
      << error.message().c_str();
}

struct OneVariable {
  int64_t shape[2] = {2, 3};
  cornu_variable variable = {
      "dense/kernel", CORNU_FLOAT32, 2, shape, 0, CORNU_TRAINABLE, 0, 0,
      nullptr};
  cornu_model model = {};
  OneVariable() {
    model.name = "m";
    model.num_variables = 1;
    model.variables = &variable;
    model.state_bytes = 24;
  }
};

TEST_F(HostileFile, Safetensors) {
  OneVariable one;
  std::vector<float> state = ramp(6), loaded(6);
  ASSERT_FALSE(
      saveWeights(path("good.safetensors").c_str(), one.model, state.data()));
  ASSERT_FALSE(
      loadWeights(path("good.safetensors").c_str(), one.model, loaded.data()));
  EXPECT_EQ(loaded, state);
  damage("x.safetensors", read("good.safetensors"),
         [&](const std::string &file) {
           (void)loadWeights(file.c_str(), one.model, loaded.data());
         });
}

TEST_F(HostileFile, Checkpoint) {
  OneVariable one;
  std::vector<float> state = ramp(6), best = ramp(6);
  CheckpointHeader header = {};
  ASSERT_FALSE(CheckpointWriter().write(path("good").c_str(), one.model, header,
                                        state.data(), best.data()));
  std::string good = read("good");
  EXPECT_EQ(good.size(), sizeof(header) + 48);
  damage("x.ckpt", good, [&](const std::string &file) {
    CheckpointFile checkpoint;
    // A changed byte is always found; a new random byte may be the old one.
    Error error = checkpoint.open(file.c_str(), one.model);
    if (!error) {
      EXPECT_EQ(read("x.ckpt"), good);
    }
  });
}

} // namespace
