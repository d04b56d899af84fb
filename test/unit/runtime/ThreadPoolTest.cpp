// cornu_parallel_for: every task runs once, whatever the number of workers.
#include "runtime/host/ThreadPool.h"

#include <atomic>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace {

struct Counts {
  std::vector<std::atomic<int>> runs;
  std::atomic<bool> badWorker{false};
  explicit Counts(size_t count) : runs(count) {}
};

void countRun(void *context, int64_t index, int64_t worker) {
  Counts &counts = *static_cast<Counts *>(context);
  counts.runs[size_t(index)].fetch_add(1);
  if (worker < 0 || worker >= cornu_worker_count())
    counts.badWorker = true;
}

TEST(ThreadPool, RunsEachTaskOnce) {
  for (int64_t workers : {1, 2, 3, 8}) {
    cornu_set_worker_count(workers);
    EXPECT_EQ(cornu_worker_count(), workers);
    for (int64_t count : {0, 1, 2, 7, 1000})
      for (int repeat = 0; repeat < 50; ++repeat) {
        Counts counts{size_t(count)};
        cornu_parallel_for(countRun, &counts, count);
        for (auto &runs : counts.runs)
          ASSERT_EQ(runs.load(), 1);
        ASSERT_FALSE(counts.badWorker);
      }
  }
}

// Workspaces belong to workers, so no two tasks may run on one at a time.
TEST(ThreadPool, AWorkerRunsOneTaskAtATime) {
  struct Busy {
    std::atomic<int> inside[4] = {};
    std::atomic<bool> clash{false};
  } busy;
  cornu_set_worker_count(4);
  auto task = [](void *context, int64_t, int64_t worker) {
    Busy &busy = *static_cast<Busy *>(context);
    if (busy.inside[worker].fetch_add(1) != 0)
      busy.clash = true;
    for (volatile int i = 0; i < 200; i = i + 1) {
    }
    busy.inside[worker].fetch_sub(1);
  };
  for (int repeat = 0; repeat < 500; ++repeat)
    cornu_parallel_for(task, &busy, 37);
  EXPECT_FALSE(busy.clash);
}

TEST(ThreadPool, WakesSleepingWorkers) {
  cornu_set_worker_count(2);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Counts counts(16);
    cornu_parallel_for(countRun, &counts, 16);
    for (auto &runs : counts.runs)
      ASSERT_EQ(runs.load(), 1);
  }
}

TEST(ThreadPool, SeveralThreadsMayUseIt) {
  cornu_set_worker_count(2);
  auto user = [] {
    for (int repeat = 0; repeat < 500; ++repeat) {
      Counts counts(9);
      cornu_parallel_for(countRun, &counts, 9);
      for (auto &runs : counts.runs)
        ASSERT_EQ(runs.load(), 1);
    }
  };
  std::thread first(user), second(user);
  first.join();
  second.join();
}

TEST(ThreadPool, CountsTheCpusOfTheProcess) {
  EXPECT_GE(cornu::runtime::availableCpus(), 1);
  EXPECT_LE(cornu::runtime::availableCpus(),
            int64_t(std::thread::hardware_concurrency()));
}

} // namespace
