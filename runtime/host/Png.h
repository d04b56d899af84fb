//===- Png.h - Images in .png files ---------------------------------------===//
//
//   PngHeader header;
//   if (Error error = readPngHeader(path, file, header)) return error;
//   Vector<uint16_t> numbers; // header.height x header.width x 3
//   if (Error error = decodePng(path, file, Pixels::Rgb, numbers)) return
//   error;
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_PNG_H
#define CORNU_RUNTIME_HOST_PNG_H

#include "runtime/host/File.h"

namespace cornu::runtime {

/// The first chunk of a file.
struct PngHeader {
  enum Color : uint8_t { Grey = 0, Rgb = 2, Palette = 3, Alpha = 4 };

  uint32_t width = 0, height = 0;
  uint8_t depth = 0; ///< bits of a number
  uint8_t color = 0; ///< a Color; greys and RGB may have Alpha beside

  /// Numbers of a pixel in the file.
  int samples() const {
    return (color == Rgb || color == (Rgb | Alpha) ? 3 : 1) +
           (color & Alpha ? 1 : 0);
  }
  /// Numbers of a pixel as Pillow opens it: a palette's colors are RGB.
  int channels() const { return color == Palette ? 3 : samples(); }
};

/// What a pixel becomes: so many numbers from 0 to 255, as Pillow converts it.
/// A grey image of 16 bits that stays grey keeps its numbers up to 65535. Or
/// the first number as it is in the file, for example the index of a color:
/// the classes of a segmentation.
enum class Pixels { Numbers = 0, Grey = 1, Rgb = 3, Rgba = 4 };

/// Fails on files that are no PNG, damaged ones and interlaced ones.
Error readPngHeader(const char *path, Bytes file, PngHeader &header);

/// Row by row; checks the sums of the chunks that it reads (PNG specification,
/// 3rd edition, https://www.w3.org/TR/png-3/). Never allocates more than the
/// size of the file can expand to.
Error decodePng(const char *path, Bytes file, Pixels pixels,
                Vector<uint16_t> &numbers);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_PNG_H
