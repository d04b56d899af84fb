//===- Layout.cpp - Reading a model's descriptor --------------------------===//
#include "runtime/core/Layout.h"

namespace cornu::runtime {

namespace {
struct DtypeRow {
  const char *name;
  uint8_t bytes;
};
// In the order of cornu_dtype.
constexpr DtypeRow kDtypes[] = {{"float32", 4}, {"float64", 8}, {"int8", 1},
                                {"uint8", 1},   {"int32", 4},   {"int64", 8},
                                {"bool", 1}};
constexpr unsigned kNumDtypes = sizeof(kDtypes) / sizeof(kDtypes[0]);
} // namespace

uint64_t elementBytes(cornu_dtype dtype) {
  return unsigned(dtype) < kNumDtypes ? kDtypes[dtype].bytes : 0;
}

const char *dtypeName(cornu_dtype dtype) {
  return unsigned(dtype) < kNumDtypes ? kDtypes[dtype].name : "unknown";
}

bool elementCount(const int64_t *shape, int32_t rank, uint64_t &count) {
  int64_t product = 1;
  for (int32_t i = 0; i < rank; ++i)
    if (shape[i] < 0 || __builtin_mul_overflow(product, shape[i], &product))
      return false;
  count = uint64_t(product);
  return true;
}

static bool bytesOf(const int64_t *shape, int32_t rank, cornu_dtype dtype,
                    uint64_t &bytes) {
  uint64_t count;
  return elementCount(shape, rank, count) &&
         !__builtin_mul_overflow(count, elementBytes(dtype), &bytes);
}

bool sampleBytes(const cornu_tensor &tensor, uint64_t &bytes) {
  return bytesOf(tensor.shape, tensor.rank, tensor.dtype, bytes);
}

bool variableBytes(const cornu_variable &variable, uint64_t &bytes) {
  return bytesOf(variable.shape, variable.rank, variable.dtype, bytes);
}

/// Calls `copy(bytes from the start in the state block, those in row-major
/// order, bytes)` for each run that is the same in both.
template <typename Function>
static void forRuns(const cornu_variable &variable, Function copy) {
  uint64_t bytes;
  if (!variableBytes(variable, bytes) || bytes == 0)
    return;
  if (variable.panels <= 0 || variable.columns <= 0) {
    copy(0, 0, bytes);
    return;
  }
  uint64_t row = uint64_t(variable.columns) * elementBytes(variable.dtype);
  uint64_t panel = uint64_t(variable.panels) * elementBytes(variable.dtype);
  uint64_t from = 0;
  for (uint64_t start = 0; start < row; start += panel) {
    uint64_t width = panel < row - start ? panel : row - start;
    for (uint64_t to = start; to < bytes; to += row, from += width)
      copy(from, to, width);
  }
}

void toRowMajor(const cornu_variable &variable, const void *state,
                void *rowMajor) {
  const char *source = static_cast<const char *>(state) + variable.offset;
  char *target = static_cast<char *>(rowMajor);
  forRuns(variable, [&](uint64_t from, uint64_t to, uint64_t bytes) {
    __builtin_memcpy(target + to, source + from, bytes);
  });
}

/// A kernel as minimal filtering has it.
static void transform(const cornu_variable &variable, const float *weights,
                      float *target) {
  const cornu_filtering &filtering = *variable.filtering;
  uint64_t count;
  if (!elementCount(variable.shape, variable.rank, count) || count == 0)
    return;
  int64_t columns = variable.columns, panel = variable.panels;
  int64_t channels = int64_t(count) / (filtering.taps * columns);
  int64_t filled =
      (columns + filtering.width - 1) / filtering.width * filtering.width;
  for (int64_t point = 0; point < filtering.points; ++point)
    for (int64_t start = 0; start < filled; start += panel) {
      int64_t end = start + panel < filled ? start + panel : filled;
      for (int64_t part = 0; part < filtering.parts; ++part) {
        const double *row = filtering.matrix +
                            (point * filtering.parts + part) * filtering.taps;
        for (int64_t channel = 0; channel < channels; ++channel)
          for (int64_t column = start; column < end; ++column) {
            double sum = 0;
            for (int64_t tap = 0; column < columns && tap < filtering.taps;
                 ++tap)
              sum +=
                  row[tap] *
                  double(
                      weights[(tap * channels + channel) * columns + column]);
            *target++ = float(sum);
          }
      }
    }
}

void fromRowMajor(const cornu_variable &variable, const void *rowMajor,
                  void *state) {
  if (variable.filtering)
    return transform(variable, static_cast<const float *>(rowMajor),
                     reinterpret_cast<float *>(static_cast<char *>(state) +
                                               variable.offset));
  const char *source = static_cast<const char *>(rowMajor);
  char *target = static_cast<char *>(state) + variable.offset;
  forRuns(variable, [&](uint64_t to, uint64_t from, uint64_t bytes) {
    __builtin_memcpy(target + to, source + from, bytes);
  });
}

uint64_t samplesOfPart(const cornu_scratch &scratch, uint64_t batch) {
  uint64_t most = scratch.most_samples;
  if (most == 0 || batch <= most)
    return batch;
  uint64_t parts = (batch - 1) / most + 1;
  return (batch - 1) / parts + 1;
}

bool scratchBytes(const cornu_scratch &scratch, uint64_t batch,
                  uint64_t workers, uint64_t &bytes) {
  uint64_t samples = scratch.most_samples && scratch.most_samples < batch
                         ? scratch.most_samples
                         : batch;
  uint64_t workspaces;
  return !__builtin_mul_overflow(scratch.per_sample, samples, &samples) &&
         !__builtin_mul_overflow(scratch.per_worker, workers, &workspaces) &&
         !__builtin_add_overflow(scratch.fixed, samples, &bytes) &&
         !__builtin_add_overflow(bytes, workspaces, &bytes);
}

static bool equal(const char *a, const char *b) {
  while (*a && *a == *b)
    ++a, ++b;
  return *a == *b;
}

const cornu_variable *findVariable(const cornu_model &model, const char *name) {
  for (int32_t i = 0; i < model.num_variables; ++i)
    if (equal(model.variables[i].name, name))
      return &model.variables[i];
  return nullptr;
}

int resetMetrics(const cornu_model &model, void *state) {
  if (model.reset_metrics)
    return model.reset_metrics(state);
  unsigned char *metrics =
      static_cast<unsigned char *>(state) + model.metrics_offset;
  for (uint64_t i = 0; i < model.metrics_bytes; ++i)
    metrics[i] = 0;
  return CORNU_OK;
}

uint64_t hashBytes(uint64_t hash, const void *data, uint64_t size) {
  const unsigned char *bytes = static_cast<const unsigned char *>(data);
  for (uint64_t i = 0; i < size; ++i)
    hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

uint64_t layoutHash(const cornu_model &model) {
  uint64_t hash =
      hashBytes(kHashStart, &model.state_bytes, sizeof(model.state_bytes));
  for (int32_t i = 0; i < model.num_variables; ++i) {
    const cornu_variable &v = model.variables[i];
    uint64_t length = 0;
    while (v.name[length])
      ++length;
    // The terminator separates the name from what follows.
    hash = hashBytes(hash, v.name, length + 1);
    const uint64_t facts[] = {uint64_t(v.dtype), uint64_t(v.kind), v.offset,
                              uint64_t(v.rank)};
    hash = hashBytes(hash, facts, sizeof(facts));
    hash = hashBytes(hash, v.shape, uint64_t(v.rank) * sizeof(v.shape[0]));
  }
  return hash;
}

} // namespace cornu::runtime
