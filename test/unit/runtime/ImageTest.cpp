// Reading .png: filters, depths, colors, folders. What colors become is what
// Pillow makes of them.
#include "Reader.h"

#include <filesystem>

using namespace cornu::runtime;

namespace {

using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;
using namespace std::string_literals;

class Image : public Reader {};

TEST_F(Image, GreyOfEachFilter) {
  // None, left, above, mean of both, and the nearest of both and the corner.
  write("x.png", pngFile(3, 5, 8, 0,
                         "\0\x0a\x14\x1e"
                         "\1\x05\x05\xff"
                         "\2\x01\x01\x01"
                         "\3\x02\x02\x02"
                         "\4\x07\xf0\x01"s));
  EXPECT_EQ(gather<float>("x.png", CORNU_FLOAT32, {5, 3, 1}),
            (Floats{
                10, 20, 30,  //
                5, 10, 9,    //
                6, 11, 10,   //
                5, 10, 12,   //
                12, 252, 253 //
            }))
      << message;
  EXPECT_EQ(gather<float>("x.png", CORNU_FLOAT32, {5, 3}).size(), 15u);
}

TEST_F(Image, FewBits) {
  write("1.png", pngFile(9, 1, 1, 0, "\0\xa0\x80"s));
  EXPECT_EQ(gather<float>("1.png", CORNU_FLOAT32, {1, 9}),
            (Floats{255, 0, 255, 0, 0, 0, 0, 0, 255}))
      << message;
  write("2.png", pngFile(4, 1, 2, 0, "\0\x1b"s));
  EXPECT_EQ(gather<float>("2.png", CORNU_FLOAT32, {1, 4, 1}),
            (Floats{0, 85, 170, 255}));
  write("4.png", pngFile(3, 1, 4, 0, "\0\x0f\x70"s));
  EXPECT_EQ(gather<float>("4.png", CORNU_FLOAT32, {1, 3, 1}),
            (Floats{0, 255, 119}));
}

TEST_F(Image, Colors) {
  write("rgb.png", pngFile(2, 1, 8, 2, "\1\xff\x80\x00\x01\x01\x01"s));
  EXPECT_EQ(gather<float>("rgb.png", CORNU_FLOAT32, {1, 2, 3}),
            (Floats{255, 128, 0, 0, 129, 1}))
      << message;
  EXPECT_EQ(gather<float>("rgb.png", CORNU_FLOAT32, {1, 2, 4}),
            (Floats{255, 128, 0, 255, 0, 129, 1, 255}));
  EXPECT_EQ(gather<float>("rgb.png", CORNU_FLOAT32, {1, 2, 1}),
            (Floats{151, 76}));
  EXPECT_EQ(
      gather<float>("rgb.png", CORNU_FLOAT32, {3, 1, 2}), // channels first
      (Floats{255, 0, 128, 129, 0, 1}));
  write("rgba.png", pngFile(1, 1, 8, 6, "\0\x01\x02\x03\x04"s));
  EXPECT_EQ(gather<float>("rgba.png", CORNU_FLOAT32, {1, 1, 3}),
            (Floats{1, 2, 3}));
  EXPECT_EQ(gather<float>("rgba.png", CORNU_FLOAT32, {1, 1, 4}),
            (Floats{1, 2, 3, 4}));
  write("la.png", pngFile(1, 1, 8, 4, "\0\x07\x09"s));
  EXPECT_EQ(gather<float>("la.png", CORNU_FLOAT32, {1, 1, 1}), (Floats{7}));
  EXPECT_EQ(gather<float>("la.png", CORNU_FLOAT32, {1, 1, 4}),
            (Floats{7, 7, 7, 9}));
}

TEST_F(Image, SixteenBits) {
  write("grey.png", pngFile(2, 1, 16, 0, "\0\x12\x34\xff\xff"s));
  EXPECT_EQ(gather<float>("grey.png", CORNU_FLOAT32, {1, 2, 1}),
            (Floats{0x1234, 0xffff}))
      << message;
  write("rgb.png", pngFile(1, 1, 16, 2, "\0\x12\x34\x00\xff\xff\x00"s));
  EXPECT_EQ(gather<float>("rgb.png", CORNU_FLOAT32, {1, 1, 3}),
            (Floats{0x12, 0, 0xff}));
}

TEST_F(Image, Palette) {
  std::string colors =
      pngChunk("PLTE", "\x01\x02\x03\xc8\x64\x32"s) + pngChunk("tRNS", "\x05"s);
  write("p.png", pngFile(2, 1, 1, 3, "\0\x40"s, colors));
  EXPECT_EQ(gather<float>("p.png", CORNU_FLOAT32, {1, 2, 3}),
            (Floats{1, 2, 3, 200, 100, 50}))
      << message;
  EXPECT_EQ(gather<float>("p.png", CORNU_FLOAT32, {1, 2, 4}),
            (Floats{1, 2, 3, 5, 200, 100, 50, 255}));
  EXPECT_EQ(gather<float>("p.png", CORNU_FLOAT32, {1, 2, 1}), (Floats{2, 124}));
  // The classes of a segmentation are indices.
  EXPECT_EQ(gather<int32_t>("p.png", CORNU_INT32, {1, 2}, {}, 2), (Ints{0, 1}));
  gather<int32_t>("p.png", CORNU_INT32, {1, 2}, {}, 1);
  EXPECT_EQ(message, "p.png: 1 is out of range: the model takes integers from "
                     "0 to 0");
  write("q.png", pngFile(2, 1, 2, 3, "\0\x30"s, colors));
  gather<float>("q.png", CORNU_FLOAT32, {1, 2, 3});
  EXPECT_EQ(message, "q.png: the .png file is damaged: a pixel has no color in "
                     "the palette");
}

TEST_F(Image, AFolderIsSortedByName) {
  std::filesystem::create_directory(path("d"));
  for (char c : {'b', 'a', 'c'})
    write(std::string("d/") + c + ".png",
          pngFile(1, 1, 8, 0, std::string(1, 0) + c));
  write("d/labels.csv", "1\n");
  EXPECT_EQ(gather<float>("d", CORNU_FLOAT32, {1, 1, 1}),
            (Floats{'a', 'b', 'c'}))
      << message;
  EXPECT_EQ(gather<float>("d", CORNU_FLOAT32, {1, 1, 1}, {2, 0}),
            (Floats{'c', 'a'}));
  write("d/bb.png", pngFile(2, 1, 8, 0, "\0\1\2"s));
  gather<float>("d", CORNU_FLOAT32, {1, 1, 1});
  EXPECT_EQ(message, "d/bb.png has 2 x 1 pixels, but d/a.png has 1 x 1");
  std::filesystem::create_directory(path("none"));
  gather<float>("none", CORNU_FLOAT32, {1, 1, 1});
  EXPECT_EQ(message, "the folder 'none' has no .png images");
}

TEST_F(Image, MistakesSayWhatWouldWork) {
  std::string good = pngFile(2, 1, 8, 0, "\0\1\2"s);
  write("x.png", good);
  gather<float>("x.png", CORNU_FLOAT32, {28, 28, 1});
  EXPECT_EQ(message, "x.png has shape (N, 1, 2, 1), but the input 'x' takes "
                     "(N, 28, 28, 1); scale the images to the size that it "
                     "takes");
  gather<int32_t>("x.png", CORNU_INT32, {1, 2, 3});
  EXPECT_EQ(message, "");
  std::string bad = good;
  bad[bad.size() - 14] ^= 1; // in the last pixels
  write("x.png", bad);
  gather<float>("x.png", CORNU_FLOAT32, {1, 2});
  EXPECT_EQ(message, "x.png: the .png file is damaged: a check sum is wrong");
  std::string header = good.substr(16, 13);
  header[12] = 1;
  write("x.png",
        good.substr(0, 8) + pngChunk("IHDR", header) + good.substr(33));
  gather<float>("x.png", CORNU_FLOAT32, {1, 2});
  EXPECT_EQ(message, "x.png: the image is interlaced; save it without that");
  write("x.png",
        pngFile(1, 1, 8, 2, "\0\1\2\3"s, pngChunk("tRNS", "\0\1\0\2\0\3"s)));
  EXPECT_EQ(gather<float>("x.png", CORNU_FLOAT32, {1, 1, 3}),
            (Floats{1, 2, 3}));
  gather<float>("x.png", CORNU_FLOAT32, {1, 1, 4});
  EXPECT_EQ(message, "x.png: one color of the image is transparent; save it "
                     "with an alpha channel");
}

} // namespace
