//===- Reader.h - Reads a file as a model would ---------------------------===//
#ifndef CORNU_TEST_UNIT_RUNTIME_READER_H
#define CORNU_TEST_UNIT_RUNTIME_READER_H

#include "Workspace.h"
#include "runtime/host/Source.h"

class Reader : public Workspace {
protected:
  // Rows of FILE[:PART] as samples of `shape`, or the error's message.
  template <typename T>
  std::vector<T>
  gather(const std::string &spec, cornu_dtype dtype, std::vector<int64_t> shape,
         std::vector<uint32_t> order = {}, int64_t upperBound = 0) {
    cornu::runtime::Files files;
    cornu::runtime::Source source;
    message.clear();
    cornu_tensor tensor = {"x", dtype, int32_t(shape.size()), shape.data(),
                           upperBound};
    cornu::runtime::Error error =
        files.open(path(spec).c_str(), "x", "x", source);
    if (!error)
      error = source.fit(tensor, "input");
    std::vector<T> result;
    if (!error) {
      size_t elements = 1;
      for (int64_t size : shape)
        elements *= size_t(size);
      int64_t rows = order.empty() ? source.rows() : int64_t(order.size());
      result.resize(size_t(rows) * elements);
      error = source.gather({order.empty() ? nullptr : order.data(), 0, rows},
                            result.data());
    }
    if (error) {
      message = error.message().c_str();
      // Without the folder, which differs from run to run.
      for (size_t at; (at = message.find(folder + "/")) != std::string::npos;)
        message.erase(at, folder.size() + 1);
      result.clear();
    }
    return result;
  }
  std::string message;
};

#endif // CORNU_TEST_UNIT_RUNTIME_READER_H
