//===- Predictions.h - Where predict's outputs go -------------------------===//
//
// The files of --output: .npy for one output, .npz or .csv for all of them.
// Rows are written batch by batch; the files appear when all are there.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_PREDICTIONS_H
#define CORNU_RUNTIME_HOST_PREDICTIONS_H

#include "runtime/host/Zip.h"

namespace cornu::runtime {

class Predictions {
public:
  /// `arguments` are FILE or NAME=FILE; none: nothing is written.
  Error open(const cornu_model &model, const Vector<String> &arguments,
             int64_t rows);
  /// outputs[i] holds `count` rows of output i.
  Error write(void *const *outputs, int64_t count);
  Error commit();

private:
  /// Of NAME=FILE; -1 without a name.
  int outputNamed(std::string_view argument) const;
  Error openFile(const String &path, int output);
  String csvHeader() const;
  void appendCsvRow(String &text, void *const *outputs, int64_t row) const;

  struct NpyFile {
    int output;
    OutputFile file;
  };
  const cornu_model *model = nullptr;
  int64_t rows = 0;
  Vector<uint64_t> bytes; ///< of a sample of each output
  Vector<Owned<NpyFile>> arrays;
  Owned<NpzWriter> archive;
  Owned<OutputFile> table;
};

/// Element `index` of an output as a number.
double outputValue(cornu_dtype dtype, const void *data, uint64_t index);

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_PREDICTIONS_H
