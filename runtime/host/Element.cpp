//===- Element.cpp - Types of numbers in files, and their conversion ------===//
#include "runtime/host/Element.h"
#include "runtime/core/Layout.h"

namespace cornu::runtime {

namespace {
struct ElementRow {
  const char *name;
  uint8_t bytes;
  bool floating;
};
// In the order of Element.
constexpr ElementRow kElements[] = {
    {"bool", 1, false},   {"int8", 1, false},    {"int16", 2, false},
    {"int32", 4, false},  {"int64", 8, false},   {"uint8", 1, false},
    {"uint16", 2, false}, {"uint32", 4, false},  {"uint64", 8, false},
    {"float16", 2, true}, {"bfloat16", 2, true}, {"float32", 4, true},
    {"float64", 8, true}};

// In the order of cornu_dtype.
constexpr Element kOfDtype[] = {
    Element::Float32, Element::Float64, Element::Int8, Element::UInt8,
    Element::Int32,   Element::Int64,   Element::Bool};
} // namespace

uint64_t elementBytes(Element element) {
  return kElements[unsigned(element)].bytes;
}
const char *elementName(Element element) {
  return kElements[unsigned(element)].name;
}
bool isFloat(Element element) { return kElements[unsigned(element)].floating; }
Element elementOf(cornu_dtype dtype) { return kOfDtype[dtype]; }

//===----------------------------------------------------------------------===//
// Loading: file type -> double or int64
//===----------------------------------------------------------------------===//

namespace {
// Conversions work on this many numbers at a time: 4 KB on the stack, which
// stay in the first-level cache.
constexpr uint64_t kChunk = 512;

template <typename T> T swapBytes(T value) {
  if constexpr (sizeof(T) == 2)
    return T(__builtin_bswap16(uint16_t(value)));
  else if constexpr (sizeof(T) == 4)
    return T(__builtin_bswap32(uint32_t(value)));
  else if constexpr (sizeof(T) == 8)
    return T(__builtin_bswap64(uint64_t(value)));
  else
    return value;
}

template <typename T> T loadBits(const char *from, uint64_t i, bool swapped) {
  T value;
  __builtin_memcpy(&value, from + i * sizeof(T), sizeof(T));
  return swapped ? swapBytes(value) : value;
}

template <typename To, typename From> To bitCast(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

float fromHalf(uint16_t bits) {
  // Exponents are moved to a float's by one multiplication, which also makes
  // subnormal halves normal; infinities and NaNs are put right afterwards.
  uint32_t sign = uint32_t(bits & 0x8000) << 16;
  uint32_t rest = uint32_t(bits & 0x7fff) << 13;
  float value = bitCast<float>(rest) * 0x1p112f;
  uint32_t result = bitCast<uint32_t>(value);
  if ((bits & 0x7c00) == 0x7c00)
    result = rest | 0x7f800000u;
  return bitCast<float>(result | sign);
}

template <typename T>
void loadIntegers(const char *from, uint64_t count, bool swapped,
                  int64_t *out) {
  for (uint64_t i = 0; i < count; ++i)
    out[i] = int64_t(loadBits<T>(from, i, swapped));
}

template <typename Bits, typename Decode>
void loadFloats(const char *from, uint64_t count, bool swapped, double *out,
                Decode decode) {
  for (uint64_t i = 0; i < count; ++i)
    out[i] = double(decode(loadBits<Bits>(from, i, swapped)));
}

void load(const char *from, ElementType type, uint64_t count, int64_t *out) {
  switch (type.element) {
  case Element::Int8:
    return loadIntegers<int8_t>(from, count, false, out);
  case Element::Int16:
    return loadIntegers<int16_t>(from, count, type.swapped, out);
  case Element::Int32:
    return loadIntegers<int32_t>(from, count, type.swapped, out);
  case Element::Int64:
  case Element::UInt64:
    return loadIntegers<int64_t>(from, count, type.swapped, out);
  case Element::UInt16:
    return loadIntegers<uint16_t>(from, count, type.swapped, out);
  case Element::UInt32:
    return loadIntegers<uint32_t>(from, count, type.swapped, out);
  case Element::Bool:
    for (uint64_t i = 0; i < count; ++i)
      out[i] = from[i] != 0;
    return;
  default:
    return loadIntegers<uint8_t>(from, count, false, out);
  }
}

void load(const char *from, ElementType type, uint64_t count, double *out) {
  bool swapped = type.swapped;
  switch (type.element) {
  case Element::Float16:
    return loadFloats<uint16_t>(from, count, swapped, out, fromHalf);
  case Element::BFloat16:
    return loadFloats<uint16_t>(from, count, swapped, out, [](uint16_t bits) {
      return bitCast<float>(uint32_t(bits) << 16);
    });
  case Element::Float32:
    return loadFloats<uint32_t>(from, count, swapped, out,
                                bitCast<float, uint32_t>);
  case Element::UInt64:
    return loadFloats<uint64_t>(from, count, swapped, out,
                                [](uint64_t value) { return value; });
  default:
    return loadFloats<uint64_t>(from, count, swapped, out,
                                bitCast<double, uint64_t>);
  }
}

//===----------------------------------------------------------------------===//
// Storing: double or int64 -> the model's dtype
//===----------------------------------------------------------------------===//

Misfit misfit(uint64_t index, String reason) {
  Misfit result;
  result.found = true;
  result.index = index;
  result.reason = std::move(reason);
  return result;
}

Misfit outOfRange(uint64_t index, const String &value, int64_t least,
                  int64_t most) {
  return misfit(index, format("%s is out of range: the model takes integers "
                              "from %lld to %lld",
                              value.c_str(), static_cast<long long>(least),
                              static_cast<long long>(most)));
}

template <typename To, typename From>
Misfit storeFloats(const From *from, uint64_t count, int64_t bound, void *out) {
  To *to = static_cast<To *>(out);
  for (uint64_t i = 0; i < count; ++i)
    to[i] = To(from[i]);
  // A fraction is cut off before the model uses the number; a NaN fails.
  for (uint64_t i = 0; bound > 0 && i < count; ++i)
    if (!(from[i] > -1 && from[i] < From(bound)))
      return outOfRange(i, format("%.9g", double(from[i])), 0, bound - 1);
  return {};
}

template <typename From>
Misfit storeBools(const From *from, uint64_t count, void *out) {
  uint8_t *to = static_cast<uint8_t *>(out);
  for (uint64_t i = 0; i < count; ++i)
    to[i] = from[i] != 0;
  return {};
}

template <typename To>
Misfit storeIntegers(const int64_t *from, uint64_t count, int64_t bound,
                     void *out) {
  To *to = static_cast<To *>(out);
  int64_t least = sizeof(To) == 8 ? INT64_MIN : 0, most = INT64_MAX;
  if constexpr (sizeof(To) < 8) {
    least = To(-1) < 0 ? -(int64_t(1) << (8 * sizeof(To) - 1)) : 0;
    most = To(-1) < 0 ? -(least + 1) : (int64_t(1) << (8 * sizeof(To))) - 1;
  }
  if (bound > 0) {
    least = 0;
    most = bound - 1 < most ? bound - 1 : most;
  }
  // One pass without branches; the culprit is looked for only if there is one.
  bool bad = false;
  for (uint64_t i = 0; i < count; ++i) {
    to[i] = To(from[i]);
    bad |= from[i] < least || from[i] > most;
  }
  for (uint64_t i = 0; bad && i < count; ++i)
    if (from[i] < least || from[i] > most)
      return outOfRange(i, format("%lld", static_cast<long long>(from[i])),
                        least, most);
  return {};
}

Misfit store(const int64_t *from, uint64_t count, cornu_dtype to, int64_t bound,
             void *out) {
  switch (to) {
  case CORNU_FLOAT32:
    return storeFloats<float>(from, count, bound, out);
  case CORNU_FLOAT64:
    return storeFloats<double>(from, count, bound, out);
  case CORNU_INT8:
    return storeIntegers<int8_t>(from, count, bound, out);
  case CORNU_UINT8:
    return storeIntegers<uint8_t>(from, count, bound, out);
  case CORNU_INT32:
    return storeIntegers<int32_t>(from, count, bound, out);
  case CORNU_INT64:
    return storeIntegers<int64_t>(from, count, bound, out);
  case CORNU_BOOL:
    return storeBools(from, count, out);
  }
  return misfit(0, "the model takes a type that this runtime does not know");
}

Misfit store(const double *from, uint64_t count, cornu_dtype to, int64_t bound,
             void *out) {
  if (to == CORNU_FLOAT32)
    return storeFloats<float>(from, count, bound, out);
  if (to == CORNU_FLOAT64)
    return storeFloats<double>(from, count, bound, out);
  if (to == CORNU_BOOL)
    return storeBools(from, count, out);
  int64_t integers[kChunk];
  for (uint64_t i = 0; i < count; ++i) {
    double value = from[i];
    // 2^63 is the first double that does not fit; a NaN fails both tests.
    bool fits = value >= -0x1p63 && value < 0x1p63;
    integers[i] = fits ? int64_t(value) : 0;
    if (!fits || double(integers[i]) != value)
      return misfit(i, format("%.9g is not an integer that fits, and the "
                              "model takes %s",
                              value, dtypeName(to)));
  }
  return store(integers, count, to, bound, out);
}

template <typename Wide>
Misfit convertChunks(const char *from, ElementType type, uint64_t count,
                     cornu_dtype to, int64_t bound, char *out) {
  Wide chunk[kChunk];
  for (uint64_t done = 0; done < count; done += kChunk) {
    uint64_t size = count - done < kChunk ? count - done : kChunk;
    load(from + done * elementBytes(type.element), type, size, chunk);
    Misfit bad = store(chunk, size, to, bound, out + done * elementBytes(to));
    if (bad.found) {
      bad.index += done;
      return bad;
    }
  }
  return {};
}
} // namespace

Misfit convertElements(const void *from, ElementType type, uint64_t count,
                       cornu_dtype to, int64_t upper_bound, void *out) {
  const char *bytes = static_cast<const char *>(from);
  bool checked = upper_bound > 0;
  if (type.element == elementOf(to) && !checked && to != CORNU_BOOL &&
      (!type.swapped || elementBytes(to) == 1)) {
    memcpy(out, from, count * elementBytes(to));
    return {};
  }
  if (type.element == Element::UInt8 && to == CORNU_FLOAT32 && // images
      !checked) {
    for (uint64_t i = 0; i < count; ++i)
      static_cast<float *>(out)[i] =
          float(static_cast<const uint8_t *>(from)[i]);
    return {};
  }
  // A uint64 goes through double, which holds its range, unless the model
  // takes integers: then through int64, where 2^63 and above are negative and
  // must not pass for small negative numbers.
  bool unsigned64 = type.element == Element::UInt64;
  bool wide = isFloat(type.element) || (unsigned64 && isFloat(elementOf(to)));
  if (unsigned64 && !wide && upper_bound <= 0)
    upper_bound = INT64_MAX;
  return wide ? convertChunks<double>(bytes, type, count, to, upper_bound,
                                      static_cast<char *>(out))
              : convertChunks<int64_t>(bytes, type, count, to, upper_bound,
                                       static_cast<char *>(out));
}

} // namespace cornu::runtime
