//===- StrategyFile.cpp - Strategies that a tuner found -------------------===//

#include "codegen/strategy/StrategyFile.h"

#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

namespace json = llvm::json;

namespace cornu::codegen {

/// The version of the format.
static constexpr int64_t kVersion = 1;

/// The parser goes down with the text: a hostile one would end the stack.
static constexpr int kDeepest = 64;

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

namespace {
/// Reads members; the first failure is kept, with its pointer.
class Reader {
public:
  explicit Reader(llvm::StringRef path) : path(path) {}

  const json::Object *object(const json::Value *value, const llvm::Twine &at) {
    return of(value ? value->getAsObject() : nullptr, at, "an object");
  }
  const json::Array *array(const json::Value *value, const llvm::Twine &at) {
    return of(value ? value->getAsArray() : nullptr, at, "an array");
  }
  std::string text(const json::Value *value, const llvm::Twine &at) {
    auto string = value ? value->getAsString() : std::nullopt;
    if (!string)
      fail(at, "is not a string");
    return string ? string->str() : std::string();
  }
  std::vector<std::string> texts(const json::Value *value,
                                 const llvm::Twine &at) {
    std::vector<std::string> result;
    if (const json::Array *values = array(value, at))
      for (auto [i, element] : llvm::enumerate(*values))
        result.push_back(text(&element, at + "/" + llvm::Twine(i)));
    return result;
  }
  void fail(const llvm::Twine &at, const llvm::Twine &what) {
    if (message.empty())
      message = ("'" + path + "': " + at + " " + what).str();
  }
  llvm::Error takeError() const {
    return message.empty() ? llvm::Error::success()
                           : llvm::createStringError(message);
  }

private:
  template <typename T>
  T *of(T *value, const llvm::Twine &at, llvm::StringRef kind) {
    if (!value)
      fail(at, "is not " + kind);
    return value;
  }
  std::string path, message;
};
} // namespace

static bool isTooDeep(llvm::StringRef text) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString && c == '\\')
      ++i;
    else if (c == '"')
      inString = !inString;
    else if (!inString && (c == '[' || c == '{') && ++depth > kDeepest)
      return true;
    else if (!inString && (c == ']' || c == '}'))
      --depth;
  }
  return false;
}

llvm::Expected<StrategyFile> StrategyFile::read(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
  if (!buffer)
    return llvm::createStringError("cannot read the strategies '" + path +
                                   "': " + buffer.getError().message());
  llvm::StringRef content = (*buffer)->getBuffer();
  if (isTooDeep(content))
    return llvm::createStringError("'" + path +
                                   "' is not a file of strategies: it is "
                                   "nested too deeply");
  auto root = json::parse(content);
  if (!root) // says line and column
    return llvm::createStringError(
        "'" + path + "' is no JSON: " + llvm::toString(root.takeError()));
  Reader reader(path);
  StrategyFile file;
  const json::Object *top = root->getAsObject();
  auto version = top ? top->getInteger("cornu_strategies") : std::nullopt;
  if (!version)
    return llvm::createStringError(
        "'" + path +
        "' is not a file of strategies, which 'cornu tune' writes: "
        "/cornu_strategies is not a number");
  if (*version != kVersion)
    return llvm::createStringError(
        "'" + path + "': /cornu_strategies is " + llvm::Twine(*version) +
        ", but this version reads " + llvm::Twine(kVersion) + "; tune again");
  if (auto *target = reader.object(top->get("target"), "/target")) {
    file.triple = reader.text(target->get("triple"), "/target/triple");
    file.cpu = reader.text(target->get("cpu"), "/target/cpu");
    file.features = reader.text(target->get("features"), "/target/features");
  }
  llvm::StringSet<> keys;
  if (auto *kernels = reader.array(top->get("kernels"), "/kernels"))
    for (auto [i, value] : llvm::enumerate(*kernels)) {
      std::string at = "/kernels/" + std::to_string(i);
      auto *object = reader.object(&value, at);
      if (!object)
        break;
      Kernel kernel;
      kernel.key = reader.text(object->get("key"), at + "/key");
      kernel.strategies =
          reader.texts(object->get("strategies"), at + "/strategies");
      if (!keys.insert(kernel.key).second)
        reader.fail(at + "/key", "is there twice: '" + kernel.key + "'");
      file.kernels.push_back(std::move(kernel));
    }
  if (llvm::Error error = reader.takeError())
    return error;
  return file;
}

llvm::Error StrategyFile::checkTarget(llvm::StringRef path,
                                      const Target &target) const {
  if (triple == target.triple.str() && cpu == target.cpu &&
      features == target.features)
    return llvm::Error::success();
  auto name = [](llvm::StringRef triple, llvm::StringRef cpu,
                 llvm::StringRef features) {
    return (triple + " " + cpu + (features.empty() ? "" : " ") + features)
        .str();
  };
  return llvm::createStringError(
      "the strategies '" + path + "' are for " + name(triple, cpu, features) +
      ", not for " + name(target.triple.str(), target.cpu, target.features) +
      ": tune on that machine");
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// Milliseconds with four digits, as one reads them.
static void writeTimes(json::OStream &out, double defaultSeconds,
                       double seconds) {
  auto write = [&](llvm::StringRef name, double value) {
    out.attributeBegin(name);
    out.rawValue([&](llvm::raw_ostream &os) {
      os << llvm::format("%.4g", value * 1e3);
    });
    out.attributeEnd();
  };
  write("default_ms", defaultSeconds);
  write("ms", seconds);
}

std::string StrategyFile::text() const {
  std::string result;
  llvm::raw_string_ostream stream(result);
  json::OStream out(stream, /*IndentSize=*/2);
  auto texts = [&](llvm::StringRef name, const std::vector<std::string> &list) {
    out.attributeArray(name, [&] {
      for (const std::string &element : list)
        out.value(element);
    });
  };
  out.object([&] {
    out.attribute("cornu_strategies", kVersion);
    out.attributeObject("target", [&] {
      out.attribute("triple", triple);
      out.attribute("cpu", cpu);
      out.attribute("features", features);
    });
    out.attribute("model", model);
    out.attributeArray("entries", [&] {
      for (const Entry &entry : entries)
        out.object([&] {
          out.attribute("entry", entry.name);
          out.attribute("batch", entry.batch);
          out.attribute("threads", entry.threads);
          writeTimes(out, entry.defaultSeconds, entry.seconds);
        });
    });
    out.attributeArray("kernels", [&] {
      for (const Kernel &kernel : kernels)
        out.object([&] {
          out.attribute("key", kernel.key);
          texts("layers", kernel.layers);
          writeTimes(out, kernel.defaultSeconds, kernel.seconds);
          texts("default", kernel.defaults);
          texts("strategies", kernel.strategies);
        });
    });
  });
  stream << "\n";
  return result;
}

} // namespace cornu::codegen
