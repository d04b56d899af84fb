//===- Zip.cpp - Members of a .keras archive ------------------------------===//

#include "frontend/archive/Zip.h"

#include "llvm/ADT/ScopeExit.h"
#include <zip.h>

using namespace cornu::frontend;

// A member larger than kFreeBytes may not expand more than kMaxRatio times:
// weights hardly compress, and a bomb needs a ratio near deflate's 1032.
static constexpr uint64_t kFreeBytes = 64u << 20;
static constexpr uint64_t kMaxRatio = 100;

ZipReader::~ZipReader() {
  if (archive)
    zip_discard(archive);
}

std::string ZipReader::open(llvm::StringRef path) {
  int code = 0;
  archive = zip_open(path.str().c_str(), ZIP_RDONLY, &code);
  if (archive)
    return "";
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

bool ZipReader::has(llvm::StringRef member) const {
  return zip_name_locate(archive, member.str().c_str(), 0) >= 0;
}

std::vector<std::string> ZipReader::members() const {
  std::vector<std::string> names;
  zip_int64_t count = zip_get_num_entries(archive, 0);
  for (zip_int64_t i = 0; i < count; ++i)
    if (const char *name = zip_get_name(archive, i, 0))
      names.push_back(name);
  return names;
}

std::unique_ptr<llvm::MemoryBuffer> ZipReader::read(llvm::StringRef member,
                                                    std::string &error) {
  zip_stat_t stat;
  std::string name = member.str();
  if (zip_stat(archive, name.c_str(), 0, &stat) != 0 ||
      !(stat.valid & ZIP_STAT_SIZE) || !(stat.valid & ZIP_STAT_COMP_SIZE)) {
    error = "the archive has no member " + name;
    return nullptr;
  }
  if (stat.size > kFreeBytes && stat.size / kMaxRatio > stat.comp_size) {
    error = "the member " + name + " would expand more than " +
            std::to_string(kMaxRatio) + " times to " +
            std::to_string(stat.size) + " bytes";
    return nullptr;
  }
  auto buffer =
      llvm::WritableMemoryBuffer::getNewUninitMemBuffer(stat.size, name);
  if (!buffer) {
    error = "not enough memory for the member " + name + " of " +
            std::to_string(stat.size) + " bytes";
    return nullptr;
  }
  zip_file_t *file = zip_fopen(archive, name.c_str(), 0);
  if (!file) {
    error = "the member " + name + " cannot be read: " + zip_strerror(archive);
    return nullptr;
  }
  llvm::scope_exit close([&] { zip_fclose(file); });
  uint64_t done = 0;
  while (done < stat.size) {
    zip_int64_t got =
        zip_fread(file, buffer->getBufferStart() + done, stat.size - done);
    if (got <= 0) {
      error = "the member " + name + " is damaged: " +
              (got < 0 ? zip_file_strerror(file) : "it ends early");
      return nullptr;
    }
    done += static_cast<uint64_t>(got);
  }
  // Reading past the end makes libzip compare the checksum.
  char rest;
  if (zip_fread(file, &rest, 1) != 0) {
    error = "the member " + name + " is damaged: " + zip_file_strerror(file);
    return nullptr;
  }
  return buffer;
}

static std::string addMember(zip_t *archive, const ZipMember &member) {
  zip_source_t *source = zip_source_buffer(archive, member.content.data(),
                                           member.content.size(), 0);
  zip_int64_t index =
      source ? zip_file_add(archive, member.name.c_str(), source, 0) : -1;
  if (index < 0) {
    if (source)
      zip_source_free(source);
    return zip_strerror(archive);
  }
  zip_set_file_compression(archive, static_cast<zip_uint64_t>(index),
                           ZIP_CM_STORE, 0);
  return "";
}

static std::string writeArchive(llvm::StringRef path,
                                llvm::ArrayRef<ZipMember> members) {
  int code = 0;
  zip_t *archive =
      zip_open(path.str().c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!archive)
    return "error " + std::to_string(code) + " of libzip";
  std::string error;
  for (const ZipMember &member : members)
    if (error.empty())
      error = addMember(archive, member);
  if (error.empty() && zip_close(archive) == 0)
    return "";
  if (error.empty())
    error = zip_strerror(archive);
  zip_discard(archive);
  return error;
}

std::string cornu::frontend::writeZip(llvm::StringRef path,
                                      llvm::ArrayRef<ZipMember> members) {
  std::string error = writeArchive(path, members);
  return error.empty() ? ""
                       : "cannot write the file: " + error +
                             "; choose another, where there is space";
}
