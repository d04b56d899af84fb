//===- HostileArchiveTest.cpp - Files made to do harm ---------------------===//
//
// Each file is refused with a message: no crash, no endless loop, no memory
// beyond what the file itself needs.
//
//===----------------------------------------------------------------------===//

#include "test/unit/frontend/Files.h"
#include "gtest/gtest.h"

#include <zip.h>
#define H5_USE_110_API
#include <hdf5.h>

using namespace cornu::frontend;
using namespace cornu::frontend::test;

static std::string refuse(llvm::StringRef path, llvm::StringRef weights = "") {
  Diagnostics diagnostics;
  auto archive = ModelArchive::read(path, weights, diagnostics);
  EXPECT_FALSE(archive);
  EXPECT_TRUE(diagnostics.hasErrors());
  return errors(diagnostics);
}

static std::string refuseWeights(llvm::StringRef bytes,
                                 llvm::StringRef name = "w.weights.h5") {
  Folder folder;
  return refuse(folder.write("m.json", kDense), folder.write(name, bytes));
}

#define EXPECT_MENTIONS(text, part)                                            \
  EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(HostileArchive, NotAModel) {
  Folder folder;
  EXPECT_MENTIONS(refuse(folder.file("none.keras")), "no such file");
  EXPECT_MENTIONS(refuse(folder.write("a.keras", "")), "neither a ZIP");
  EXPECT_MENTIONS(refuse(folder.write("b.json", "[1]")), "neither a ZIP");
  EXPECT_MENTIONS(refuse(folder.write("c.json", "{}")), "class_name");
  EXPECT_MENTIONS(refuse("/dev/zero"), "not a regular file");
  EXPECT_MENTIONS(refuse(folder.file("")), "config.json");
}

// Keras refuses to load it, too; a model without values is written as .json.
TEST(HostileArchive, WithoutWeights) {
  auto zip = [](const Folder &folder, llvm::StringRef more) {
    std::vector<ZipMember> members = {{"config.json", kDense}};
    if (!more.empty())
      members.push_back({more.str(), "PK"});
    std::string path = folder.file("m.keras");
    EXPECT_EQ(writeZip(path, members), "");
    return path;
  };
  Folder folder;
  EXPECT_MENTIONS(refuse(zip(folder, "")), "has no model.weights.h5");
  EXPECT_MENTIONS(refuse(zip(folder, "model.weights.npz")),
                  "its model.weights.npz cannot be read");
  Folder unzipped;
  unzipped.write("config.json", kDense);
  EXPECT_MENTIONS(refuse(unzipped.file("")), "has no model.weights.h5");

  Diagnostics diagnostics;
  std::string weights = folder.write("w.weights.h5", denseWeights());
  EXPECT_TRUE(ModelArchive::read(zip(folder, ""), weights, diagnostics))
      << errors(diagnostics);
}

TEST(HostileArchive, TruncatedZip) {
  Folder folder;
  std::string path = writeKerasFile(folder, "m.keras", kDense, denseWeights());
  auto whole = llvm::MemoryBuffer::getFile(path);
  llvm::StringRef bytes = (*whole)->getBuffer();
  for (size_t size :
       {size_t{2}, size_t{30}, bytes.size() / 2, bytes.size() - 5})
    refuse(folder.write("t.keras", bytes.take_front(size)));
}

TEST(HostileArchive, ZipBomb) {
  Folder folder;
  std::string path = folder.file("bomb.keras");
  std::string zeros(256u << 20, ' ');
  int code = 0;
  zip_t *archive = zip_open(path.c_str(), ZIP_CREATE, &code);
  ASSERT_TRUE(archive);
  zip_int64_t index = zip_file_add(
      archive, "config.json",
      zip_source_buffer(archive, zeros.data(), zeros.size(), 0), 0);
  zip_set_file_compression(archive, index, ZIP_CM_DEFLATE, 9);
  ASSERT_EQ(zip_close(archive), 0);
  EXPECT_MENTIONS(refuse(path), "would expand more than 100 times");
}

TEST(HostileArchive, DeepJson) {
  Folder folder;
  std::string text =
      R"({"class_name": "Sequential", "config": )" + std::string(100000, '[');
  EXPECT_MENTIONS(refuse(folder.write("deep.json", text)), "nested deeper");
}

TEST(HostileHdf5, Truncated) {
  std::string whole = denseWeights();
  for (size_t size :
       {size_t{8}, size_t{50}, size_t{100}, whole.size() / 2, whole.size() - 1})
    refuseWeights(llvm::StringRef(whole).take_front(size));
}

TEST(HostileHdf5, DamagedBytesNeverCrash) {
  Folder folder;
  std::string model = folder.write("m.json", kDense);
  std::string whole = denseWeights();
  for (size_t at = 0; at < whole.size(); at += 97) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
    Diagnostics diagnostics;
    auto archive = ModelArchive::read(
        model, folder.write("w.weights.h5", damaged), diagnostics);
    EXPECT_TRUE(archive || diagnostics.hasErrors());
  }
}

namespace {
/// An HDF5 file written by `fill`, as bytes.
std::string hdf5File(void (*fill)(hid_t file)) {
  Folder folder;
  std::string path = folder.file("x.h5");
  hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  fill(file);
  H5Fclose(file);
  return (*llvm::MemoryBuffer::getFile(path))->getBuffer().str();
}
} // namespace

TEST(HostileHdf5, Links) {
  EXPECT_MENTIONS(refuseWeights(hdf5File([](hid_t file) {
                    H5Lcreate_soft("/layers", file, "loop", H5P_DEFAULT,
                                   H5P_DEFAULT);
                  })),
                  "soft or external link");
  EXPECT_MENTIONS(refuseWeights(hdf5File([](hid_t file) {
                    H5Lcreate_external("/etc/passwd", "/x", file, "outside",
                                       H5P_DEFAULT, H5P_DEFAULT);
                  })),
                  "soft or external link");
}

TEST(HostileHdf5, Cycle) {
  EXPECT_MENTIONS(
      refuseWeights(hdf5File([](hid_t file) {
        hid_t group =
            H5Gcreate2(file, "a", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Lcreate_hard(file, "/a", group, "again", H5P_DEFAULT, H5P_DEFAULT);
        H5Gclose(group);
      })),
      "cycle");
}

TEST(HostileHdf5, DatasetWithoutItsData) {
  EXPECT_MENTIONS(refuseWeights(hdf5File([](hid_t file) {
                    hsize_t size[] = {hsize_t{1} << 38};
                    hid_t space = H5Screate_simple(1, size, nullptr);
                    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
                    hsize_t chunk[] = {1024};
                    H5Pset_chunk(properties, 1, chunk);
                    H5Dclose(H5Dcreate2(file, "huge", H5T_IEEE_F32LE, space,
                                        H5P_DEFAULT, properties, H5P_DEFAULT));
                    H5Pclose(properties);
                    H5Sclose(space);
                  })),
                  "stores 0 bytes");
}

TEST(HostileHdf5, ImpossibleShape) {
  EXPECT_MENTIONS(refuseWeights(hdf5File([](hid_t file) {
                    hsize_t size[] = {hsize_t{1} << 62};
                    hid_t space = H5Screate_simple(1, size, nullptr);
                    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
                    hsize_t chunk[] = {1024};
                    H5Pset_chunk(properties, 1, chunk);
                    H5Dclose(H5Dcreate2(file, "huge", H5T_STD_I8LE, space,
                                        H5P_DEFAULT, properties, H5P_DEFAULT));
                    H5Pclose(properties);
                    H5Sclose(space);
                  })),
                  "impossible s");
}

TEST(HostileHdf5, ExternalDataset) {
  EXPECT_MENTIONS(refuseWeights(hdf5File([](hid_t file) {
                    hsize_t size[] = {4};
                    hid_t space = H5Screate_simple(1, size, nullptr);
                    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
                    H5Pset_external(properties, "/etc/passwd", 0, 16);
                    H5Dclose(H5Dcreate2(file, "data", H5T_IEEE_F32LE, space,
                                        H5P_DEFAULT, properties, H5P_DEFAULT));
                    H5Pclose(properties);
                    H5Sclose(space);
                  })),
                  "another file");
}

TEST(HostileHdf5, WeightsOnlyIsNoModel) {
  Folder folder;
  EXPECT_MENTIONS(refuse(folder.write("w.h5", denseWeights())),
                  "no model_config");
}

TEST(HostileSafetensors, WrongHeaders) {
  auto file = [](uint64_t length, llvm::StringRef header) {
    std::string out(8, '\0');
    for (int i = 0; i < 8; ++i)
      out[i] = static_cast<char>(length >> (8 * i));
    return refuseWeights(out + header.str(), "w.safetensors");
  };
  auto tensor = [&](llvm::StringRef text) { return file(text.size(), text); };
  EXPECT_MENTIONS(refuseWeights("abc", "w.safetensors"), "shorter");
  EXPECT_MENTIONS(file(uint64_t{1} << 62, "{}"), "truncated");
  EXPECT_MENTIONS(tensor("[]"), "a list");
  EXPECT_MENTIONS(tensor("{]"), "damaged");
  EXPECT_MENTIONS(
      tensor(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
      "outside the file");
  EXPECT_MENTIONS(
      tensor(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,0]}})"),
      "list of sizes");
  EXPECT_MENTIONS(
      tensor(
          R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})"),
      "outside the file");
  EXPECT_MENTIONS(
      tensor(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,0]}})"),
      "do not fit");
  EXPECT_MENTIONS(
      tensor(R"({"a":{"dtype":"C64","shape":[],"data_offsets":[0,0]}})"),
      "unknown dtype");
}
