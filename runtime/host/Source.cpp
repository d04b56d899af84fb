//===- Source.cpp - The rows of one array or table ------------------------===//
#include "runtime/host/Source.h"
#include "runtime/core/Layout.h"

namespace cornu::runtime {

Error Source::setArray(String name, Array contents) {
  label = std::move(name);
  array = std::move(contents);
  table = nullptr;
  size_t rank = array.shape.size();
  if (rank == 0)
    return failure("%s holds a single number; the first dimension must be the "
                   "samples",
                   label.c_str());
  numRows = array.shape[0];
  if (numRows < 1)
    return failure("%s has no rows", label.c_str());
  sampleShape.clear();
  for (size_t i = 1; i < rank; ++i)
    sampleShape.push_back(array.shape[i]);
  elements = 1;
  for (int64_t size : sampleShape)
    elements *= uint64_t(size);
  uint64_t bytes = elementBytes(array.type.element);
  rowStride = elements * bytes;
  if (array.column_major && rank > 1) {
    // The first dimension varies fastest: element offsets of one sample, in
    // row-major order.
    rowStride = bytes;
    elementOffsets.resize(elements);
    for (uint64_t e = 0; e < elements; ++e) {
      uint64_t rest = e, offset = 0;
      for (size_t d = rank - 1; d > 0; --d) {
        uint64_t stride = bytes;
        for (size_t before = 0; before < d; ++before)
          stride *= uint64_t(array.shape[before]);
        offset += rest % uint64_t(array.shape[d]) * stride;
        rest /= uint64_t(array.shape[d]);
      }
      elementOffsets[e] = offset;
    }
    rowBuffer.resize(elements * bytes);
  }
  return success();
}

Error Source::setTable(String name, CsvTable *contents, Vector<int> chosen) {
  label = std::move(name);
  table = contents;
  columns = std::move(chosen);
  numRows = int64_t(table->rows());
  elements = columns.size();
  sampleShape = Vector<int64_t>{int64_t(elements)};
  slots.resize(table->columns());
  for (int32_t &slot : slots)
    slot = -1;
  for (size_t i = 0; i < columns.size(); ++i)
    slots[size_t(columns[i])] = int32_t(i);
  values.resize(elements);
  return success();
}

Error Source::setImages(String name, Vector<String> paths) {
  label = std::move(name);
  table = nullptr;
  images = std::move(paths);
  numRows = int64_t(images.size());
  const char *first = images[0].c_str();
  MappedFile file;
  if (Error error = file.open(first))
    return error;
  if (Error error = readPngHeader(first, file.bytes(), imageSize))
    return error;
  sampleShape =
      Vector<int64_t>{int64_t(imageSize.height), int64_t(imageSize.width)};
  sampleShape.push_back(imageSize.channels());
  return success();
}

// Whether a sample of shape `from` is one of shape `to`, up to one trailing 1.
static bool sameUpToRank(const Vector<int64_t> &from, const int64_t *to,
                         size_t rank) {
  size_t common = from.size() < rank ? from.size() : rank;
  for (size_t i = 0; i < common; ++i)
    if (from[i] != to[i])
      return false;
  if (from.size() == rank + 1)
    return from[rank] == 1;
  if (from.size() + 1 == rank)
    return to[rank - 1] == 1;
  return from.size() == rank;
}

// (height, width), (height, width, channels) or (channels, height, width). An
// integer without channels is a number of the file, the class of a pixel.
bool Source::fitImages(const cornu_tensor &tensor) {
  int64_t height = imageSize.height, width = imageSize.width;
  const int64_t *shape = tensor.shape;
  auto isSize = [&](int axis) {
    return shape[axis] == height && shape[axis + 1] == width;
  };
  if (tensor.rank != 2 && tensor.rank != 3)
    return false;
  channelsFirst = tensor.rank == 3 && !isSize(0);
  if (!isSize(channelsFirst ? 1 : 0))
    return false;
  int64_t channels = tensor.rank == 2 ? 1 : shape[channelsFirst ? 0 : 2];
  if (channels != 1 && channels != 3 && channels != 4)
    return false;
  pixels = Pixels(channels);
  if (channels == 1 && !isFloat(elementOf(tensor.dtype)))
    pixels = Pixels::Numbers;
  elements = uint64_t(height * width * channels);
  return true;
}

Error Source::fit(const cornu_tensor &tensor, const char *role) {
  target = tensor;
  if (numRows < 1)
    return failure("%s has no rows%s", label.c_str(),
                   table ? ": only a header line was found; is it a CSV file?"
                         : "");
  uint64_t wanted;
  if (!elementCount(tensor.shape, tensor.rank, wanted))
    return failure("%s '%s' of the model is too large", role, tensor.name);
  size_t rank = size_t(tensor.rank);
  if (table && elements == wanted)
    return success();
  bool areImages = !images.empty();
  if (areImages && fitImages(tensor))
    return success();
  if (!table && !areImages && sameUpToRank(sampleShape, tensor.shape, rank))
    return success();

  if (table)
    return failure("%s has %zu columns for the %s '%s', which takes %llu "
                   "numbers %s; choose columns with FILE:COLUMN,COLUMN",
                   label.c_str(), columns.size(), role, tensor.name,
                   static_cast<unsigned long long>(wanted),
                   shapeText(tensor.shape, rank).c_str());
  String remedy;
  bool labels = integers() && elements == 1 && wanted > 1;
  if (areImages)
    remedy = "; scale the images to the size that it takes";
  else if (elements == wanted)
    remedy = format("; reshape it, x.reshape%s",
                    shapeText("-1", tensor.shape, rank).c_str());
  else if (labels && strcmp(role, "target") == 0)
    remedy = format("; class numbers become such rows with numpy.eye(%lld)[y], "
                    "or compile with --loss=sparse_categorical_crossentropy",
                    static_cast<long long>(wanted));
  return failure("%s has shape %s, but the %s '%s' takes %s%s", label.c_str(),
                 shapeText("N", sampleShape.data(), sampleShape.size()).c_str(),
                 role, tensor.name, shapeText("N", tensor.shape, rank).c_str(),
                 remedy.c_str());
}

Error Source::badNumber(const RowRange &range, int64_t firstRow,
                        const Misfit &misfit) const {
  int64_t row = range[firstRow + int64_t(misfit.index / elements)];
  if (table)
    return failure(
        "%s: %s: %s", label.c_str(),
        table->place(uint64_t(row), size_t(columns[misfit.index % elements]))
            .c_str(),
        misfit.reason.c_str());
  return failure("%s: row %lld: %s", label.c_str(), static_cast<long long>(row),
                 misfit.reason.c_str());
}

Error Source::gather(const RowRange &range, void *out) {
  char *bytes = static_cast<char *>(out);
  return table            ? gatherTable(range, bytes)
         : images.empty() ? gatherArray(range, bytes)
                          : gatherImages(range, bytes);
}

Error Source::gatherArray(const RowRange &range, char *out) {
  uint64_t outBytes = elements * elementBytes(target.dtype);
  bool contiguous = elementOffsets.empty();
  if (contiguous && !range.order) {
    Misfit misfit =
        convertElements(array.data + uint64_t(range.first) * rowStride,
                        array.type, uint64_t(range.count) * elements,
                        target.dtype, target.upper_bound, out);
    return misfit.found ? badNumber(range, 0, misfit) : success();
  }
  uint64_t size = elementBytes(array.type.element);
  for (int64_t i = 0; i < range.count; ++i, out += outBytes) {
    const char *row = array.data + uint64_t(range[i]) * rowStride;
    if (!contiguous) {
      for (uint64_t e = 0; e < elements; ++e)
        memcpy(rowBuffer.data() + e * size, row + elementOffsets[e], size);
      row = rowBuffer.data();
    }
    Misfit misfit = convertElements(row, array.type, elements, target.dtype,
                                    target.upper_bound, out);
    if (misfit.found)
      return badNumber(range, i, misfit);
  }
  return success();
}

Error Source::gatherTable(const RowRange &range, char *out) {
  uint64_t outBytes = elements * elementBytes(target.dtype);
  for (int64_t i = 0; i < range.count; ++i, out += outBytes) {
    if (Error error = table->parseRow(label.c_str(), uint64_t(range[i]),
                                      slots.data(), values.data()))
      return error;
    Misfit misfit =
        convertElements(values.data(), {Element::Float64, false}, elements,
                        target.dtype, target.upper_bound, out);
    if (misfit.found)
      return badNumber(range, i, misfit);
  }
  return success();
}

Error Source::gatherImages(const RowRange &range, char *out) {
  uint64_t outBytes = elements * elementBytes(target.dtype);
  Vector<uint16_t> numbers;
  for (int64_t i = 0; i < range.count; ++i, out += outBytes) {
    const char *path = images[size_t(range[i])].c_str();
    MappedFile file;
    PngHeader header;
    if (Error error = file.open(path))
      return error;
    if (Error error = readPngHeader(path, file.bytes(), header))
      return error;
    if (header.width != imageSize.width || header.height != imageSize.height)
      return failure("%s has %u x %u pixels, but %s has %u x %u", path,
                     header.width, header.height, images[0].c_str(),
                     imageSize.width, imageSize.height);
    if (pixels == Pixels::Numbers && header.samples() != 1)
      return failure("%s has several numbers for a pixel; a class takes a grey "
                     "image or one with a palette",
                     path);
    if (Error error = decodePng(path, file.bytes(), pixels, numbers))
      return error;
    if (channelsFirst) {
      Vector<uint16_t> planes;
      uint64_t channels = uint64_t(pixels), plane = elements / channels;
      planes.resize(elements);
      for (uint64_t e = 0; e < elements; ++e)
        planes[e % channels * plane + e / channels] = numbers[e];
      numbers.swap(planes);
    }
    Misfit misfit =
        convertElements(numbers.data(), {Element::UInt16, false}, elements,
                        target.dtype, target.upper_bound, out);
    if (misfit.found)
      return failure("%s: %s", path, misfit.reason.c_str());
  }
  return success();
}

} // namespace cornu::runtime
