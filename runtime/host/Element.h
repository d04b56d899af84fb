//===- Element.h - Types of numbers in files, and their conversion --------===//
//
// Files bring thirteen types of numbers in either byte order, models take
// seven. A conversion goes through double or int64 in small chunks, so that it
// needs 13 + 7 loops and not 91; the frequent pairs have a loop of their own.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_ELEMENT_H
#define CORNU_RUNTIME_HOST_ELEMENT_H

#include "runtime/host/Text.h"
#include "runtime/include/cornu/model.h"

namespace cornu::runtime {

enum class Element : uint8_t {
  Bool,
  Int8,
  Int16,
  Int32,
  Int64,
  UInt8,
  UInt16,
  UInt32,
  UInt64,
  Float16,
  BFloat16,
  Float32,
  Float64
};

struct ElementType {
  Element element = Element::Float32;
  bool swapped = false; ///< big-endian
};

uint64_t elementBytes(Element element);
/// "float32"
const char *elementName(Element element);
bool isFloat(Element element);
/// The file type that is the same as a model's dtype.
Element elementOf(cornu_dtype dtype);

/// Where a conversion failed, and why: "2.5 is not an integer".
struct Misfit {
  bool found = false;
  uint64_t index = 0;
  String reason;
};

/// Converts `count` numbers at `from`, which need not be aligned. An integer
/// destination takes only integers that fit. If upper_bound is positive, only
/// numbers that are in [0, upper_bound) once their fraction is cut off, as the
/// model does with those of a float destination.
Misfit convertElements(const void *from, ElementType type, uint64_t count,
                       cornu_dtype to, int64_t upper_bound, void *out);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_ELEMENT_H
