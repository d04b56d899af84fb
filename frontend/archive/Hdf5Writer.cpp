//===- Hdf5Writer.cpp - Writer of HDF5 weight files -----------------------===//
//
// Writes in memory (HDF5's core driver), so that the caller can put the bytes
// into an archive and rename it into place.
//
//===----------------------------------------------------------------------===//

#include "frontend/archive/WeightFile.h"

#include "llvm/ADT/STLExtras.h"

#define H5_USE_110_API
#include <hdf5.h>

using namespace cornu::frontend;

namespace {

struct Closer {
  hid_t id;
  herr_t (*close)(hid_t);
  ~Closer() {
    if (id >= 0)
      close(id);
  }
};

} // namespace

static hid_t fileType(DType type) {
  switch (type) {
  case DType::Bool:
  case DType::I8:
    return H5T_STD_I8LE;
  case DType::U8:
    return H5T_STD_U8LE;
  case DType::I16:
    return H5T_STD_I16LE;
  case DType::U16:
    return H5T_STD_U16LE;
  case DType::I32:
    return H5T_STD_I32LE;
  case DType::U32:
    return H5T_STD_U32LE;
  case DType::I64:
    return H5T_STD_I64LE;
  case DType::U64:
    return H5T_STD_U64LE;
  case DType::F64:
    return H5T_IEEE_F64LE;
  case DType::F16:
  case DType::BF16:
  case DType::F32:
    return H5T_IEEE_F32LE;
  }
  return -1;
}

// Keras finds the layer's name in the attribute `name` of its vars group.
static bool setName(hid_t group, llvm::StringRef name) {
  if (H5Aexists(group, "name") > 0)
    return true;
  Closer type{H5Tcopy(H5T_C_S1), H5Tclose};
  H5Tset_size(type.id, H5T_VARIABLE);
  H5Tset_cset(type.id, H5T_CSET_UTF8);
  Closer space{H5Screate(H5S_SCALAR), H5Sclose};
  Closer attribute{
      H5Acreate2(group, "name", type.id, space.id, H5P_DEFAULT, H5P_DEFAULT),
      H5Aclose};
  std::string text = name.str();
  const char *pointer = text.c_str();
  return attribute.id >= 0 && H5Awrite(attribute.id, type.id, &pointer) >= 0;
}

// A dataset of the right shape is overwritten in place, so that the file does
// not grow.
static hid_t openOrCreate(hid_t group, const Hdf5Dataset &data) {
  llvm::SmallVector<hsize_t, 4> sizes(data.shape.begin(), data.shape.end());
  if (H5Lexists(group, data.key.c_str(), H5P_DEFAULT) > 0) {
    hid_t existing = H5Dopen2(group, data.key.c_str(), H5P_DEFAULT);
    if (existing >= 0) {
      Closer space{H5Dget_space(existing), H5Sclose};
      int rank = H5Sget_simple_extent_ndims(space.id);
      llvm::SmallVector<hsize_t, 4> found(rank > 0 ? rank : 0);
      H5Sget_simple_extent_dims(space.id, found.data(), nullptr);
      if (rank >= 0 && found == sizes)
        return existing;
      H5Dclose(existing);
    }
    if (H5Ldelete(group, data.key.c_str(), H5P_DEFAULT) < 0)
      return -1;
  }
  Closer space{sizes.empty() ? H5Screate(H5S_SCALAR)
                             : H5Screate_simple(static_cast<int>(sizes.size()),
                                                sizes.data(), nullptr),
               H5Sclose};
  return H5Dcreate2(group, data.key.c_str(), fileType(data.type), space.id,
                    H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
}

static std::string writeDataset(hid_t file, const Hdf5Dataset &data) {
  std::string where = "/" + data.group + "/" + data.key;
  auto failed = [&] { return "dataset '" + where + "' cannot be written"; };
  Closer create{H5Pcreate(H5P_LINK_CREATE), H5Pclose};
  H5Pset_create_intermediate_group(create.id, 1);
  // Group by group: H5Lexists fails if an intermediate group is missing.
  std::string prefix;
  llvm::StringRef rest = data.group;
  bool exists = true;
  while (!rest.empty() && exists) {
    auto [step, tail] = rest.split('/');
    prefix += "/" + step.str();
    exists = H5Lexists(file, prefix.c_str(), H5P_DEFAULT) > 0;
    rest = tail;
  }
  std::string groupPath = "/" + data.group;
  Closer group{exists ? H5Gopen2(file, groupPath.c_str(), H5P_DEFAULT)
                      : H5Gcreate2(file, groupPath.c_str(), create.id,
                                   H5P_DEFAULT, H5P_DEFAULT),
               H5Gclose};
  if (group.id < 0 || !setName(group.id, data.groupName))
    return failed();
  Closer dataset{openOrCreate(group.id, data), H5Dclose};
  if (dataset.id < 0)
    return failed();
  if (!data.bytes.empty() &&
      H5Dwrite(dataset.id, fileType(data.type), H5S_ALL, H5S_ALL, H5P_DEFAULT,
               data.bytes.data()) < 0)
    return failed();
  return "";
}

std::vector<char>
cornu::frontend::writeHdf5(llvm::StringRef base,
                           llvm::ArrayRef<Hdf5Dataset> datasets,
                           std::string &error) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  Closer access{H5Pcreate(H5P_FILE_ACCESS), H5Pclose};
  H5Pset_fapl_core(access.id, 1u << 20, /*backing_store=*/0);
  if (!base.empty())
    H5Pset_file_image(access.id, const_cast<char *>(base.data()), base.size());
  Closer file{base.empty() ? H5Fcreate("memory.h5", H5F_ACC_TRUNC, H5P_DEFAULT,
                                       access.id)
                           : H5Fopen("memory.h5", H5F_ACC_RDWR, access.id),
              H5Fclose};
  if (file.id < 0) {
    error = "HDF5 cannot create a file in memory";
    return {};
  }
  for (const Hdf5Dataset &data : datasets)
    if (std::string problem = writeDataset(file.id, data); !problem.empty()) {
      error = problem;
      return {};
    }
  H5Fflush(file.id, H5F_SCOPE_GLOBAL);
  ssize_t size = H5Fget_file_image(file.id, nullptr, 0);
  std::vector<char> bytes(size > 0 ? static_cast<size_t>(size) : 0);
  if (size <= 0 || H5Fget_file_image(file.id, bytes.data(), bytes.size()) < 0) {
    error = "HDF5 cannot produce the file's bytes";
    return {};
  }
  return bytes;
}
