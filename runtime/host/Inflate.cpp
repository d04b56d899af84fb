//===- Inflate.cpp - Decompression of zip members -------------------------===//
//
// RFC 1951, in the section numbers of which the comments speak.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Inflate.h"
#include "runtime/host/Cold.h"

namespace cornu::runtime {

namespace {

constexpr int kMaxBits = 15;

/// Bits of the compressed data, least significant first.
class BitReader {
public:
  explicit BitReader(Bytes bytes) : bytes(bytes) {}

  /// The next `count` <= 16 bits without consuming them; zeros after the end.
  uint32_t peek(int count) {
    while (available < count) {
      uint64_t next = position < bytes.size
                          ? static_cast<unsigned char>(bytes.data[position])
                          : 0;
      ++position;
      buffer |= next << available;
      available += 8;
    }
    return uint32_t(buffer & ((uint64_t(1) << count) - 1));
  }
  void skip(int count) {
    buffer >>= count;
    available -= count;
  }
  uint32_t take(int count) {
    uint32_t bits = peek(count);
    skip(count);
    return bits;
  }
  void alignToByte() { skip(available % 8); }
  /// True once bits beyond the end were consumed.
  bool exhausted() const {
    return position > bytes.size &&
           uint64_t(available) < 8 * (position - bytes.size);
  }

private:
  Bytes bytes;
  uint64_t position = 0;
  uint64_t buffer = 0;
  int available = 0;
};

/// A canonical Huffman code (3.2.2): how many symbols have each length, and
/// the symbols in the order of their codes. Codes of up to kFastBits bits are
/// looked up at once.
class Code {
public:
  /// False if the lengths are over-subscribed: no code has them.
  bool build(const uint8_t *lengths, int symbols) {
    for (uint16_t &count : counts)
      count = 0;
    for (int s = 0; s < symbols; ++s)
      ++counts[lengths[s]];
    counts[0] = 0;
    int left = 1;
    uint16_t offsets[kMaxBits + 2] = {};
    for (int bits = 1; bits <= kMaxBits; ++bits) {
      left = 2 * left - counts[bits];
      if (left < 0)
        return false;
      offsets[bits + 1] = uint16_t(offsets[bits] + counts[bits]);
    }
    for (int s = 0; s < symbols; ++s)
      if (lengths[s])
        sorted[offsets[lengths[s]]++] = uint16_t(s);
    fillTable();
    return true;
  }

  /// The next symbol, or -1 for bits that are no code.
  int decode(BitReader &reader) const {
    uint32_t ahead = reader.peek(kMaxBits);
    uint16_t entry = table[ahead & ((1 << kFastBits) - 1)];
    if (entry) {
      reader.skip(entry & 15);
      return entry >> 4;
    }
    int code = 0, first = 0, index = 0;
    for (int bits = 1; bits <= kMaxBits; ++bits) {
      code |= int(ahead >> (bits - 1)) & 1;
      int count = counts[bits];
      if (code - first < count) {
        reader.skip(bits);
        return sorted[index + code - first];
      }
      index += count;
      first = 2 * (first + count);
      code *= 2;
    }
    return -1;
  }

private:
  void fillTable() {
    for (uint16_t &entry : table)
      entry = 0;
    int code = 0, index = 0;
    for (int bits = 1; bits <= kFastBits; ++bits, code *= 2)
      for (int i = 0; i < counts[bits]; ++i, ++code, ++index) {
        int reversed = 0; // codes come most significant bit first
        for (int b = 0; b < bits; ++b)
          reversed |= ((code >> b) & 1) << (bits - 1 - b);
        for (int at = reversed; at < 1 << kFastBits; at += 1 << bits)
          table[at] = uint16_t(sorted[index] << 4 | bits);
      }
  }

  static constexpr int kFastBits = 9; // 1 KB of table, 9 bits cover most codes
  uint16_t counts[kMaxBits + 1];
  uint16_t sorted[288];
  uint16_t table[1 << kFastBits];
};

// Lengths and distances of matches (3.2.5).
constexpr uint16_t kLengthBase[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                    15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                    67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr uint8_t kLengthBits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                   2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr uint16_t kDistanceBase[] = {
    1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
    33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
    1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr uint8_t kDistanceBits[] = {0, 0, 0,  0,  1,  1,  2,  2,  3,  3,
                                     4, 4, 5,  5,  6,  6,  7,  7,  8,  8,
                                     9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

struct Inflater {
  BitReader reader;
  char *out;
  uint64_t size;
  uint64_t at = 0;

  bool stored() {
    reader.alignToByte();
    uint32_t length = reader.take(16);
    if ((length ^ reader.take(16)) != 0xffff || length > size - at)
      return false;
    for (uint32_t i = 0; i < length; ++i)
      out[at++] = char(reader.take(8));
    return !reader.exhausted();
  }

  bool compressed(const Code &literals, const Code &distances) {
    while (!reader.exhausted()) {
      int symbol = literals.decode(reader);
      if (symbol < 0)
        return false;
      if (symbol == 256)
        return true;
      if (symbol < 256) {
        if (at == size)
          return false;
        out[at++] = char(symbol);
        continue;
      }
      symbol -= 257;
      if (symbol >= 29)
        return false;
      uint64_t length = kLengthBase[symbol] + reader.take(kLengthBits[symbol]);
      int far = distances.decode(reader);
      if (far < 0 || far >= 30)
        return false;
      uint64_t distance = kDistanceBase[far] + reader.take(kDistanceBits[far]);
      if (distance > at || length > size - at)
        return false;
      for (uint64_t i = 0; i < length; ++i, ++at)
        out[at] = out[at - distance];
    }
    return false;
  }

  bool fixedCodes(Code &literals, Code &distances) { // 3.2.6
    uint8_t lengths[288];
    for (int s = 0; s < 288; ++s)
      lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
    literals.build(lengths, 288);
    for (int s = 0; s < 30; ++s)
      lengths[s] = 5;
    return distances.build(lengths, 30);
  }

  bool dynamicCodes(Code &literals, Code &distances) { // 3.2.7
    static constexpr uint8_t kOrder[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                         11, 4,  12, 3, 13, 2, 14, 1, 15};
    int numLiterals = int(reader.take(5)) + 257;
    int numDistances = int(reader.take(5)) + 1;
    int numLengths = int(reader.take(4)) + 4;
    uint8_t lengths[320] = {};
    if (numLiterals > 286 || numDistances > 30)
      return false;
    for (int i = 0; i < numLengths; ++i)
      lengths[kOrder[i]] = uint8_t(reader.take(3));
    Code &meta = literals;
    if (!meta.build(lengths, 19))
      return false;
    int index = 0, total = numLiterals + numDistances;
    uint8_t all[320] = {};
    while (index < total) {
      int symbol = meta.decode(reader);
      if (symbol < 0 || reader.exhausted())
        return false;
      uint8_t value = 0;
      int repeat = 1;
      if (symbol < 16)
        value = uint8_t(symbol);
      else if (symbol == 16) {
        if (index == 0)
          return false;
        value = all[index - 1];
        repeat = 3 + int(reader.take(2));
      } else if (symbol == 17)
        repeat = 3 + int(reader.take(3));
      else
        repeat = 11 + int(reader.take(7));
      if (index + repeat > total)
        return false;
      while (repeat--)
        all[index++] = value;
    }
    return literals.build(all, numLiterals) &&
           distances.build(all + numLiterals, numDistances);
  }

  bool run() {
    Code literals, distances;
    bool last = false;
    while (!last) {
      if (reader.exhausted())
        return false;
      last = reader.take(1);
      uint32_t kind = reader.take(2);
      if (kind == 0) {
        if (!stored())
          return false;
        continue;
      }
      bool built = kind == 1   ? fixedCodes(literals, distances)
                   : kind == 2 ? dynamicCodes(literals, distances)
                               : false;
      if (!built || !compressed(literals, distances))
        return false;
    }
    return at == size && !reader.exhausted();
  }
};

} // namespace

bool inflate(Bytes compressed, char *out, uint64_t size) {
  return Inflater{BitReader(compressed), out, size}.run();
}

// Eight bytes at a time, with tables[k][b] the checksum of b and k zeros: 2.5
// GB/s, for data are checked before they are used. The tables are computed,
// which takes 0.1 KB of code instead of 8.
static uint32_t tables[8][256];

CORNU_COLD static void fillTables() {
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    tables[0][b] = crc;
  }
  for (int k = 1; k < 8; ++k)
    for (int b = 0; b < 256; ++b)
      tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
}

uint32_t crc32(uint32_t crc, const void *data, uint64_t size) {
  if (!tables[0][1])
    fillTables();
  const unsigned char *bytes = static_cast<const unsigned char *>(data);
  crc = ~crc;
  for (; size >= 8; size -= 8, bytes += 8) {
    uint32_t low = crc ^ (bytes[0] | bytes[1] << 8 | bytes[2] << 16 |
                          uint32_t(bytes[3]) << 24);
    crc = tables[3][bytes[4]] ^ tables[2][bytes[5]] ^ tables[1][bytes[6]] ^
          tables[0][bytes[7]];
    for (int k = 7; k >= 4; --k, low >>= 8)
      crc ^= tables[k][low & 0xff];
  }
  for (; size; --size)
    crc = tables[0][(crc ^ *bytes++) & 0xff] ^ crc >> 8;
  return ~crc;
}

} // namespace cornu::runtime
