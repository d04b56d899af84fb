//===- Safetensors.cpp - Reader of .safetensors files ---------------------===//
//
// The format (huggingface/safetensors): 8 bytes little-endian length of a JSON
// header, the header {"name": {"dtype", "shape", "data_offsets": [begin, end]},
// "__metadata__": {...}}, then the bytes, little endian, to which the offsets
// refer.
//
//===----------------------------------------------------------------------===//

#include "frontend/archive/Json.h"
#include "frontend/archive/WeightFile.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"

using namespace cornu::frontend;

namespace {

class SafetensorsFile : public WeightFile {
public:
  std::string open(llvm::StringRef path);
  std::string read(const WeightEntry &entry, DType type,
                   llvm::MutableArrayRef<char> out) override;

private:
  std::string addTensor(llvm::StringRef name, const Json &tensor,
                        uint64_t dataStart);
  std::unique_ptr<llvm::MemoryBuffer> buffer;
};

} // namespace

static std::optional<DType> parseType(llvm::StringRef name) {
  return llvm::StringSwitch<std::optional<DType>>(name)
      .Case("BOOL", DType::Bool)
      .Case("I8", DType::I8)
      .Case("U8", DType::U8)
      .Case("I16", DType::I16)
      .Case("U16", DType::U16)
      .Case("I32", DType::I32)
      .Case("U32", DType::U32)
      .Case("I64", DType::I64)
      .Case("U64", DType::U64)
      .Case("F16", DType::F16)
      .Case("BF16", DType::BF16)
      .Case("F32", DType::F32)
      .Case("F64", DType::F64)
      .Default(std::nullopt);
}

std::string SafetensorsFile::open(llvm::StringRef path) {
  file = path.str();
  std::string problem;
  buffer = readWholeFile(path, problem);
  if (!buffer)
    return problem;
  llvm::StringRef bytes = buffer->getBuffer();
  if (bytes.size() < 8)
    return "not a safetensors file: shorter than its header";
  uint64_t length = llvm::support::endian::read64le(bytes.data());
  if (length > bytes.size() - 8)
    return "not a safetensors file, or truncated: its header claims " +
           std::to_string(length) + " bytes";
  JsonDocument document;
  std::string error;
  const Json *header = document.parse(bytes.substr(8, length), error);
  if (!header)
    return "the safetensors header is damaged: " + error;
  if (!header->isObject())
    return "the safetensors header is " + header->kindName().str() +
           " where an object belongs";
  for (size_t i = 0; i < header->size(); ++i) {
    llvm::StringRef name = header->keys()[i];
    if (name == "__metadata__")
      continue;
    if (std::string problem = addTensor(name, header->at(i), 8 + length);
        !problem.empty())
      return "tensor '" + name.str() + "': " + problem;
  }
  return "";
}

std::string SafetensorsFile::addTensor(llvm::StringRef name, const Json &tensor,
                                       uint64_t dataStart) {
  WeightEntry entry;
  entry.name = name.str();
  std::optional<DType> type = parseType(tensor.at("dtype").str());
  if (!type)
    return "unknown dtype '" + tensor.at("dtype").str().str() + "'";
  entry.type = *type;
  const Json &shape = tensor.at("shape");
  if (!shape.isArray() || shape.size() > 32)
    return "its shape is not a list of sizes";
  for (const Json *size : shape.items()) {
    std::optional<int64_t> value = size->asInteger();
    if (!value || *value < 0)
      return "its shape is not a list of sizes";
    entry.shape.push_back(*value);
  }
  std::optional<int64_t> count = countElements(entry.shape);
  std::optional<int64_t> begin = tensor.at("data_offsets").at(0).asInteger();
  std::optional<int64_t> end = tensor.at("data_offsets").at(1).asInteger();
  uint64_t available = buffer->getBufferSize() - dataStart;
  if (!count || !begin || !end || *begin < 0 || *end < *begin ||
      static_cast<uint64_t>(*end) > available)
    return "its data_offsets lie outside the file (truncated?)";
  if (*end - *begin != *count * static_cast<int64_t>(sizeOf(*type)))
    return "its data_offsets do not fit its shape and dtype";
  entry.begin = dataStart + static_cast<uint64_t>(*begin);
  add(std::move(entry));
  return "";
}

std::string SafetensorsFile::read(const WeightEntry &entry, DType type,
                                  llvm::MutableArrayRef<char> out) {
  convertElements(entry.type, buffer->getBufferStart() + entry.begin, type,
                  out.data(), *countElements(entry.shape));
  return "";
}

std::unique_ptr<WeightFile>
cornu::frontend::openSafetensors(llvm::StringRef path, std::string &error) {
  auto result = std::make_unique<SafetensorsFile>();
  error = result->open(path);
  if (!error.empty())
    return nullptr;
  return result;
}
