//===- Zip.h - Arrays in a .npz file --------------------------------------===//
//
// A .npz file is a zip of .npy members. Stored ones (numpy.savez) are read
// where they lie in the mapped file, also when it is larger than memory (then
// without checking their checksum);
// deflated ones (numpy.savez_compressed) are decompressed into memory when
// they are used.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_ZIP_H
#define CORNU_RUNTIME_HOST_ZIP_H

#include "runtime/host/Array.h"

namespace cornu::runtime {

struct ZipMember {
  String name; ///< without ".npy"
  Bytes data;  ///< as in the file
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t size = 0; ///< decompressed
};

/// Lists the members; every offset and size is checked against the file.
Error parseZip(const char *path, Bytes file, Vector<ZipMember> &members);

/// The member's bytes; those of a deflated one are put into `memory`.
Error readMember(const char *path, const ZipMember &member,
                 Vector<char> &memory, Bytes &bytes);

/// Writes a .npz of several arrays whose rows arrive in turn.
class NpzWriter {
public:
  /// Lays out the file; the shape of array i is (rows, tensors[i].shape...).
  Error create(const char *path, const cornu_tensor *tensors, int count,
               int64_t rows);
  /// Appends rows to array i.
  Error write(int array, const void *data, uint64_t bytes);
  Error commit();

private:
  struct Member {
    String name;
    uint64_t header = 0; ///< offset of the local header
    uint64_t size = 0;   ///< of the .npy file
    uint64_t next = 0;   ///< where the next rows go
    uint32_t crc = 0;
  };
  OutputFile file;
  Vector<Member> members;
};

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_ZIP_H
