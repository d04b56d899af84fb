//===- ArchiveFuzzer.cpp - Reads any bytes as a model ---------------------===//
//
// The last byte of an input chooses the form (.keras, .json, .h5 or a model
// with weights in .safetensors or .h5), the rest is the file. Whatever it
// holds, reading must end in a model or in diagnostics.
//
//   build-sanitize/bin/archive_fuzzer -max_total_time=60 CORPUS
//
//===----------------------------------------------------------------------===//
#include "frontend/archive/ModelArchive.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <unistd.h>
#include <vector>

using namespace cornu::frontend;

namespace {
struct Form {
  const char *suffix;
  bool weights; // the bytes are a weight file beside a small model
};
constexpr Form kForms[] = {{".keras", false},
                           {".json", false},
                           {".h5", false},
                           {".safetensors", true},
                           {".weights.h5", true}};
constexpr char kModel[] =
    R"({"class_name":"Sequential","config":{"name":"m","layers":[]}})";
} // namespace

static std::string folder() {
  static std::string path = [] {
    char name[] = "/tmp/cornu-fuzz-XXXXXX";
    if (!mkdtemp(name))
      abort();
    return std::string(name);
  }();
  return path;
}

static std::string write(const std::string &name, const void *bytes,
                         size_t size) {
  std::string path = folder() + "/" + name;
  FILE *file = fopen(path.c_str(), "wb");
  if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
    abort();
  return path;
}

// Everything that the importer would ask of an archive.
static void readAll(const ModelArchive &archive) {
  (void)archive.getCompileConfig();
  WeightFile *weights = archive.getWeights();
  if (!weights)
    return;
  for (const WeightEntry &entry : weights->getEntries()) {
    std::optional<int64_t> count = countElements(entry.shape);
    if (!count || *count > (1 << 20))
      continue;
    std::vector<char> bytes(size_t(*count) * sizeOf(DType::F32));
    (void)weights->read(entry, DType::F32, bytes);
  }
  (void)weights->listAttribute(archive.getPositionalRoot(), "layer_names");
  (void)weights->attribute("", "model_config");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  const Form &form = kForms[data[size - 1] % std::size(kForms)];
  std::string bytes = write(std::string("model") + form.suffix, data, size - 1);
  std::string model =
      form.weights ? write("m.json", kModel, sizeof(kModel) - 1) : bytes;
  Diagnostics diagnostics(model);
  std::unique_ptr<ModelArchive> archive =
      ModelArchive::read(model, form.weights ? bytes : "", diagnostics);
  if (!archive && !diagnostics.hasErrors())
    abort(); // a failure without a word
  if (archive)
    readAll(*archive);
  unlink(bytes.c_str());
  return 0;
}
