//===- Inflate.h - Decompression of zip members ---------------------------===//
#ifndef CORNU_RUNTIME_HOST_INFLATE_H
#define CORNU_RUNTIME_HOST_INFLATE_H

#include "runtime/host/File.h"

namespace cornu::runtime {

/// Decompresses DEFLATE data (RFC 1951) into exactly `size` bytes at `out`;
/// false if they are damaged or give another size. A decoder of our own,
/// because it is 2 KB of code and zlib would be a dependency of every compiled
/// program, also of the cross-compiled ones.
bool inflate(Bytes compressed, char *out, uint64_t size);

/// CRC-32 as in zip files; `crc` continues an earlier one, 0 to start.
uint32_t crc32(uint32_t crc, const void *data, uint64_t size);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_INFLATE_H
