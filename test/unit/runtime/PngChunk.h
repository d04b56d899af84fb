//===- PngChunk.h - Parts of .png files that tests write ------------------===//
#ifndef CORNU_TEST_UNIT_RUNTIME_PNGCHUNK_H
#define CORNU_TEST_UNIT_RUNTIME_PNGCHUNK_H

#include "runtime/host/Inflate.h"

#include <cstdint>
#include <string>

inline std::string bigEndian(uint64_t value) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8)
    text += char(value >> shift);
  return text;
}

/// A chunk of a .png file: its size, type, data and check sum.
inline std::string pngChunk(const std::string &type, const std::string &data) {
  std::string body = type + data;
  return bigEndian(data.size()) + body +
         bigEndian(cornu::runtime::crc32(0, body.data(), body.size()));
}

#endif // CORNU_TEST_UNIT_RUNTIME_PNGCHUNK_H
