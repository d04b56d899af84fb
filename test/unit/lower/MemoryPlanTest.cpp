//===- MemoryPlanTest.cpp - Plans are valid and close to the bound --------===//

#include "passes/buffer/MemoryPlan.h"
#include "passes/buffer/Buffer.h"

#include <gtest/gtest.h>
#include <random>

using namespace cornu::buffer;

static void expectValid(const std::vector<Lifetime> &buffers, int64_t total) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    EXPECT_GE(buffers[i].offset, 0);
    EXPECT_LE(buffers[i].offset + buffers[i].bytes, total);
    EXPECT_EQ(buffers[i].offset % kAlignment, 0);
    for (size_t j = 0; j < i; ++j) {
      bool together = buffers[i].begin <= buffers[j].end &&
                      buffers[j].begin <= buffers[i].end;
      bool apart = buffers[i].offset + buffers[i].bytes <= buffers[j].offset ||
                   buffers[j].offset + buffers[j].bytes <= buffers[i].offset;
      EXPECT_TRUE(!together || apart) << i << " and " << j;
    }
  }
}

TEST(MemoryPlan, ReusesWhatIsDead) {
  std::vector<Lifetime> chain;
  for (int64_t i = 0; i < 10; ++i)
    chain.push_back({64, i, i + 1});
  int64_t total = planMemory(chain);
  expectValid(chain, total);
  EXPECT_EQ(total, 128);
}

TEST(MemoryPlan, NothingIsNothing) {
  std::vector<Lifetime> none;
  EXPECT_EQ(planMemory(none), 0);
  EXPECT_EQ(memoryLowerBound(none), 0);
}

TEST(MemoryPlan, RandomPlansAreValidAndClose) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> buffers;
    for (int i = 0; i < 40; ++i) {
      int64_t begin = random() % 60;
      buffers.push_back({64 * int64_t(1 + random() % 50), begin,
                         begin + int64_t(random() % 12)});
    }
    int64_t total = planMemory(buffers);
    expectValid(buffers, total);
    EXPECT_LE(total, memoryLowerBound(buffers) * 5 / 4);
  }
}
