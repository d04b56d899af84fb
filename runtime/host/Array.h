//===- Array.h - An array in a file ---------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_ARRAY_H
#define CORNU_RUNTIME_HOST_ARRAY_H

#include "runtime/host/Element.h"
#include "runtime/host/File.h"

namespace cornu::runtime {

/// Numbers in a mapped file or a block of memory, whose header was checked:
/// `data` holds as many as `shape` says.
struct Array {
  const char *data = nullptr;
  ElementType type;
  Vector<int64_t> shape;
  bool column_major = false;

  uint64_t count() const; ///< product of the sizes
};

/// Number of elements of a shape that a file claims; fails on negative sizes
/// and overflow of `count * bytes`.
Error checkedCount(const char *path, const Vector<int64_t> &shape,
                   uint64_t element_bytes, uint64_t &count);

/// NumPy's format, versions 1 to 3: magic, header length, a Python dict, data.
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
Error parseNpy(const char *path, Bytes file, Array &array);
/// The header for an array whose data follow.
String npyHeader(cornu_dtype dtype, const Vector<int64_t> &shape);

/// IDX, the format of MNIST: 0, 0, type, rank, sizes, data, all big-endian.
Error parseIdx(const char *path, Bytes file, Array &array);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_ARRAY_H
