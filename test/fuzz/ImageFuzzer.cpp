//===- ImageFuzzer.cpp - Reads any bytes as a .png ------------------------===//
//
// Most damage to a .png file is found by its check sums, which hides what lies
// behind. So the bytes are a file as they are, or, if the first is odd, the
// parts of one: the header, a palette, and what is to be decompressed.
//
//   build-sanitize/bin/image_fuzzer -max_total_time=60
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Png.h"
#include "test/unit/runtime/PngChunk.h"

#include <algorithm>
#include <cstdlib>
#include <string>

using namespace cornu::runtime;

// Header: 2 sizes of a byte, depth, color, interlacing; then the palette's
// size.
static std::string fileOf(std::string bytes) {
  bytes.resize(std::max<size_t>(bytes.size(), 6));
  std::string header(13, '\0');
  header[3] = bytes[0], header[7] = bytes[1];
  header[8] = bytes[2], header[9] = bytes[3];
  header[12] = char((unsigned char)(bytes[4]) > 250);
  size_t colors = std::min<size_t>((unsigned char)(bytes[5]), bytes.size() - 6);
  std::string palette = bytes.substr(6, colors),
              data = bytes.substr(6 + colors);
  return "\x89PNG\r\n\x1a\n" + pngChunk("IHDR", header) +
         pngChunk("PLTE", palette) +
         pngChunk("tRNS", palette.substr(0, colors / 4)) +
         pngChunk("IDAT", data.substr(0, data.size() / 2)) +
         pngChunk("IDAT", data.substr(data.size() / 2)) + pngChunk("IEND", "");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string bytes(reinterpret_cast<const char *>(data) + 1, size - 1);
  if (data[0] & 1)
    bytes = fileOf(bytes);
  Bytes file{bytes.data(), bytes.size()};
  PngHeader header;
  if (readPngHeader("x.png", file, header))
    return 0;
  uint64_t pixels = uint64_t(header.width) * header.height;
  for (Pixels kind :
       {Pixels::Numbers, Pixels::Grey, Pixels::Rgb, Pixels::Rgba}) {
    Vector<uint16_t> numbers;
    if (pixels > (1 << 20) || decodePng("x.png", file, kind, numbers))
      continue;
    uint64_t each = kind == Pixels::Numbers ? 1 : uint64_t(kind);
    if (numbers.size() != pixels * each)
      abort();
  }
  return 0;
}
