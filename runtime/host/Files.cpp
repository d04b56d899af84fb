//===- Files.cpp - Opening what the command line names --------------------===//
//
// The format is told from the first bytes, since MNIST's files have no
// extension.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Source.h"

#include <cerrno>
#include <cstring>
#include <dirent.h>

namespace cornu::runtime {

Files::Location Files::locate(const char *spec) {
  std::string_view text = spec;
  size_t colon = text.rfind(':');
  // A path may contain colons itself.
  if (colon == std::string_view::npos || colon == 0 || fileExists(spec))
    return {text, ""};
  return {slice(text, 0, colon), slice(text, colon + 1)};
}

static Error unreadable(const char *path, Bytes file) {
  struct Known {
    std::string_view magic;
    const char *message;
  };
  using namespace std::string_view_literals;
  static constexpr Known kKnown[] = {
      {"\x1f\x8b"sv, "is compressed; decompress it with gunzip first"},
      {"\xff\xd8\xff"sv, "is a JPEG image; convert it to .png, or save its "
                         "array with numpy.save"},
      {"\x89HDF"sv, "is an HDF5 file; save its arrays with numpy.save"},
      {"\x80\x04\x95"sv, "is a Python pickle; save its arrays with "
                         "numpy.save"},
      {"PAR1"sv, "is a Parquet file; write it as .csv or .npy"}};
  for (const Known &known : kKnown)
    if (startsWith({file.data, file.size}, known.magic))
      return failure("%s %s", path, known.message);
  return success();
}

static bool isImage(std::string_view name) {
  return endsWith(name, ".png") || endsWith(name, ".PNG");
}

// The images of a folder, sorted by name.
static Error listImages(const String &folder, Vector<String> &images) {
  dirent **entries;
  int count = scandir(
      folder.c_str(), &entries,
      [](const dirent *entry) { return int(isImage(entry->d_name)); },
      alphasort);
  for (int i = 0; i < count; ++i) {
    images.push_back(format("%s/%s", folder.c_str(), entries[i]->d_name));
    free(entries[i]);
  }
  if (count < 0)
    return failure("cannot read the folder '%s': %s", folder.c_str(),
                   strerror(errno));
  free(entries);
  if (images.empty())
    return failure("the folder '%s' has no .png images", folder.c_str());
  return success();
}

Error Files::entryOf(const String &path, Entry *&found) {
  for (Owned<Entry> &entry : entries)
    if (std::string_view(entry->path) == std::string_view(path) ||
        isSameFile(entry->path.c_str(), path.c_str())) {
      found = entry.get();
      return success();
    }
  Owned<Entry> entry = Owned<Entry>::make();
  entry->path = path;
  const char *name = entry->path.c_str();
  if (isFolder(name)) {
    entry->kind = Kind::Png;
    if (Error error = listImages(entry->path, entry->images))
      return error;
    found = entry.get();
    entries.push_back(std::move(entry));
    return success();
  }
  if (Error error = entry->file.open(name))
    return error;
  Bytes bytes = entry->file.bytes();
  std::string_view start(bytes.data, bytes.size < 8 ? bytes.size : 8);
  if (startsWith(start, "\x93NUMPY") || endsWith(path, ".npy")) {
    entry->kind = Kind::Npy;
  } else if (startsWith(start, "PK\x03\x04") ||
             startsWith(start, "PK\x05\x06") || endsWith(path, ".npz")) {
    entry->kind = Kind::Npz;
    if (Error error = parseZip(name, bytes, entry->members))
      return error;
  } else if (start.size() >= 4 && start[0] == 0 && start[1] == 0 &&
             start[2] >= 0x08 && start[2] <= 0x0E) {
    entry->kind = Kind::Idx;
  } else if (startsWith(start, "\x89PNG")) {
    entry->kind = Kind::Png;
    entry->images.push_back(entry->path);
  } else {
    if (Error error = unreadable(name, bytes))
      return error;
    entry->kind = Kind::Csv;
    if (Error error = entry->table.open(name, bytes))
      return error;
  }
  found = entry.get();
  entries.push_back(std::move(entry));
  return success();
}

// Members of a .npz, columns of a table.
Vector<String> Files::partsOf(const Entry &entry) {
  Vector<String> names;
  for (const ZipMember &member : entry.members)
    names.push_back(member.name);
  for (size_t i = 0; i < entry.table.columns(); ++i)
    names.push_back(entry.table.columnName(i));
  return names;
}

static size_t count(const Vector<String> &names, std::string_view wanted) {
  size_t found = 0;
  for (const String &name : names)
    found += wanted == std::string_view(name);
  return found;
}

// "a, b, c"; of hundreds of columns the first.
static String listed(Vector<String> names) {
  if (names.size() > 20) {
    names.resize(20);
    names.push_back("...");
  }
  return join(names);
}

Error Files::findColumns(Entry &entry, const String &part,
                         Vector<int> &columns) {
  Vector<String> names = partsOf(entry);
  for (std::string_view name : split(part, ',')) {
    int column = entry.table.column(trim(name));
    if (column < 0)
      return failure("%s has no column '%s'%s (columns: %s)",
                     entry.path.c_str(), String(name).c_str(),
                     suggestion(name, names).c_str(), listed(names).c_str());
    if (count(names, trim(name)) > 1)
      return failure("%s has several columns '%s'; choose one by its number "
                     "from 0: the first is %s:%d",
                     entry.path.c_str(), String(name).c_str(),
                     entry.path.c_str(), column);
    columns.push_back(column);
  }
  return success();
}

Error Files::reserveColumns(const char *spec) {
  Location location = locate(spec);
  if (location.part.empty())
    return success();
  Entry *entry;
  if (Error error = entryOf(location.path, entry))
    return error;
  if (entry->kind != Kind::Csv)
    return success();
  return findColumns(*entry, location.part, entry->taken);
}

Error Files::findPart(const char *spec, String &name) {
  Location location = locate(spec);
  Entry *entry;
  if (Error error = entryOf(location.path, entry))
    return error;
  Vector<String> names = partsOf(*entry);
  if (names.empty())
    return success();
  const char *path = location.path.c_str();
  if (count(names, name) == 0)
    return failure("'%s' is neither a file nor a part of %s%s (parts: %s)",
                   name.c_str(), path, suggestion(name, names).c_str(),
                   listed(names).c_str());
  name = format("%s:%s", path, name.c_str());
  return success();
}

Error Files::columnsOf(const char *spec, String &columns) {
  Entry *entry;
  if (Error error = entryOf(spec, entry))
    return error;
  if (entry->kind == Kind::Csv)
    columns = listed(partsOf(*entry));
  return success();
}

Error Files::openMember(Entry &entry, const String &part, const char *name,
                        const char *role, Source &source) {
  if (entry.members.empty())
    return failure("%s has no members; write it with numpy.savez",
                   entry.path.c_str());
  const ZipMember *found = nullptr;
  Vector<String> names = partsOf(entry);
  // Without a part: by the model's name, then "x" or "y", then the only one.
  const std::string_view wanted[] = {part, name, role};
  for (std::string_view candidate : wanted) {
    if (candidate.empty() || found)
      continue;
    for (const ZipMember &member : entry.members)
      if (candidate == std::string_view(member.name))
        found = &member;
    if (!part.empty())
      break;
  }
  if (!found && part.empty() && entry.members.size() == 1)
    found = &entry.members[0];
  if (!found && !part.empty())
    return failure("%s has no member '%s'%s (members: %s)", entry.path.c_str(),
                   part.c_str(), suggestion(part, names).c_str(),
                   join(names).c_str());
  if (!found)
    return failure("%s has several members; choose one with %s:NAME (members: "
                   "%s)",
                   entry.path.c_str(), entry.path.c_str(), join(names).c_str());
  String label = format("%s:%s", entry.path.c_str(), found->name.c_str());
  if (count(names, found->name) > 1)
    return failure("%s: several members have that name; write each array under "
                   "its own",
                   label.c_str());
  Vector<char> decompressed;
  Bytes bytes;
  if (Error error = readMember(entry.path.c_str(), *found, decompressed, bytes))
    return error;
  if (!decompressed.empty())
    memory.push_back(std::move(decompressed));
  Array array;
  if (Error error = parseNpy(label.c_str(), bytes, array))
    return error;
  return source.setArray(std::move(label), std::move(array));
}

Error Files::openColumns(Entry &entry, const String &part, Source &source) {
  Vector<int> columns;
  if (!part.empty()) {
    if (Error error = findColumns(entry, part, columns))
      return error;
    return source.setTable(format("%s:%s", entry.path.c_str(), part.c_str()),
                           &entry.table, std::move(columns));
  }
  for (size_t i = 0; i < entry.table.columns(); ++i) {
    bool taken = false;
    for (int column : entry.taken)
      taken |= column == int(i);
    if (!taken)
      columns.push_back(int(i));
  }
  return source.setTable(entry.path, &entry.table, std::move(columns));
}

Error Files::open(const char *spec, const char *name, const char *role,
                  Source &source) {
  Location location = locate(spec);
  Entry *entry;
  if (Error error = entryOf(location.path, entry))
    return error;
  if (entry->kind == Kind::Npz)
    return openMember(*entry, location.part, name, role, source);
  if (entry->kind == Kind::Csv)
    return openColumns(*entry, location.part, source);
  if (!location.part.empty())
    return failure("%s has no parts: ':%s' has no meaning for it",
                   location.path.c_str(), location.part.c_str());
  if (entry->kind == Kind::Png)
    return source.setImages(location.path, entry->images);
  Array array;
  Error error =
      entry->kind == Kind::Npy
          ? parseNpy(location.path.c_str(), entry->file.bytes(), array)
          : parseIdx(location.path.c_str(), entry->file.bytes(), array);
  if (error)
    return error;
  return source.setArray(location.path, std::move(array));
}

} // namespace cornu::runtime
