// Reading .npy, .npz, .csv and IDX.
#include "Reader.h"
#include "runtime/host/Inflate.h"

#include <limits>

using namespace cornu::runtime;

namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;

TEST_F(Reader, NpyOfEachVersion) {
  std::string dict =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }";
  std::string data = bytesOf(Floats{1, 2, 3, 4});
  for (int version : {1, 2, 3}) {
    write("x.npy", npyFile(dict, data, version));
    EXPECT_EQ(gather<float>("x.npy", CORNU_FLOAT32, {2}), (Floats{1, 2, 3, 4}))
        << message;
  }
  write("x.npy", npyFile(dict, data, 4));
  gather<float>("x.npy", CORNU_FLOAT32, {2});
  EXPECT_EQ(message, "x.npy: version 4 of the .npy format is not known; "
                     "versions 1 to 3 are");
}

TEST_F(Reader, ConvertsTypes) {
  write("f8.npy", npy<double>({3}, {0.5, -1.25, 1e300}));
  EXPECT_EQ(gather<float>("f8.npy", CORNU_FLOAT32, {}),
            (Floats{0.5f, -1.25f, std::numeric_limits<float>::infinity()}));
  write("u1.npy", npy<uint8_t>({2, 2}, {0, 1, 127, 255}));
  EXPECT_EQ(gather<float>("u1.npy", CORNU_FLOAT32, {2}),
            (Floats{0, 1, 127, 255}));
  write("i8.npy", npy<int64_t>({2}, {-7, 2000000000}));
  EXPECT_EQ(gather<int32_t>("i8.npy", CORNU_INT32, {}), (Ints{-7, 2000000000}));
  write("f4.npy", npy<float>({3}, {0, 2, -1}));
  EXPECT_EQ(gather<int32_t>("f4.npy", CORNU_INT32, {}), (Ints{0, 2, -1}));
  EXPECT_EQ(gather<uint8_t>("f4.npy", CORNU_BOOL, {}),
            (std::vector<uint8_t>{0, 1, 1}));
}

TEST_F(Reader, BigEndianHalfAndBool) {
  write("x.npy", npyFile("{'descr': '>i2', 'fortran_order': False, "
                         "'shape': (2,), }",
                         std::string("\x01\x02\xff\xfe", 4)));
  EXPECT_EQ(gather<int32_t>("x.npy", CORNU_INT32, {}), (Ints{258, -2}));
  write("h.npy", npyFile("{'descr': '<f2', 'fortran_order': False, "
                         "'shape': (4,), }",
                         std::string("\x00\x3c\x00\xc0\x01\x00\x00\x7c", 8)));
  EXPECT_EQ(gather<float>("h.npy", CORNU_FLOAT32, {}),
            (Floats{1, -2, 0x1p-24f, std::numeric_limits<float>::infinity()}));
  write("b.npy", npyFile("{'descr': '|b1', 'fortran_order': False, "
                         "'shape': (2,), }",
                         std::string("\x00\x01", 2)));
  EXPECT_EQ(gather<float>("b.npy", CORNU_FLOAT32, {}), (Floats{0, 1}));
}

TEST_F(Reader, ColumnMajorArraysAreTransposed) {
  // shape (2, 2, 3), element (i, j, k) = 100 i + 10 j + k
  Floats stored;
  for (int k = 0; k < 3; ++k)
    for (int j = 0; j < 2; ++j)
      for (int i = 0; i < 2; ++i)
        stored.push_back(float(100 * i + 10 * j + k));
  write("x.npy", npyFile("{'descr': '<f4', 'fortran_order': True, "
                         "'shape': (2, 2, 3), }",
                         bytesOf(stored)));
  EXPECT_EQ(gather<float>("x.npy", CORNU_FLOAT32, {2, 3}, {1, 0}),
            (Floats{100, 101, 102, 110, 111, 112, 0, 1, 2, 10, 11, 12}));
}

TEST_F(Reader, RanksAreRepairedByOneTrailingDimension) {
  write("a.npy", npy<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(gather<float>("a.npy", CORNU_FLOAT32, {3, 1}).size(), 6u);
  write("b.npy", npy<float>({2, 3, 1}, {1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(gather<float>("b.npy", CORNU_FLOAT32, {3}).size(), 6u);
  gather<float>("a.npy", CORNU_FLOAT32, {1, 3});
  EXPECT_EQ(message, "a.npy has shape (N, 3), but the input 'x' takes "
                     "(N, 1, 3); reshape it, x.reshape(-1, 1, 3)");
  gather<float>("a.npy", CORNU_FLOAT32, {4});
  EXPECT_EQ(message, "a.npy has shape (N, 3), but the input 'x' takes (N, 4)");
}

TEST_F(Reader, NumbersOutOfRangeAreNamed) {
  write("y.npy", npy<int64_t>({4}, {0, 2, 3, 1}));
  gather<int32_t>("y.npy", CORNU_INT32, {}, {}, 3);
  EXPECT_EQ(message, "y.npy: row 2: 3 is out of range: the model takes "
                     "integers from 0 to 2");
  gather<int32_t>("y.npy", CORNU_INT32, {}, {1, 3, 2}, 3);
  EXPECT_EQ(message, "y.npy: row 2: 3 is out of range: the model takes "
                     "integers from 0 to 2");
  write("f.npy", npy<float>({2}, {1, 2.5}));
  gather<int32_t>("f.npy", CORNU_INT32, {});
  EXPECT_EQ(message, "f.npy: row 1: 2.5 is not an integer that fits, and the "
                     "model takes int32");
  write("big.npy", npy<uint64_t>({1}, {UINT64_MAX}));
  EXPECT_TRUE(gather<int32_t>("big.npy", CORNU_INT32, {}).empty());
  EXPECT_NE(message.find("row 0"), std::string::npos);
}

// A model casts floats to the integers that pick an embedding's rows.
TEST_F(Reader, BoundsHoldForFloatsToo) {
  write("x.npy", npy<float>({4}, {0, 2.5, 3, 1}));
  gather<float>("x.npy", CORNU_FLOAT32, {}, {}, 3);
  EXPECT_EQ(message, "x.npy: row 2: 3 is out of range: the model takes "
                     "integers from 0 to 2");
  EXPECT_EQ(gather<float>("x.npy", CORNU_FLOAT32, {}, {}, 4),
            (std::vector<float>{0, 2.5, 3, 1}));
  write("i.npy", npy<int64_t>({2}, {0, -1}));
  gather<double>("i.npy", CORNU_FLOAT64, {}, {}, 3);
  EXPECT_EQ(message, "i.npy: row 1: -1 is out of range: the model takes "
                     "integers from 0 to 2");
  write("nan.npy", npy<float>({1}, {std::numeric_limits<float>::quiet_NaN()}));
  EXPECT_TRUE(gather<float>("nan.npy", CORNU_FLOAT32, {}, {}, 3).empty());
  write("u.npy", npy<uint8_t>({1}, {7}));
  EXPECT_TRUE(gather<float>("u.npy", CORNU_FLOAT32, {}, {}, 3).empty());
  write("big.npy", npy<uint64_t>({1}, {UINT64_MAX}));
  EXPECT_EQ(gather<float>("big.npy", CORNU_FLOAT32, {}),
            std::vector<float>{0x1p64f});
}

TEST_F(Reader, TypesThatAreNoNumbersAreRefused) {
  for (const char *descr : {"'<c8'", "'|O'", "'<U5'", "[('a', '<f4')]"}) {
    write("x.npy", npyFile(std::string("{'descr': ") + descr +
                               ", 'fortran_order': False, 'shape': (1,), }",
                           std::string(64, '\0')));
    gather<float>("x.npy", CORNU_FLOAT32, {});
    EXPECT_NE(message.find("cannot be read; convert them first"),
              std::string::npos)
        << message;
  }
}

TEST_F(Reader, Idx) {
  std::string images = std::string("\0\0\x08\x03", 4) +
                       std::string("\0\0\0\x02\0\0\0\x02\0\0\0\x02", 12) +
                       std::string("\x01\x02\x03\x04\xff\0\0\x07", 8);
  write("images-idx3-ubyte", images);
  EXPECT_EQ(gather<float>("images-idx3-ubyte", CORNU_FLOAT32, {2, 2, 1}),
            (Floats{1, 2, 3, 4, 255, 0, 0, 7}));
  write("floats", std::string("\0\0\x0d\x01\0\0\0\x01\x3f\x80\0\0", 12));
  EXPECT_EQ(gather<float>("floats", CORNU_FLOAT32, {}), (Floats{1}));
  write("short", images.substr(0, images.size() - 1));
  gather<float>("short", CORNU_FLOAT32, {2, 2});
  EXPECT_EQ(message, "short: the file is truncated: shape (2, 2, 2) takes 8 "
                     "bytes, 7 are there");
}

TEST_F(Reader, CsvWithAndWithoutHeader) {
  write("h.csv", "a,b,\"c d\"\r\n1,2,3\r\n4,5.5,-6e-1\r\n\r\n");
  EXPECT_EQ(gather<float>("h.csv", CORNU_FLOAT32, {3}),
            (Floats{1, 2, 3, 4, 5.5f, -0.6f}));
  EXPECT_EQ(gather<float>("h.csv:c d,a", CORNU_FLOAT32, {2}),
            (Floats{3, 1, -0.6f, 4}));
  write("n.csv", "\xEF\xBB\xBF"
                 "1;2\n3;\"4\"");
  EXPECT_EQ(gather<float>("n.csv", CORNU_FLOAT32, {2, 1}),
            (Floats{1, 2, 3, 4}));
  EXPECT_EQ(gather<int32_t>("n.csv:1", CORNU_INT32, {}, {1, 0, 1}),
            (Ints{4, 2, 4}));
}

TEST_F(Reader, CsvRowsInAnyOrder) {
  std::string text = "v\n";
  for (int i = 0; i < 100; ++i)
    text += std::to_string(i * i) + "\n";
  write("x.csv", text);
  EXPECT_EQ(gather<int32_t>("x.csv", CORNU_INT32, {1}, {99, 0, 8, 9, 7, 7, 64}),
            (Ints{9801, 0, 64, 81, 49, 49, 4096}));
}

TEST_F(Reader, CsvMistakesHaveALine) {
  write("x.csv", "a,b\n1,2\n3,x\n5\n6,\n");
  gather<float>("x.csv", CORNU_FLOAT32, {2}, {1});
  EXPECT_EQ(message, "x.csv: line 3, column 'b': 'x' is not a number");
  gather<float>("x.csv", CORNU_FLOAT32, {2}, {2});
  EXPECT_EQ(message, "x.csv: line 4 has 1 columns, the first line has 2");
  gather<float>("x.csv", CORNU_FLOAT32, {2}, {3});
  EXPECT_EQ(message,
            "x.csv: line 5, column 'b': an empty cell is not a number");
  gather<float>("x.csv:bb", CORNU_FLOAT32, {1});
  EXPECT_EQ(message, "x.csv has no column 'bb'; did you mean 'b'? (columns: a, "
                     "b)");
}

// numpy.savez_compressed(x=numpy.arange(64, dtype='<i4').reshape(16, 4) % 7,
//                        y=numpy.arange(16) % 3)
constexpr unsigned char kCompressed[] = {
    80,  75,  3,   4,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   27,
    123, 53,  199, 255, 255, 255, 255, 255, 255, 255, 255, 5,   0,   20,  0,
    120, 46,  110, 112, 121, 1,   0,   16,  0,   128, 1,   0,   0,   0,   0,
    0,   0,   92,  0,   0,   0,   0,   0,   0,   0,   155, 236, 23,  234, 27,
    16,  201, 200, 80,  198, 80,  173, 158, 146, 90,  156, 92,  164, 110, 165,
    160, 110, 147, 105, 162, 174, 163, 160, 158, 150, 95,  84,  82,  148, 152,
    23,  159, 95,  148, 146, 10,  18,  119, 75,  204, 41,  78,  5,   138, 23,
    103, 36,  22,  164, 2,   249, 26,  134, 102, 58,  10,  38,  154, 58,  10,
    181, 10,  228, 2,   46,  6,   32,  96,  4,   98,  38,  32,  102, 6,   98,
    22,  32,  102, 5,   98,  54,  6,   8,   24,  238, 114, 0,   80,  75,  3,
    4,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   21,  98,  188, 137,
    255, 255, 255, 255, 255, 255, 255, 255, 5,   0,   20,  0,   121, 46,  110,
    112, 121, 1,   0,   16,  0,   0,   1,   0,   0,   0,   0,   0,   0,   80,
    0,   0,   0,   0,   0,   0,   0,   155, 236, 23,  234, 27,  16,  201, 200,
    80,  198, 80,  173, 158, 146, 90,  156, 92,  164, 110, 165, 160, 110, 147,
    105, 161, 174, 163, 160, 158, 150, 95,  84,  82,  148, 152, 23,  159, 95,
    148, 146, 10,  18,  119, 75,  204, 41,  78,  5,   138, 23,  103, 36,  22,
    164, 2,   249, 26,  134, 102, 58,  154, 58,  10,  181, 10,  228, 3,   46,
    6,   40,  96,  132, 210, 76,  12,  168, 128, 214, 226, 0,   80,  75,  1,
    2,   45,  3,   45,  0,   0,   0,   8,   0,   0,   0,   33,  0,   27,  123,
    53,  199, 92,  0,   0,   0,   128, 1,   0,   0,   5,   0,   0,   0,   0,
    0,   0,   0,   0,   0,   0,   0,   128, 1,   0,   0,   0,   0,   120, 46,
    110, 112, 121, 80,  75,  1,   2,   45,  3,   45,  0,   0,   0,   8,   0,
    0,   0,   33,  0,   21,  98,  188, 137, 80,  0,   0,   0,   0,   1,   0,
    0,   5,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   128, 1,
    147, 0,   0,   0,   121, 46,  110, 112, 121, 80,  75,  5,   6,   0,   0,
    0,   0,   2,   0,   2,   0,   102, 0,   0,   0,   26,  1,   0,   0,   0,
    0};

TEST_F(Reader, CompressedNpz) {
  write("c.npz", std::string(reinterpret_cast<const char *>(kCompressed),
                             sizeof(kCompressed)));
  Ints x = gather<int32_t>("c.npz", CORNU_INT32, {4}); // by the name 'x'
  ASSERT_EQ(x.size(), 64u) << message;
  for (int i = 0; i < 64; ++i)
    EXPECT_EQ(x[size_t(i)], i % 7);
  Ints y = gather<int32_t>("c.npz:y", CORNU_INT32, {});
  ASSERT_EQ(y.size(), 16u) << message;
  EXPECT_EQ(y[5], 2);
  gather<int32_t>("c.npz:z", CORNU_INT32, {});
  EXPECT_EQ(message,
            "c.npz has no member 'z'; did you mean 'x'? (members: x, y)");
}

TEST_F(Reader, NpzWriterAndReaderAgree) {
  const int64_t shape[] = {3};
  const cornu_tensor tensors[] = {{"a", CORNU_FLOAT32, 1, shape, 0},
                                  {"x", CORNU_INT64, 0, nullptr, 0}};
  NpzWriter writer;
  ASSERT_FALSE(writer.create(path("o.npz").c_str(), tensors, 2, 3));
  Floats a{1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<int64_t> x{7, 8, 9};
  ASSERT_FALSE(writer.write(0, a.data(), 2 * 12));
  ASSERT_FALSE(writer.write(1, x.data(), 2 * 8));
  ASSERT_FALSE(writer.write(0, a.data() + 6, 12));
  ASSERT_FALSE(writer.write(1, x.data() + 2, 8));
  EXPECT_FALSE(exists("o.npz")); // not before it is complete
  ASSERT_FALSE(writer.commit());
  EXPECT_EQ(gather<float>("o.npz:a", CORNU_FLOAT32, {3}), a) << message;
  EXPECT_EQ(gather<int32_t>("o.npz", CORNU_INT32, {}), (Ints{7, 8, 9}));
  EXPECT_EQ(files().size(), 1u);
  std::string changed = read("o.npz");
  changed[changed.find("\x93NUMPY") + 130] ^= 1;
  write("o.npz", changed);
  gather<float>("o.npz:a", CORNU_FLOAT32, {3});
  EXPECT_EQ(message, "o.npz: the data of member 'a' are damaged: their "
                     "checksum is wrong; write or copy the file again");
}

TEST_F(Reader, NpzWithoutMembersOrWithTwoOfOneName) {
  write("none.npz", "PK\5\6" + std::string(18, '\0'));
  gather<float>("none.npz", CORNU_FLOAT32, {});
  EXPECT_EQ(message, "none.npz has no members; write it with numpy.savez");
  const cornu_tensor tensors[] = {{"x", CORNU_FLOAT32, 0, nullptr, 0},
                                  {"x", CORNU_FLOAT32, 0, nullptr, 0}};
  NpzWriter writer;
  ASSERT_FALSE(writer.create(path("two.npz").c_str(), tensors, 2, 1));
  ASSERT_FALSE(writer.commit());
  gather<float>("two.npz:x", CORNU_FLOAT32, {});
  EXPECT_EQ(message, "two.npz:x: several members have that name; write each "
                     "array under its own");
}

// Temporary files go, too.
TEST_F(Reader, AFileThatShrinksIsNamed) {
  write("x.npy", std::string(100, 'x'));
  auto shrink = [&] {
    handleFileSignals();
    OutputFile out;
    MappedFile in;
    if (out.create(path("o.npy").c_str()) || in.open(path("x.npy").c_str()))
      return;
    write("x.npy", "");
    volatile char byte = in.bytes().data[0];
    (void)byte;
  };
  EXPECT_EXIT(shrink(), testing::ExitedWithCode(1), "x.npy' became shorter");
  EXPECT_EQ(files().size(), 1u);
}

TEST_F(Reader, Crc32IsThatOfZip) {
  EXPECT_EQ(crc32(0, "123456789", 9), 0xCBF43926u);
  EXPECT_EQ(crc32(crc32(0, "1234", 4), "56789", 5), 0xCBF43926u);
}

TEST_F(Reader, OtherFormatsAreRecognized) {
  write("x.gz", "\x1f\x8b\x08 and so on");
  gather<float>("x.gz", CORNU_FLOAT32, {});
  EXPECT_EQ(message, "x.gz is compressed; decompress it with gunzip first");
  write("x.bin", std::string("ab\0cd", 5));
  gather<float>("x.bin", CORNU_FLOAT32, {});
  EXPECT_EQ(message, "x.bin: this is no text, and its format is not known; "
                     "data are .npy, .npz, .csv, .png or IDX");
  write("words.bin", "hello, world\n");
  gather<float>("words.bin", CORNU_FLOAT32, {});
  EXPECT_EQ(message, "words.bin has no rows: only a header line was found; is "
                     "it a CSV file?");
  write("empty.npy", "");
  gather<float>("empty.npy", CORNU_FLOAT32, {});
  EXPECT_EQ(message, "'empty.npy' is empty");
  gather<float>("none.npy", CORNU_FLOAT32, {});
  EXPECT_EQ(message, "cannot open 'none.npy': No such file or directory; "
                     "check the path");
}

} // namespace
