//===- Files.h - Files for the tests of the frontend ------------*- C++ -*-===//

#ifndef CORNU_TEST_UNIT_FRONTEND_FILES_H
#define CORNU_TEST_UNIT_FRONTEND_FILES_H

#include "frontend/archive/ModelArchive.h"
#include "frontend/archive/Zip.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cstdio>
#include <cstring>
#include <string>

namespace cornu::frontend::test {

/// A folder that disappears with the test.
class Folder {
public:
  Folder() { llvm::sys::fs::createUniqueDirectory("cornu-frontend", path); }
  ~Folder() { llvm::sys::fs::remove_directories(path); }
  std::string file(llvm::StringRef name) const {
    llvm::SmallString<128> out(path);
    llvm::sys::path::append(out, name);
    return out.str().str();
  }
  std::string write(llvm::StringRef name, llvm::StringRef content) const {
    std::string out = file(name);
    FILE *stream = fopen(out.c_str(), "wb");
    fwrite(content.data(), 1, content.size(), stream);
    fclose(stream);
    return out;
  }

private:
  llvm::SmallString<128> path;
};

/// A model of one Dense layer, 3 inputs and 2 units.
inline constexpr llvm::StringRef kDense = R"({
  "module": "keras", "class_name": "Sequential", "registered_name": null,
  "config": {"name": "m", "trainable": true, "layers": [
    {"module": "keras.layers", "class_name": "InputLayer",
     "config": {"batch_shape": [null, 3], "dtype": "float32", "name": "x"}},
    {"module": "keras.layers", "class_name": "Dense",
     "config": {"name": "d", "trainable": true, "units": 2,
                "activation": "linear", "use_bias": true,
                "kernel_initializer": "glorot_uniform",
                "bias_initializer": "zeros"}}]},
  "compile_config": {"optimizer": {"module": "keras.optimizers",
      "class_name": "SGD", "config": {"learning_rate": 0.5, "momentum": 0.9}},
    "loss": "mse", "metrics": ["mae"]}})";

inline Hdf5Dataset dataset(llvm::StringRef group, llvm::StringRef key,
                           llvm::ArrayRef<int64_t> shape, float first) {
  Hdf5Dataset out;
  out.group = group.str();
  out.key = key.str();
  out.groupName = "d";
  out.shape.assign(shape.begin(), shape.end());
  int64_t count = *countElements(shape);
  out.bytes.resize(static_cast<size_t>(count) * sizeof(float));
  for (int64_t i = 0; i < count; ++i) {
    float value = first + static_cast<float>(i);
    std::memcpy(out.bytes.data() + i * sizeof(float), &value, sizeof(float));
  }
  return out;
}

/// The weights of kDense: a kernel of 1, 2, ... and a bias of 10, 11.
inline std::string denseWeights() {
  std::string error;
  std::vector<char> bytes =
      writeHdf5("",
                {dataset("layers/dense/vars", "0", {3, 2}, 1),
                 dataset("layers/dense/vars", "1", {2}, 10)},
                error);
  return std::string(bytes.begin(), bytes.end());
}

inline std::string writeKerasFile(const Folder &folder, llvm::StringRef name,
                                  llvm::StringRef config,
                                  llvm::StringRef weights) {
  std::string path = folder.file(name);
  std::vector<ZipMember> members{
      {"metadata.json", "{\"keras_version\": \"3\"}"}, {"config.json", config}};
  if (!weights.empty())
    members.push_back({"model.weights.h5", weights});
  writeZip(path, members);
  return path;
}

/// All error messages, one a line.
inline std::string errors(const Diagnostics &diagnostics) {
  std::string out;
  for (const Diagnostic &diagnostic : diagnostics.getErrors())
    out += diagnostic.text() + "\n";
  return out;
}

} // namespace cornu::frontend::test

#endif // CORNU_TEST_UNIT_FRONTEND_FILES_H
