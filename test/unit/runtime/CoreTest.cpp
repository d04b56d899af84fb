// runtime/core: random numbers, shuffling, sizes, checkpoint headers.
#include "runtime/core/Checkpoint.h"
#include "runtime/core/Layout.h"
#include "runtime/core/Philox.h"
#include "runtime/core/Shuffle.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>
#include <vector>

using namespace cornu::runtime;

namespace {

// The known answers that come with the paper's reference code (Random123,
// kat_vectors, philox4x32 10).
TEST(Philox, AgreesWithTheReferenceCode) {
  PhiloxBlock zeros = philox({{0, 0}}, {{0, 0, 0, 0}});
  EXPECT_EQ(zeros.word[0], 0x6627e8d5u);
  EXPECT_EQ(zeros.word[1], 0xe169c58du);
  EXPECT_EQ(zeros.word[2], 0xbc57ac4cu);
  EXPECT_EQ(zeros.word[3], 0x9b00dbd8u);
  PhiloxBlock ones = philox({{~0u, ~0u}}, {{~0u, ~0u, ~0u, ~0u}});
  EXPECT_EQ(ones.word[0], 0x408f276du);
  EXPECT_EQ(ones.word[1], 0x41c83b0eu);
  EXPECT_EQ(ones.word[2], 0xa20bc7c6u);
  EXPECT_EQ(ones.word[3], 0x6d5451fdu);
  PhiloxBlock pi = philox({{0xa4093822, 0x299f31d0}},
                          {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}});
  EXPECT_EQ(pi.word[0], 0xd16cfe09u);
  EXPECT_EQ(pi.word[3], 0x24126ea1u);
}

TEST(Philox, DrawsBelowABoundUniformly) {
  PhiloxSequence random(7, 0);
  std::vector<int> counts(5);
  for (int i = 0; i < 50000; ++i)
    ++counts.at(random.below(5));
  for (int count : counts) // 5 standard deviations of a binomial
    EXPECT_NEAR(count, 10000, 450);
}

std::vector<uint32_t> orderOf(uint32_t count, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> order(count);
  shuffle(order.data(), count, seed, epoch);
  return order;
}

TEST(Shuffle, IsAPermutationThatSeedAndEpochDetermine) {
  std::vector<uint32_t> order = orderOf(1797, 42, 3), sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (uint32_t i = 0; i < 1797; ++i)
    ASSERT_EQ(sorted[i], i);
  EXPECT_EQ(order, orderOf(1797, 42, 3));
  EXPECT_NE(order, orderOf(1797, 42, 4));
  EXPECT_NE(order, orderOf(1797, 43, 3));
  EXPECT_EQ(orderOf(1, 5, 5), std::vector<uint32_t>{0});
  EXPECT_TRUE(orderOf(0, 5, 5).empty());
}

TEST(Shuffle, AllPermutationsAreEquallyLikely) {
  std::map<std::vector<uint32_t>, int> counts;
  for (uint64_t epoch = 0; epoch < 24000; ++epoch)
    ++counts[orderOf(4, 0, epoch)];
  EXPECT_EQ(counts.size(), 24u);
  for (const auto &[order, count] : counts)
    EXPECT_NEAR(count, 1000, 160); // 5 standard deviations
}

cornu_scratch scratchOf(uint64_t fixed, uint64_t perSample,
                        uint64_t perWorker) {
  cornu_scratch scratch = {};
  scratch.fixed = fixed;
  scratch.per_sample = perSample;
  scratch.per_worker = perWorker;
  return scratch;
}

TEST(Layout, SizesDoNotOverflow) {
  uint64_t bytes = 0;
  EXPECT_TRUE(scratchBytes(scratchOf(100, 8, 64), 32, 2, bytes));
  EXPECT_EQ(bytes, 100u + 8 * 32 + 64 * 2);
  EXPECT_FALSE(scratchBytes(scratchOf(0, UINT64_MAX / 2, 0), 3, 1, bytes));
  EXPECT_FALSE(scratchBytes(scratchOf(UINT64_MAX, 1, 0), 1, 1, bytes));
  int64_t huge[] = {int64_t(1) << 62, 2}, negative[] = {-1};
  EXPECT_FALSE(elementCount(huge, 2, bytes));
  EXPECT_FALSE(elementCount(negative, 1, bytes));
  EXPECT_TRUE(elementCount(nullptr, 0, bytes));
  EXPECT_EQ(bytes, 1u);
}

TEST(Layout, PanelsToRowMajorAndBack) {
  // Two rows of five columns: two panels of two, and one of one.
  const int64_t shape[] = {2, 5};
  cornu_variable variable = {"w", CORNU_INT32, 2, shape, 4, CORNU_TRAINABLE, 2,
                             5,   nullptr};
  int32_t state[11] = {77, 0, 1, 5, 6, 2, 3, 7, 8, 4, 9}, rowMajor[10];
  toRowMajor(variable, state, rowMajor);
  for (int32_t i = 0; i < 10; ++i)
    EXPECT_EQ(rowMajor[i], i);
  int32_t back[11] = {77};
  fromRowMajor(variable, rowMajor, back);
  for (int i = 0; i < 11; ++i)
    EXPECT_EQ(back[i], state[i]);
}

TEST(Layout, KernelsAreTransformed) {
  // Two taps of two channels and three columns: panels of two columns, the last
  // one filled up. Three points of one part: the taps' sum, half of it, the
  // last tap.
  const int64_t shape[] = {2, 1, 2, 3};
  const double matrix[] = {1, 1, .5, .5, 0, 1};
  cornu_filtering filtering = {3, 1, 2, 2, matrix};
  cornu_variable variable = {
      "w", CORNU_FLOAT32, 4, shape, 4, CORNU_TRAINABLE, 2, 3, &filtering};
  const float rowMajor[] = {0, 1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 60};
  const float expected[] = {77,                                 //
                            10, 21,   43,   54, 32, 0, 65,   0, //
                            5,  10.5, 21.5, 27, 16, 0, 32.5, 0, //
                            10, 20,   40,   50, 30, 0, 60,   0, 88};
  float state[26] = {77};
  state[25] = 88;
  fromRowMajor(variable, rowMajor, state);
  for (int i = 0; i < 26; ++i)
    EXPECT_EQ(state[i], expected[i]) << i;
}

TEST(Layout, LargeBatchesAreComputedInParts) {
  cornu_scratch scratch = scratchOf(100, 8, 64);
  EXPECT_EQ(samplesOfPart(scratch, 32), 32u);
  scratch.most_samples = 9;
  EXPECT_EQ(samplesOfPart(scratch, 9), 9u);
  EXPECT_EQ(samplesOfPart(scratch, 10), 5u); // two equal parts, not 9 + 1
  EXPECT_EQ(samplesOfPart(scratch, 32), 8u);
  uint64_t bytes = 0;
  EXPECT_TRUE(scratchBytes(scratch, 32, 2, bytes));
  EXPECT_EQ(bytes, 100u + 8 * 9 + 64 * 2);
  EXPECT_TRUE(scratchBytes(scratch, 4, 2, bytes));
  EXPECT_EQ(bytes, 100u + 8 * 4 + 64 * 2);
}

/// A model with one variable, for the header of a checkpoint.
struct TinyModel {
  int64_t shape[1] = {4};
  cornu_variable variable = {
      "w", CORNU_FLOAT32, 1, shape, 0, CORNU_TRAINABLE, 0, 0, nullptr};
  cornu_model model = {};
  TinyModel() {
    model.num_variables = 1;
    model.variables = &variable;
    model.state_bytes = 16;
  }
};

std::string fileOf(const CheckpointHeader &header, const float *state) {
  return std::string(reinterpret_cast<const char *>(&header), sizeof(header)) +
         std::string(reinterpret_cast<const char *>(state), 16);
}

TEST(Checkpoint, TellsWhatIsWrong) {
  TinyModel tiny;
  const float state[4] = {1, 2, 3, 4};
  CheckpointHeader header = {}, read = {};
  header.epoch = 5;
  sealCheckpoint(header, tiny.model, state, nullptr);
  std::string file = fileOf(header, state);
  auto check = [&](const std::string &bytes) {
    return checkCheckpoint(tiny.model, bytes.data(), bytes.size(), read);
  };
  EXPECT_EQ(check(file), CheckpointFault::None);
  EXPECT_EQ(read.epoch, 5u);
  EXPECT_EQ(check("something else"), CheckpointFault::NotACheckpoint);
  EXPECT_EQ(check(file.substr(0, 100)), CheckpointFault::Truncated);
  EXPECT_EQ(check(file.substr(0, file.size() - 1)), CheckpointFault::Truncated);
  for (size_t at = 16; at < file.size(); ++at) {
    std::string damaged = file;
    damaged[at] ^= 1;
    EXPECT_NE(check(damaged), CheckpointFault::None) << "byte " << at;
  }
  tiny.shape[0] = 5;
  EXPECT_EQ(check(file), CheckpointFault::OtherProgram);
}

} // namespace
