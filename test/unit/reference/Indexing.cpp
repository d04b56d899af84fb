//===- Indexing.cpp - Formulas of gathers, and random numbers -----------------
//===//

#include "test/unit/reference/Formulas.h"

using namespace mlir;
namespace nn = cornu::nn;

namespace cornu::reference {

/// The row for an index, or -1.
static int64_t rowOf(double index, int64_t rows) {
  int64_t i = static_cast<int64_t>(index);
  if (i < 0)
    i += rows;
  return i >= 0 && i < rows ? i : -1;
}

Array gather(const Array &table, const Array &indices) {
  Sizes shape = indices.shape;
  shape.insert(shape.end(), table.shape.begin() + 1, table.shape.end());
  Array result(shape);
  int64_t width = table.size() / std::max<int64_t>(table.shape[0], 1);
  for (int64_t i = 0; i < indices.size(); ++i) {
    int64_t row = rowOf(indices.data[i], table.shape[0]);
    for (int64_t k = 0; k < width; ++k)
      result.data[i * width + k] =
          row < 0 ? std::nan("") : table.data[row * width + k];
  }
  return result;
}

Array scatterAdd(nn::ScatterAddOp op, const Array &indices,
                 const Array &updates) {
  Array table(resultShape(*op, 0));
  int64_t width = table.size() / std::max<int64_t>(table.shape[0], 1);
  for (int64_t i = 0; i < indices.size(); ++i) {
    int64_t row = rowOf(indices.data[i], table.shape[0]);
    for (int64_t k = 0; row >= 0 && k < width; ++k)
      table.data[row * width + k] += updates.data[i * width + k];
  }
  return table;
}

/// Philox 4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2,
/// 3", SC 2011.
static void philox(uint32_t counter[4], uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    uint64_t a = uint64_t(0xD2511F53u) * counter[0];
    uint64_t b = uint64_t(0xCD9E8D57u) * counter[2];
    uint32_t next[4] = {uint32_t(b >> 32) ^ counter[1] ^ key0, uint32_t(b),
                        uint32_t(a >> 32) ^ counter[3] ^ key1, uint32_t(a)};
    std::copy(next, next + 4, counter);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

Array randomUniform(nn::RandomUniformOp op, Operands x) {
  Array result(resultShape(*op, x.size() > 1 ? x[1].shape[0] : 0));
  auto word = [&](int i) {
    return static_cast<uint32_t>(static_cast<int64_t>(x[0].data[i]));
  };
  uint32_t derived[4] = {uint32_t(op.getStream()),
                         uint32_t(uint64_t(op.getStream()) >> 32), word(2), 0};
  philox(derived, word(0), word(1));
  for (int64_t i = 0; i < result.size(); ++i) {
    // Philox 2x32-10.
    uint32_t low = uint32_t(i), high = uint32_t(uint64_t(i) >> 32) ^ derived[1];
    uint32_t key = derived[0];
    for (int round = 0; round < 10; ++round, key += 0x9E3779B9u) {
      uint64_t product = uint64_t(low) * 0xD256D193u;
      low = uint32_t(product >> 32) ^ key ^ high;
      high = uint32_t(product);
    }
    result.data[i] = (low >> 8) * 0x1p-24;
  }
  return result;
}

} // namespace cornu::reference
