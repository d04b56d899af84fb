//===- Idx.cpp - The format of the MNIST files ----------------------------===//
#include "runtime/host/Array.h"

namespace cornu::runtime {

namespace {
struct IdxType {
  unsigned char code;
  Element element;
};
constexpr IdxType kTypes[] = {
    {0x08, Element::UInt8}, {0x09, Element::Int8},    {0x0B, Element::Int16},
    {0x0C, Element::Int32}, {0x0D, Element::Float32}, {0x0E, Element::Float64}};
} // namespace

Error parseIdx(const char *path, Bytes file, Array &array) {
  const unsigned char *bytes =
      reinterpret_cast<const unsigned char *>(file.data);
  array = Array();
  if (file.size < 4)
    return failure("%s: the IDX file is truncated in its header", path);
  const IdxType *type = nullptr;
  for (const IdxType &row : kTypes)
    if (bytes[2] == row.code)
      type = &row;
  if (bytes[0] || bytes[1] || !type)
    return failure("%s: this is not an IDX file", path);
  uint64_t rank = bytes[3], start = 4 + 4 * rank;
  if (rank == 0 || file.size < start)
    return failure("%s: the IDX file is truncated in its header", path);
  for (uint64_t i = 0; i < rank; ++i) {
    const unsigned char *size = bytes + 4 + 4 * i;
    array.shape.push_back(int64_t(uint32_t(size[0]) << 24 |
                                  uint32_t(size[1]) << 16 |
                                  uint32_t(size[2]) << 8 | size[3]));
  }
  array.type = {type->element, true};
  uint64_t count, size = elementBytes(type->element);
  if (Error error = checkedCount(path, array.shape, size, count))
    return error;
  if (file.size - start < count * size)
    return failure("%s: the file is truncated: shape %s takes %llu bytes, "
                   "%llu are there",
                   path,
                   shapeText(array.shape.data(), array.shape.size()).c_str(),
                   static_cast<unsigned long long>(count * size),
                   static_cast<unsigned long long>(file.size - start));
  array.data = file.data + start;
  return success();
}

} // namespace cornu::runtime
