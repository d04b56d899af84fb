//===- Zip.cpp - Arrays in a .npz file ------------------------------------===//
//
// Records and field offsets are those of PKWARE's APPNOTE.TXT 6.3, sections
// 4.3.7 (local header), 4.3.12 (central header), 4.3.14-16 (end records) and
// 4.5.3 (zip64 extra field).
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Zip.h"
#include "runtime/core/Layout.h"
#include "runtime/host/Inflate.h"

namespace cornu::runtime {

namespace {
constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50,
                   kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                   kLocator64 = 0x07064b50;

/// Little-endian fields with bounds checks: reads beyond the file give zero
/// and set `bad`.
struct Fields {
  Bytes file;
  bool bad = false;

  uint64_t get(uint64_t offset, int bytes) {
    if (offset > file.size || file.size - offset < uint64_t(bytes)) {
      bad = true;
      return 0;
    }
    uint64_t value = 0;
    for (int i = 0; i < bytes; ++i)
      value |= uint64_t(static_cast<unsigned char>(file.data[offset + i]))
               << (8 * i);
    return value;
  }
  uint32_t u16(uint64_t offset) { return uint32_t(get(offset, 2)); }
  uint32_t u32(uint64_t offset) { return uint32_t(get(offset, 4)); }
  uint64_t u64(uint64_t offset) { return get(offset, 8); }
};

struct Directory {
  uint64_t offset = 0;
  uint64_t entries = 0;
};

bool findDirectory(Fields &fields, Directory &directory) {
  uint64_t size = fields.file.size;
  if (size < 22)
    return false;
  // The end record is last, before a comment of at most 64 KB.
  uint64_t least = size > 22 + 65535 ? size - 22 - 65535 : 0;
  for (uint64_t at = size - 22;; --at) {
    if (fields.u32(at) == kEnd && fields.u16(at + 20) == size - at - 22) {
      directory.entries = fields.u16(at + 10);
      directory.offset = fields.u32(at + 16);
      bool large =
          directory.entries == 0xffff || directory.offset == 0xffffffff;
      if (large && at >= 20 && fields.u32(at - 20) == kLocator64) {
        uint64_t end = fields.u64(at - 20 + 8);
        if (fields.u32(end) != kEnd64)
          return false;
        directory.entries = fields.u64(end + 32);
        directory.offset = fields.u64(end + 48);
      }
      return !fields.bad;
    }
    if (at == least)
      return false;
  }
}

struct Entry {
  uint64_t compressed, size, local;
};

// Sizes of 0xffffffff are in the zip64 extra field, in this order.
void applyZip64(Fields &fields, uint64_t extra, uint64_t length, Entry &entry) {
  for (uint64_t at = extra; at + 4 <= extra + length;) {
    uint64_t id = fields.u16(at), size = fields.u16(at + 2);
    if (id == 1) {
      uint64_t value = at + 4;
      for (uint64_t *field : {&entry.size, &entry.compressed, &entry.local})
        if (*field == 0xffffffff) {
          *field = fields.u64(value);
          value += 8;
        }
      return;
    }
    at += 4 + size;
  }
}
} // namespace

Error parseZip(const char *path, Bytes file, Vector<ZipMember> &members) {
  Fields fields{file};
  Directory directory;
  if (!findDirectory(fields, directory))
    return failure("%s: the zip's directory is missing: the file is truncated "
                   "or damaged",
                   path);
  uint64_t at = directory.offset;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    if (fields.u32(at) != kCentral || fields.bad)
      return failure("%s: the zip's directory is damaged", path);
    uint32_t flags = fields.u16(at + 8), method = fields.u16(at + 10);
    Entry entry = {fields.u32(at + 20), fields.u32(at + 24),
                   fields.u32(at + 42)};
    uint64_t name = fields.u16(at + 28), extra = fields.u16(at + 30),
             comment = fields.u16(at + 32);
    if (at + 46 + name + extra + comment > file.size)
      return failure("%s: the zip's directory is damaged", path);
    applyZip64(fields, at + 46 + name, extra, entry);
    ZipMember member;
    std::string_view text(file.data + at + 46, name);
    member.name =
        endsWith(text, ".npy") ? slice(text, 0, text.size() - 4) : text;
    if (flags & 1)
      return failure("%s: member '%s' is encrypted", path, member.name.c_str());
    if (method != 0 && method != 8)
      return failure("%s: member '%s' is compressed by method %u; write the "
                     "file with numpy.savez",
                     path, member.name.c_str(), method);
    if (fields.u32(entry.local) != kLocal)
      return failure("%s: the zip's member '%s' is damaged", path,
                     member.name.c_str());
    uint64_t start = entry.local + 30 + fields.u16(entry.local + 26) +
                     fields.u16(entry.local + 28);
    if (fields.bad || start > file.size || entry.compressed > file.size - start)
      return failure("%s: the file is truncated in its member '%s'", path,
                     member.name.c_str());
    member.data = {file.data + start, entry.compressed};
    member.deflated = method == 8;
    member.crc = fields.u32(at + 16);
    member.size = entry.size;
    if (!member.deflated && member.size != entry.compressed)
      return failure("%s: the zip's member '%s' is damaged", path,
                     member.name.c_str());
    members.push_back(std::move(member));
    at += 46 + name + extra + comment;
  }
  return success();
}

// A stored member is read where it lies, batch by batch, and a larger one than
// this would be read twice for its checksum: from a disk that takes minutes, or
// never fits into memory. A changed byte is found in what most people have.
static constexpr uint64_t kChecked = 256 << 20;

Error readMember(const char *path, const ZipMember &member,
                 Vector<char> &memory, Bytes &bytes) {
  if (!member.deflated) {
    bytes = member.data;
    if (bytes.size <= kChecked &&
        crc32(0, bytes.data, bytes.size) != member.crc)
      return failure("%s: the data of member '%s' are damaged: their checksum "
                     "is wrong; write or copy the file again",
                     path, member.name.c_str());
    return success();
  }
  // DEFLATE expands at most 1032 times, so a size that a small file claims
  // allocates no more than that.
  if (member.size / 1032 > member.data.size)
    return failure("%s: the zip's member '%s' claims an impossible size", path,
                   member.name.c_str());
  if (!memory.tryReserve(member.size))
    return failure("%s: member '%s' is compressed, and there is no memory for "
                   "its %llu bytes; write it with numpy.savez or as a .npy, "
                   "which are read piece by piece",
                   path, member.name.c_str(),
                   static_cast<unsigned long long>(member.size));
  memory.resize(member.size);
  if (!inflate(member.data, memory.data(), member.size) ||
      crc32(0, memory.data(), member.size) != member.crc)
    return failure("%s: the compressed data of member '%s' are damaged; write "
                   "the file again, with numpy.savez",
                   path, member.name.c_str());
  bytes = {memory.data(), member.size};
  return success();
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

static void putField(String &record, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    record += char(value >> (8 * i));
}

// The fields that local and central header share: version 2.0, no flags,
// stored, the date 1980-01-01 so that equal data give equal files.
static void putCommon(String &record, uint32_t crc, uint64_t size,
                      const String &name) {
  putField(record, 20, 2);
  putField(record, 0, 2);
  putField(record, 0, 2);
  putField(record, 0, 2);
  putField(record, 0x21, 2);
  putField(record, crc, 4);
  putField(record, size, 4);
  putField(record, size, 4);
  putField(record, name.size(), 2);
  putField(record, 0, 2);
}

Error NpzWriter::create(const char *path, const cornu_tensor *tensors,
                        int count, int64_t rows) {
  if (Error error = file.create(path))
    return error;
  if (!file.seekable())
    return failure("'%s' is not a regular file; .npz needs one", path);
  uint64_t offset = 0;
  for (int i = 0; i < count; ++i) {
    const cornu_tensor &tensor = tensors[i];
    Vector<int64_t> shape{rows};
    for (int32_t d = 0; d < tensor.rank; ++d)
      shape.push_back(tensor.shape[d]);
    uint64_t elements, bytes;
    if (!elementCount(shape.data(), int32_t(shape.size()), elements) ||
        __builtin_mul_overflow(elements, elementBytes(tensor.dtype), &bytes))
      return failure("%s: output '%s' is too large", path, tensor.name);
    String header = npyHeader(tensor.dtype, shape);
    Member member;
    member.name = format("%s.npy", tensor.name);
    member.header = offset;
    member.size = header.size() + bytes;
    member.next = offset + 30 + member.name.size();
    offset = member.next + member.size;
    if (member.size > 0xfffffffe || offset > 0xfffffffe)
      return failure("%s: the outputs take more than the 4 GB of a zip file; "
                     "write one .npy per output: --output NAME=FILE.npy",
                     path);
    members.push_back(std::move(member));
    if (Error error = write(i, header.c_str(), header.size()))
      return error;
  }
  return success();
}

Error NpzWriter::write(int array, const void *data, uint64_t bytes) {
  Member &member = members[size_t(array)];
  member.crc = crc32(member.crc, data, bytes);
  uint64_t at = member.next;
  member.next += bytes;
  return file.writeAt(at, data, bytes);
}

Error NpzWriter::commit() {
  String directory;
  uint64_t offset = 0;
  for (const Member &member : members) {
    String local;
    putField(local, kLocal, 4);
    putCommon(local, member.crc, member.size, member.name);
    local += member.name;
    if (Error error = file.writeAt(member.header, local.c_str(), local.size()))
      return error;
    putField(directory, kCentral, 4);
    putField(directory, 20, 2);
    putCommon(directory, member.crc, member.size, member.name);
    putField(directory, 0, 6); // comment, disk, internal attributes
    putField(directory, 0, 4); // external attributes
    putField(directory, member.header, 4);
    directory += member.name;
    offset = member.next;
  }
  uint64_t size = directory.size();
  putField(directory, kEnd, 4);
  putField(directory, 0, 4);
  putField(directory, members.size(), 2);
  putField(directory, members.size(), 2);
  putField(directory, size, 4);
  putField(directory, offset, 4);
  putField(directory, 0, 2);
  if (Error error = file.writeAt(offset, directory.c_str(), directory.size()))
    return error;
  return file.commit();
}

} // namespace cornu::runtime
