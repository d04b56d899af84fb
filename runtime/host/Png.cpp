//===- Png.cpp - Images in .png files -------------------------------------===//
#include "runtime/host/Png.h"
#include "runtime/host/Inflate.h"

namespace cornu::runtime {

using Byte = unsigned char;

static uint32_t bigEndian(const Byte *at) {
  return uint32_t(at[0]) << 24 | uint32_t(at[1]) << 16 | uint32_t(at[2]) << 8 |
         at[3];
}

static Error damaged(const char *path, const char *what) {
  return failure("%s: the .png file is damaged: %s", path, what);
}

namespace {

struct Chunk {
  std::string_view type;
  Bytes data;
};

/// Goes through the chunks: size, type, data, sum.
class ChunkReader {
public:
  ChunkReader(const char *path, Bytes file) : path(path), file(file) {}

  Error next(Chunk &chunk) {
    const Byte *bytes = reinterpret_cast<const Byte *>(file.data) + at;
    uint64_t left = file.size - at;
    if (left < 12 || bigEndian(bytes) > left - 12)
      return damaged(path, "it ends early");
    uint32_t size = bigEndian(bytes);
    chunk.type = {file.data + at + 4, 4};
    chunk.data = {file.data + at + 8, size};
    at += 12 + uint64_t(size);
    if (crc32(0, bytes + 4, uint64_t(size) + 4) != bigEndian(bytes + 8 + size))
      return damaged(path, "a check sum is wrong");
    return success();
  }

private:
  const char *path;
  Bytes file;
  uint64_t at = 8;
};

} // namespace

Error readPngHeader(const char *path, Bytes file, PngHeader &header) {
  using namespace std::string_view_literals;
  if (!startsWith({file.data, file.size}, "\x89PNG\r\n\x1a\n"sv))
    return failure("%s is not a .png file", path);
  Chunk chunk;
  if (Error error = ChunkReader(path, file).next(chunk))
    return error;
  if (chunk.type != "IHDR" || chunk.data.size != 13)
    return damaged(path, "its header is missing");
  const Byte *bytes = reinterpret_cast<const Byte *>(chunk.data.data);
  header.width = bigEndian(bytes), header.height = bigEndian(bytes + 4);
  header.depth = bytes[8], header.color = bytes[9];
  // Bit d of an entry: depth d is allowed.
  static constexpr uint32_t kDepths[] = {0x10116, 0, 0x10100, 0x116,
                                         0x10100, 0, 0x10100};
  constexpr uint32_t kLargest = 1 << 24;
  if (header.color > 6 || header.depth > 16 ||
      !(kDepths[header.color] >> header.depth & 1) || !header.width ||
      !header.height || header.width > kLargest || header.height > kLargest ||
      bytes[10] || bytes[11])
    return damaged(path, "its header claims what no image has");
  if (bytes[12])
    return failure("%s: the image is interlaced; save it without that", path);
  return success();
}

/// Of two neighbours and their corner the one that is nearest to a + b - c.
static int paeth(int a, int b, int c) {
  int toA = abs(b - c), toB = abs(a - c), toC = abs(a + b - 2 * c);
  return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
}

/// Undoes the filter of each row, whose number is its first byte.
static bool unfilter(Byte *rows, uint64_t stride, uint64_t height,
                     uint64_t pixelBytes) {
  for (uint64_t y = 0; y < height; ++y) {
    Byte *row = rows + y * (stride + 1) + 1;
    const Byte *above = y ? row - stride - 1 : nullptr;
    int filter = row[-1];
    if (filter > 4)
      return false;
    for (uint64_t x = 0; x < stride; ++x) {
      int a = x >= pixelBytes ? row[x - pixelBytes] : 0,
          b = above ? above[x] : 0,
          c = above && x >= pixelBytes ? above[x - pixelBytes] : 0;
      int guess = filter == 0   ? 0
                  : filter == 1 ? a
                  : filter == 2 ? b
                  : filter == 3 ? (a + b) / 2
                                : paeth(a, b, c);
      row[x] = Byte(row[x] + guess);
    }
  }
  return true;
}

namespace {

/// Turns rows of a file's numbers into pixels.
struct Converter {
  PngHeader header;
  Pixels pixels;
  Bytes palette, transparency;
  uint16_t *out;

  int number(const Byte *row, uint64_t i) const {
    int depth = header.depth;
    if (depth == 16)
      return row[2 * i] << 8 | row[2 * i + 1];
    if (depth == 8)
      return row[i];
    uint64_t bit = i * uint64_t(depth);
    return row[bit / 8] >> (8 - depth - int(bit % 8)) & ((1 << depth) - 1);
  }
  /// From 0 to 255, whatever the depth.
  int level(const Byte *row, uint64_t i) const {
    int value = number(row, i), depth = header.depth;
    return depth == 16 ? value >> 8 : value * 255 / ((1 << depth) - 1);
  }
  void put(int value) { *out++ = uint16_t(value); }

  /// False on an index that the palette does not have.
  bool convert(const Byte *row, uint64_t x) {
    uint64_t first = x * uint64_t(header.samples());
    if (pixels == Pixels::Numbers ||
        (pixels == Pixels::Grey && header.color == PngHeader::Grey &&
         header.depth == 16)) {
      put(number(row, first));
      return true;
    }
    int red, green, blue, alpha = 255;
    bool rgb = header.color & PngHeader::Rgb;
    if (header.color == PngHeader::Palette) {
      uint64_t index = uint64_t(number(row, first));
      if (3 * index + 3 > palette.size)
        return false;
      const char *entry = palette.data + 3 * index;
      red = Byte(entry[0]), green = Byte(entry[1]), blue = Byte(entry[2]);
      if (index < transparency.size)
        alpha = Byte(transparency.data[index]);
    } else {
      red = level(row, first);
      green = rgb ? level(row, first + 1) : red;
      blue = rgb ? level(row, first + 2) : red;
      if (header.color & PngHeader::Alpha)
        alpha = level(row, first + (rgb ? 3 : 1));
    }
    if (pixels == Pixels::Grey) {
      // ITU-R 601-2, as Pillow rounds it.
      put(rgb ? (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
              : red);
      return true;
    }
    put(red), put(green), put(blue);
    if (pixels == Pixels::Rgba)
      put(alpha);
    return true;
  }
};

} // namespace

Error decodePng(const char *path, Bytes file, Pixels pixels,
                Vector<uint16_t> &numbers) {
  Converter converter = {};
  PngHeader &header = converter.header;
  if (Error error = readPngHeader(path, file, header))
    return error;
  Vector<char> joined;
  Bytes data; // of zlib, in one piece or several
  ChunkReader chunks(path, file);
  for (Chunk chunk;;) {
    if (Error error = chunks.next(chunk))
      return error;
    if (chunk.type == "IEND")
      break;
    if (chunk.type == "PLTE")
      converter.palette = chunk.data;
    if (chunk.type == "tRNS")
      converter.transparency = chunk.data;
    if (chunk.type != "IDAT")
      continue;
    if (data.size) {
      size_t had = size_t(data.size);
      bool first = joined.empty();
      joined.reserve(size_t(file.size));
      joined.resize(had + size_t(chunk.data.size));
      if (first)
        memcpy(joined.data(), data.data, had);
      memcpy(joined.data() + had, chunk.data.data, size_t(chunk.data.size));
      data = {joined.data(), joined.size()};
    } else {
      data = chunk.data;
    }
  }
  if (pixels == Pixels::Rgba && converter.transparency.size &&
      header.color != PngHeader::Palette)
    return failure("%s: one color of the image is transparent; save it with "
                   "an alpha channel",
                   path);

  uint64_t bits = uint64_t(header.samples()) * header.depth;
  uint64_t stride = (header.width * bits + 7) / 8, height = header.height;
  uint64_t size = (stride + 1) * height;
  // zlib's header and sum are around what DEFLATE expands 1032 times at most.
  if (data.size < 6 || size / 1032 > data.size)
    return damaged(path, "pixels are missing");
  Vector<char> rows;
  rows.resize(size_t(size));
  Byte *bytes = reinterpret_cast<Byte *>(rows.data());
  if (!inflate({data.data + 2, data.size - 6}, rows.data(), size) ||
      !unfilter(bytes, stride, height, (bits + 7) / 8))
    return damaged(path, "its pixels cannot be decompressed");

  uint64_t each = pixels == Pixels::Numbers ? 1 : uint64_t(pixels);
  numbers.resize(size_t(header.width * height * each));
  converter.pixels = pixels;
  converter.out = numbers.data();
  for (uint64_t y = 0; y < height; ++y)
    for (uint64_t x = 0; x < header.width; ++x)
      if (!converter.convert(bytes + y * (stride + 1) + 1, x))
        return damaged(path, "a pixel has no color in the palette");
  return success();
}

} // namespace cornu::runtime
