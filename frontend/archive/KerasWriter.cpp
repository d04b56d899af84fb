//===- KerasWriter.cpp - Trained weights go back to Keras -----------------===//

#include "frontend/archive/ModelArchive.h"
#include "frontend/archive/Zip.h"
#include "llvm/Support/Chrono.h"
#include "llvm/Support/FormatVariadic.h"

using namespace cornu::frontend;

// Keras refuses an archive without these two keys.
static std::string newMetadata() {
  auto now = std::chrono::time_point_cast<std::chrono::seconds>(
      std::chrono::system_clock::now());
  return llvm::formatv("{{\"keras_version\": \"3.0.0\", \"date_saved\": "
                       "\"{0:%Y-%m-%d@%H:%M:%S}\"}",
                       llvm::sys::TimePoint<>(now))
      .str();
}

std::string cornu::frontend::writeKeras(llvm::StringRef path,
                                        const ModelArchive &archive,
                                        llvm::ArrayRef<Hdf5Dataset> datasets) {
  std::vector<ZipMember> members;
  std::string error;

  // The members of an archive are kept as they are, but for the weights.
  std::vector<std::unique_ptr<llvm::MemoryBuffer>> kept;
  std::unique_ptr<llvm::MemoryBuffer> oldWeights;
  ZipReader zip;
  bool isZip = zip.open(archive.getPath()).empty();
  if (isZip)
    for (const std::string &name : zip.members()) {
      if (llvm::StringRef(name).ends_with("/"))
        continue;
      std::unique_ptr<llvm::MemoryBuffer> content = zip.read(name, error);
      if (!content)
        return "of the model " + archive.getPath().str() + ", " + error;
      if (name == "model.weights.h5") {
        oldWeights = std::move(content);
        continue;
      }
      members.push_back({name, content->getBuffer()});
      kept.push_back(std::move(content));
    }
  std::string config, metadata;
  if (!isZip) {
    config = archive.getModel().dump();
    metadata = archive.getMetadata().empty() ? newMetadata()
                                             : archive.getMetadata().str();
    members.push_back({"metadata.json", metadata});
    members.push_back({"config.json", config});
  }
  std::vector<char> weights =
      writeHdf5(oldWeights ? oldWeights->getBuffer() : "", datasets, error);
  if (!error.empty())
    return "the weights of the model " + archive.getPath().str() + ": " + error;
  members.push_back(
      {"model.weights.h5", llvm::StringRef(weights.data(), weights.size())});
  return writeZip(path, members);
}
