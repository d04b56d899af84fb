//===- Hdf5.cpp - Reader and writer of HDF5 weight files ------------------===//
//
// Walks all groups once when a file is opened and notes every dataset; data is
// read on demand. HDF5 prints its errors to stderr unless told otherwise: its
// error stack is switched off, the messages are ours. It also crashes and loops
// on some damaged files: a child process reads everything first.
//
//===----------------------------------------------------------------------===//

#include "frontend/archive/Trial.h"
#include "frontend/archive/WeightFile.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include <set>
#include <utility>

#define H5_USE_110_API
#include <hdf5.h>
#include <hdf5_hl.h>

using namespace cornu::frontend;

// Limits that no Keras file comes near: nested models add two levels each, and
// a group holds one layer's weights.
static constexpr unsigned kMaxDepth = 128;
static constexpr size_t kMaxObjects = 1u << 20;
static constexpr size_t kMaxAttributeBytes = 64u << 20;
// Of a compressed dataset; see Zip.cpp.
static constexpr uint64_t kMaxRatio = 1000;

static void silence() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

namespace {

/// Closes an HDF5 identifier at the end of its scope.
class Handle {
public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id(id), close(close) {}
  ~Handle() {
    if (id >= 0)
      close(id);
  }
  Handle(const Handle &) = delete;
  Handle &operator=(const Handle &) = delete;
  operator hid_t() const { return id; }
  bool ok() const { return id >= 0; }

private:
  hid_t id;
  herr_t (*close)(hid_t);
};

class Hdf5File : public WeightFile {
public:
  ~Hdf5File() override {
    if (id >= 0)
      H5Fclose(id);
  }
  std::string open(llvm::StringRef path);
  std::string open(std::unique_ptr<llvm::MemoryBuffer> image,
                   llvm::StringRef name);

  std::string read(const WeightEntry &entry, DType type,
                   llvm::MutableArrayRef<char> out) override;
  std::optional<std::string> attribute(llvm::StringRef group,
                                       llvm::StringRef name) override;
  std::optional<std::vector<std::string>>
  listAttribute(llvm::StringRef group, llvm::StringRef name) override;
  bool hasGroup(llvm::StringRef group) override {
    return groups.contains(group);
  }
  void readEverything();

private:
  std::string walk(const std::string &group, unsigned depth);
  std::string noteDataset(const std::string &path);
  std::optional<std::vector<std::string>> readStrings(llvm::StringRef group,
                                                      llvm::StringRef name);

  std::unique_ptr<llvm::MemoryBuffer> image;
  hid_t id = -1;
  llvm::StringSet<> groups;
  std::set<haddr_t> visited;
  size_t objects = 0;
};

} // namespace

std::string Hdf5File::open(llvm::StringRef path) {
  silence();
  file = path.str();
  id = H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  if (id < 0)
    return "not an HDF5 file, or damaged or truncated";
  return walk("", 0);
}

std::string Hdf5File::open(std::unique_ptr<llvm::MemoryBuffer> content,
                           llvm::StringRef name) {
  silence();
  file = name.str();
  image = std::move(content);
  // Opened read only and in place: the buffer is not written to.
  id = H5LTopen_file_image(
      const_cast<char *>(image->getBufferStart()), image->getBufferSize(),
      H5LT_FILE_IMAGE_DONT_COPY | H5LT_FILE_IMAGE_DONT_RELEASE);
  if (id < 0)
    return "not an HDF5 file, or damaged or truncated";
  return walk("", 0);
}

static herr_t collectName(hid_t, const char *name, const H5L_info_t *,
                          void *data) {
  auto *names = static_cast<std::vector<std::string> *>(data);
  names->push_back(name);
  return names->size() > kMaxObjects ? 1 : 0;
}

std::string Hdf5File::walk(const std::string &group, unsigned depth) {
  if (depth > kMaxDepth)
    return "groups nested deeper than " + std::to_string(kMaxDepth) +
           " levels at '" + group.substr(0, 200) + "'";
  groups.insert(group);
  Handle object(H5Gopen2(id, ("/" + group).c_str(), H5P_DEFAULT), H5Gclose);
  if (!object.ok())
    return "group '" + group + "' is damaged";
  std::vector<std::string> names;
  if (H5Literate(object, H5_INDEX_NAME, H5_ITER_NATIVE, nullptr, collectName,
                 &names) < 0)
    return "group '" + group + "' is damaged";
  llvm::sort(names);
  for (const std::string &name : names) {
    std::string path = group.empty() ? name : group + "/" + name;
    if (++objects > kMaxObjects)
      return "more than " + std::to_string(kMaxObjects) + " objects";
    H5L_info_t link;
    if (H5Lget_info(object, name.c_str(), &link, H5P_DEFAULT) < 0)
      return "link '" + path + "' is damaged";
    if (link.type != H5L_TYPE_HARD)
      return "'" + path +
             "' is a soft or external link, which weight files do not use";
    H5O_info_t info;
    if (H5Oget_info_by_name(object, name.c_str(), &info, H5P_DEFAULT) < 0)
      return "object '" + path + "' is damaged";
    if (info.type == H5O_TYPE_GROUP) {
      if (!visited.insert(info.addr).second)
        return "group '" + path + "' is reached twice: the file has a cycle";
      if (std::string error = walk(path, depth + 1); !error.empty())
        return error;
    } else if (info.type == H5O_TYPE_DATASET) {
      if (std::string error = noteDataset(path); !error.empty())
        return "dataset '" + path + "' " + error;
    }
  }
  return "";
}

// The element type as Keras (h5py) writes it, or nothing if it is not a number.
static std::optional<DType> elementType(hid_t type, hid_t dataset) {
  size_t size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
  case H5T_FLOAT:
    return size == 2   ? std::optional(DType::F16)
           : size == 4 ? std::optional(DType::F32)
           : size == 8 ? std::optional(DType::F64)
                       : std::nullopt;
  case H5T_INTEGER: {
    bool isSigned = H5Tget_sign(type) != H5T_SGN_NONE;
    switch (size) {
    case 1:
      return isSigned ? DType::I8 : DType::U8;
    case 2:
      return isSigned ? DType::I16 : DType::U16;
    case 4:
      return isSigned ? DType::I32 : DType::U32;
    case 8:
      return isSigned ? DType::I64 : DType::U64;
    }
    return std::nullopt;
  }
  case H5T_ENUM: // h5py's booleans
    return size == 1 ? std::optional(DType::Bool) : std::nullopt;
  case H5T_OPAQUE: // |V2 with the attribute dtype = "bfloat16"
    return size == 2 ? std::optional(DType::BF16) : std::nullopt;
  default:
    return std::nullopt;
  }
}

std::string Hdf5File::noteDataset(const std::string &path) {
  Handle dataset(H5Dopen2(id, ("/" + path).c_str(), H5P_DEFAULT), H5Dclose);
  if (!dataset.ok())
    return "is damaged";
  Handle properties(H5Dget_create_plist(dataset), H5Pclose);
  if (!properties.ok())
    return "is damaged";
  H5D_layout_t layout = H5Pget_layout(properties);
  if (layout == H5D_VIRTUAL || H5Pget_external_count(properties) != 0)
    return "keeps its data in another file, which weight files do not do";
  Handle type(H5Dget_type(dataset), H5Tclose);
  Handle space(H5Dget_space(dataset), H5Sclose);
  if (!type.ok() || !space.ok())
    return "is damaged";
  std::optional<DType> element = elementType(type, dataset);
  // Strings and the like (an optimizer's names) are not weights.
  if (!element)
    return "";
  if (H5Sget_simple_extent_type(space) == H5S_NULL)
    return "";
  int rank = H5Sget_simple_extent_ndims(space);
  if (rank < 0 || rank > H5S_MAX_RANK)
    return "is damaged";
  hsize_t sizes[H5S_MAX_RANK] = {};
  H5Sget_simple_extent_dims(space, sizes, nullptr);
  WeightEntry entry;
  entry.name = path;
  entry.type = *element;
  for (int i = 0; i < rank; ++i) {
    if (sizes[i] > (hsize_t{1} << 40))
      return "has the impossible size " + std::to_string(sizes[i]);
    entry.shape.push_back(static_cast<int64_t>(sizes[i]));
  }
  std::optional<int64_t> count = countElements(entry.shape);
  if (!count)
    return "has the impossible shape " + formatShape(entry.shape);
  uint64_t bytes = static_cast<uint64_t>(*count) * sizeOf(*element);
  uint64_t stored = H5Dget_storage_size(dataset);
  if (bytes > (1u << 20) && stored < bytes / kMaxRatio)
    return "claims the shape " + formatShape(entry.shape) + " but stores " +
           std::to_string(stored) + " bytes";
  add(std::move(entry));
  return "";
}

static hid_t nativeType(DType type) {
  switch (type) {
  case DType::Bool:
  case DType::U8:
    return H5T_NATIVE_UINT8;
  case DType::I8:
    return H5T_NATIVE_INT8;
  case DType::I16:
    return H5T_NATIVE_INT16;
  case DType::U16:
    return H5T_NATIVE_UINT16;
  case DType::I32:
    return H5T_NATIVE_INT32;
  case DType::U32:
    return H5T_NATIVE_UINT32;
  case DType::I64:
    return H5T_NATIVE_INT64;
  case DType::U64:
    return H5T_NATIVE_UINT64;
  case DType::F16: // HDF5 widens it itself
  case DType::F32:
    return H5T_NATIVE_FLOAT;
  case DType::F64:
    return H5T_NATIVE_DOUBLE;
  case DType::BF16:
    return -1;
  }
  return -1;
}

std::string Hdf5File::read(const WeightEntry &entry, DType type,
                           llvm::MutableArrayRef<char> out) {
  Handle dataset(H5Dopen2(id, ("/" + entry.name).c_str(), H5P_DEFAULT),
                 H5Dclose);
  if (!dataset.ok())
    return "dataset '" + entry.name + "' is damaged";
  int64_t count = *countElements(entry.shape);
  if (count == 0)
    return "";
  // What H5Dread delivers: the dataset's own type, a half as a float.
  DType delivered = entry.type == DType::F16 ? DType::F32 : entry.type;
  Handle own(H5Dget_type(dataset), H5Tclose);
  bool raw = entry.type == DType::BF16 || entry.type == DType::Bool;
  hid_t memory = raw ? static_cast<hid_t>(own) : nativeType(delivered);
  std::vector<char> converted;
  char *target = out.data();
  if (delivered != type) {
    converted.resize(static_cast<size_t>(count) * sizeOf(delivered));
    target = converted.data();
  }
  if (H5Dread(dataset, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, target) < 0)
    return "dataset '" + entry.name + "' is damaged or truncated";
  if (delivered != type)
    convertElements(delivered, target, type, out.data(), count);
  return "";
}

std::optional<std::vector<std::string>>
Hdf5File::readStrings(llvm::StringRef group, llvm::StringRef name) {
  std::string path = "/" + group.str();
  if (!groups.contains(group) ||
      H5Aexists_by_name(id, path.c_str(), name.str().c_str(), H5P_DEFAULT) <= 0)
    return std::nullopt;
  Handle attribute(H5Aopen_by_name(id, path.c_str(), name.str().c_str(),
                                   H5P_DEFAULT, H5P_DEFAULT),
                   H5Aclose);
  if (!attribute.ok())
    return std::nullopt;
  Handle type(H5Aget_type(attribute), H5Tclose);
  Handle space(H5Aget_space(attribute), H5Sclose);
  if (!type.ok() || !space.ok())
    return std::nullopt;
  std::vector<std::string> out;
  hssize_t count = H5Sget_simple_extent_npoints(space);
  if (H5Sget_simple_extent_type(space) == H5S_NULL || count == 0)
    return out;
  // h5py stores an empty list of strings as an empty float array.
  if (H5Tget_class(type) != H5T_STRING || count < 0 ||
      static_cast<size_t>(count) > kMaxObjects)
    return std::nullopt;
  if (H5Tis_variable_str(type) > 0) {
    std::vector<char *> strings(static_cast<size_t>(count), nullptr);
    Handle memory(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(memory, H5T_VARIABLE);
    H5Tset_cset(memory, H5Tget_cset(type));
    if (H5Aread(attribute, memory, strings.data()) < 0)
      return std::nullopt;
    for (char *string : strings)
      out.push_back(string ? string : "");
    H5Dvlen_reclaim(memory, space, H5P_DEFAULT, strings.data());
    return out;
  }
  size_t width = H5Tget_size(type);
  if (width == 0 || width > kMaxAttributeBytes / static_cast<size_t>(count))
    return std::nullopt;
  std::vector<char> bytes(width * static_cast<size_t>(count));
  if (H5Aread(attribute, type, bytes.data()) < 0)
    return std::nullopt;
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    llvm::StringRef field(bytes.data() + i * width, width);
    out.push_back(field.take_until([](char c) { return c == 0; }).str());
  }
  return out;
}

std::optional<std::string> Hdf5File::attribute(llvm::StringRef group,
                                               llvm::StringRef name) {
  auto strings = readStrings(group, name);
  if (!strings || strings->size() != 1)
    return std::nullopt;
  return strings->front();
}

std::optional<std::vector<std::string>>
Hdf5File::listAttribute(llvm::StringRef group, llvm::StringRef name) {
  if (auto strings = readStrings(group, name))
    return strings;
  std::vector<std::string> all;
  for (unsigned part = 0; part < 10000; ++part) {
    auto strings = readStrings(group, name.str() + std::to_string(part));
    if (!strings) {
      if (part == 0)
        return std::nullopt;
      break;
    }
    llvm::append_range(all, *strings);
  }
  return all;
}

static herr_t collectAttribute(hid_t, const char *name, const H5A_info_t *,
                               void *data) {
  static_cast<std::vector<std::string> *>(data)->push_back(name);
  return 0;
}

void Hdf5File::readEverything() {
  for (const auto &group : groups) {
    std::vector<std::string> names;
    std::string path = "/" + group.first().str();
    H5Aiterate_by_name(id, path.c_str(), H5_INDEX_NAME, H5_ITER_NATIVE, nullptr,
                       collectAttribute, &names, H5P_DEFAULT);
    for (const std::string &name : names)
      readStrings(group.first(), name);
  }
  std::vector<char> bytes;
  for (const WeightEntry &entry : getEntries()) {
    bytes.resize(static_cast<size_t>(*countElements(entry.shape)) *
                 sizeOf(entry.type));
    read(entry, entry.type, bytes);
  }
}

static constexpr char kDamaged[] =
    "damaged: the HDF5 library fails while it reads it";

// Of the processor, for reading a whole file once: a hundred times of what a
// healthy file takes.
static unsigned trialSeconds(uint64_t bytes) {
  return 3 + static_cast<unsigned>(bytes / (64u << 20));
}

std::unique_ptr<WeightFile> cornu::frontend::openHdf5(llvm::StringRef path,
                                                      std::string &error) {
  auto trial = [&] {
    Hdf5File file;
    if (file.open(path).empty())
      file.readEverything();
  };
  uint64_t bytes = 0;
  llvm::sys::fs::file_size(path, bytes); // an error is found by open
  auto result = std::make_unique<Hdf5File>();
  error = survives(trial, trialSeconds(bytes)) ? result->open(path) : kDamaged;
  if (!error.empty())
    return nullptr;
  return result;
}

std::unique_ptr<WeightFile>
cornu::frontend::openHdf5(std::unique_ptr<llvm::MemoryBuffer> image,
                          llvm::StringRef name, std::string &error) {
  auto trial = [&] {
    Hdf5File file;
    if (file.open(llvm::MemoryBuffer::getMemBuffer(*image, false), name)
            .empty())
      file.readEverything();
  };
  auto result = std::make_unique<Hdf5File>();
  error = survives(trial, trialSeconds(image->getBufferSize()))
              ? result->open(std::move(image), name)
              : kDamaged;
  if (!error.empty())
    return nullptr;
  return result;
}
