//===- MemoryPlanTest.cpp - Plans are valid and close to the bound --------===//

#include "passes/buffer/MemoryPlan.h"
#include "passes/buffer/Buffer.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

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

TEST(MemoryReport, SaysWhatTheAttributesSay) {
  mlir::MLIRContext context;
  auto module = mlir::parseSourceString<mlir::ModuleOp>(R"(
    module attributes {
      cornu.state_bytes = 26048 : i64, cornu.gradient_bytes = 25856 : i64,
      cornu.state = [{name = "w", kind = "trainable", offset = 0 : i64},
                     {name = "i", kind = "optimizer", offset = 25856 : i64}],
      cornu.memory = {predict = {buffers = 2 : i64, fixed = 0 : i64,
          fixed_bound = 0 : i64, per_sample = 1234567 : i64,
          per_sample_bound = 1000000 : i64}}} {})",
                                                        &context);
  ASSERT_TRUE(module);
  std::string text = memoryReport(*module, false);
  for (const char *part : {"26,048 bytes   2 variables", "trainable", "25,856",
                           "predict", "1,234,567", "0 + 1,000,000 per sample"})
    EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
  EXPECT_EQ(memoryReport(*module, true),
            "{\"gradient_bytes\":25856,\"scratch\":{\"predict\":{\"buffers\":2,"
            "\"fixed\":0,\"fixed_bound\":0,\"per_sample\":1234567,"
            "\"per_sample_bound\":1000000}},\"state\":{\"optimizer\":192,"
            "\"trainable\":25856},\"state_bytes\":26048,\"variables\":2}\n");
}
