//===- WeightFile.cpp - Named tensors in a file ---------------------------===//

#include "frontend/archive/WeightFile.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include <cmath>
#include <cstring>
#include <limits>

using namespace cornu::frontend;

unsigned cornu::frontend::sizeOf(DType type) {
  switch (type) {
  case DType::Bool:
  case DType::I8:
  case DType::U8:
    return 1;
  case DType::I16:
  case DType::U16:
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::I32:
  case DType::U32:
  case DType::F32:
    return 4;
  case DType::I64:
  case DType::U64:
  case DType::F64:
    return 8;
  }
  return 0;
}

llvm::StringRef cornu::frontend::nameOf(DType type) {
  static constexpr const char *names[] = {
      "bool",  "int8",   "uint8",   "int16",    "uint16",  "int32",  "uint32",
      "int64", "uint64", "float16", "bfloat16", "float32", "float64"};
  return names[static_cast<int>(type)];
}

std::optional<DType> cornu::frontend::parseDType(llvm::StringRef name) {
  for (int i = 0; i <= static_cast<int>(DType::F64); ++i)
    if (nameOf(static_cast<DType>(i)) == name)
      return static_cast<DType>(i);
  return std::nullopt;
}

std::optional<int64_t>
cornu::frontend::countElements(llvm::ArrayRef<int64_t> shape) {
  constexpr int64_t limit = int64_t{1} << 40;
  int64_t count = 1;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0)
      return std::nullopt;
    if (size == 0)
      empty = true;
    else if (size > limit / count)
      return std::nullopt;
    else
      count *= size;
  }
  return empty ? 0 : count;
}

std::string cornu::frontend::formatShape(llvm::ArrayRef<int64_t> shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i)
      out += ", ";
    out += shape[i] < 0 ? "None" : std::to_string(shape[i]);
  }
  return out + (shape.size() == 1 ? ",)" : ")");
}

WeightFile::~WeightFile() = default;

const WeightEntry *WeightFile::find(llvm::StringRef name) const {
  auto it = index.find(name);
  return it == index.end() ? nullptr : &entries[it->second];
}

void WeightFile::add(WeightEntry entry) {
  index[entry.name] = entries.size();
  entries.push_back(std::move(entry));
}

std::optional<std::string> WeightFile::attribute(llvm::StringRef,
                                                 llvm::StringRef) {
  return std::nullopt;
}

std::optional<std::vector<std::string>>
WeightFile::listAttribute(llvm::StringRef, llvm::StringRef) {
  return std::nullopt;
}

bool WeightFile::hasGroup(llvm::StringRef) { return false; }

static double widen(const llvm::fltSemantics &semantics, uint16_t bits) {
  llvm::APFloat value(semantics, llvm::APInt(16, bits));
  bool lost;
  value.convert(llvm::APFloat::IEEEdouble(), llvm::APFloat::rmNearestTiesToEven,
                &lost);
  return value.convertToDouble();
}

static uint16_t narrow(const llvm::fltSemantics &semantics, double number) {
  llvm::APFloat value(number);
  bool lost;
  value.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &lost);
  return static_cast<uint16_t>(value.bitcastToAPInt().getZExtValue());
}

template <typename T> static T load(const char *in) {
  T value;
  std::memcpy(&value, in, sizeof(T));
  return value;
}

template <typename T> static void store(char *out, T value) {
  std::memcpy(out, &value, sizeof(T));
}

// Integers beyond the type saturate: the conversion is defined for any file.
template <typename T> static T toInteger(double value) {
  if (std::isnan(value))
    return 0;
  if (value <= static_cast<double>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  if (value >= static_cast<double>(std::numeric_limits<T>::max()))
    return std::numeric_limits<T>::max();
  return static_cast<T>(value);
}

static double loadElement(DType type, const char *in) {
  switch (type) {
  case DType::Bool:
    return load<uint8_t>(in) != 0;
  case DType::I8:
    return load<int8_t>(in);
  case DType::U8:
    return load<uint8_t>(in);
  case DType::I16:
    return load<int16_t>(in);
  case DType::U16:
    return load<uint16_t>(in);
  case DType::I32:
    return load<int32_t>(in);
  case DType::U32:
    return load<uint32_t>(in);
  case DType::I64:
    return static_cast<double>(load<int64_t>(in));
  case DType::U64:
    return static_cast<double>(load<uint64_t>(in));
  case DType::F16:
    return widen(llvm::APFloat::IEEEhalf(), load<uint16_t>(in));
  case DType::BF16:
    return widen(llvm::APFloat::BFloat(), load<uint16_t>(in));
  case DType::F32:
    return load<float>(in);
  case DType::F64:
    return load<double>(in);
  }
  return 0;
}

static void storeElement(DType type, char *out, double value) {
  switch (type) {
  case DType::Bool:
    return store<uint8_t>(out, value != 0);
  case DType::I8:
    return store(out, toInteger<int8_t>(value));
  case DType::U8:
    return store(out, toInteger<uint8_t>(value));
  case DType::I16:
    return store(out, toInteger<int16_t>(value));
  case DType::U16:
    return store(out, toInteger<uint16_t>(value));
  case DType::I32:
    return store(out, toInteger<int32_t>(value));
  case DType::U32:
    return store(out, toInteger<uint32_t>(value));
  case DType::I64:
    return store(out, toInteger<int64_t>(value));
  case DType::U64:
    return store(out, toInteger<uint64_t>(value));
  case DType::F16:
    return store(out, narrow(llvm::APFloat::IEEEhalf(), value));
  case DType::BF16:
    return store(out, narrow(llvm::APFloat::BFloat(), value));
  case DType::F32:
    // A double beyond float's range becomes an infinity, as in NumPy.
    return store(out, std::fabs(value) > std::numeric_limits<float>::max()
                          ? static_cast<float>(std::copysign(INFINITY, value))
                          : static_cast<float>(value));
  case DType::F64:
    return store(out, value);
  }
}

void cornu::frontend::convertElements(DType from, const char *in, DType to,
                                      char *out, int64_t count) {
  if (from == to) {
    std::memcpy(out, in, static_cast<size_t>(count) * sizeOf(to));
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    storeElement(to, out + i * sizeOf(to),
                 loadElement(from, in + i * sizeOf(from)));
}

std::unique_ptr<llvm::MemoryBuffer>
cornu::frontend::readWholeFile(llvm::StringRef path, std::string &error) {
  if (!llvm::sys::fs::is_regular_file(path)) {
    error = llvm::sys::fs::exists(path) ? "not a regular file" : "no such file";
    return nullptr;
  }
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    error = "cannot read the file: " + buffer.getError().message();
    return nullptr;
  }
  return std::move(*buffer);
}
