//===- ThreadPool.cpp - Workers for the tasks of kernels ------------------===//
//
// One job at a time. `ticket` packs the job's generation and the number of
// tasks that nobody has claimed yet; claiming is one compare-and-swap, so a
// worker that wakes up late can neither disturb the next job nor hold up the
// end of this one: the caller waits for tasks, not for workers.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/ThreadPool.h"

#include <atomic>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace cornu::runtime {

namespace {

// Kernels of one step that are worth splitting follow each other within this
// time. Being woken costs some 50 us, more than most of them take.
constexpr int64_t kSpinNanoseconds = 250000;

using Word = std::atomic<uint32_t>;

void futexWait(Word &word, uint32_t expected) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr, 0);
}
void futexWake(Word &word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

int64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t(now.tv_sec) * 1000000000 + now.tv_nsec;
}

void pauseBriefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/// Spins until `done()` or the time is over; tells which.
template <typename Done> bool spin(Done done) {
  int64_t deadline = 0;
  for (unsigned round = 1;; ++round) {
    if (done())
      return true;
    pauseBriefly();
    if (round % 64 != 0) // reading the clock costs 25 ns
      continue;
    int64_t now = nanoseconds();
    if (!deadline)
      deadline = now + kSpinNanoseconds;
    else if (now >= deadline)
      return false;
  }
}

/// The fields that different threads write are on different cache lines.
struct Pool {
  // The job; written only while nobody can claim a task.
  cornu_task task;
  void *context;
  int64_t base; ///< index of the first task
  uint32_t count;

  alignas(64) std::atomic<uint64_t> ticket; ///< generation : unclaimed tasks
  alignas(64) Word finished;                ///< tasks of this job
  Word callerSleeps;
  alignas(64) Word published; ///< counts jobs; sleepers wait for a change
  Word sleepers;

  alignas(64) std::atomic<int64_t> workers; ///< 0: not decided yet
  std::atomic<bool> busy;
  int64_t started; ///< threads, worker 0 not counted
};
Pool pool; // zero-initialized

/// Claims tasks of the current job and runs them until none is left.
void work(int64_t worker) {
  uint64_t seen = pool.ticket.load(std::memory_order_acquire);
  while (uint32_t(seen) != 0) {
    if (!pool.ticket.compare_exchange_weak(seen, seen - 1,
                                           std::memory_order_acq_rel,
                                           std::memory_order_acquire))
      continue;
    // The claim keeps the job alive until `finished` is counted up.
    uint32_t count = pool.count;
    pool.task(pool.context, pool.base + (count - uint32_t(seen)), worker);
    if (pool.finished.fetch_add(1, std::memory_order_seq_cst) + 1 == count &&
        pool.callerSleeps.load(std::memory_order_seq_cst))
      futexWake(pool.finished, 1);
    seen = pool.ticket.load(std::memory_order_acquire);
  }
}

void *workerMain(void *argument) {
  int64_t worker = int64_t(reinterpret_cast<intptr_t>(argument));
  uint32_t seen = 0; // jobs before this thread started are found all the same
  for (;;) {
    auto changed = [&] {
      return pool.published.load(std::memory_order_acquire) != seen;
    };
    if (!spin(changed)) {
      pool.sleepers.fetch_add(1, std::memory_order_seq_cst);
      while (!changed())
        futexWait(pool.published, seen);
      pool.sleepers.fetch_sub(1, std::memory_order_relaxed);
    }
    seen = pool.published.load(std::memory_order_acquire);
    if (worker < pool.workers.load(std::memory_order_relaxed))
      work(worker);
  }
  return nullptr;
}

/// Starts missing threads; with fewer than wished the results are the same.
void startThreads(int64_t workers) {
  // Signals are for the thread that runs main.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (pool.started < workers - 1) {
    pthread_t thread;
    void *worker = reinterpret_cast<void *>(intptr_t(pool.started + 1));
    if (pthread_create(&thread, nullptr, workerMain, worker) != 0)
      break;
    pthread_detach(thread);
    ++pool.started;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void runJob(cornu_task task, void *context, int64_t base, uint32_t count) {
  pool.task = task;
  pool.context = context;
  pool.base = base;
  pool.count = count;
  pool.finished.store(0, std::memory_order_relaxed);
  uint64_t generation = (pool.ticket.load(std::memory_order_relaxed) >> 32) + 1;
  pool.ticket.store(generation << 32 | count, std::memory_order_release);
  pool.published.fetch_add(1, std::memory_order_seq_cst);
  if (pool.sleepers.load(std::memory_order_seq_cst))
    futexWake(pool.published, count > INT32_MAX ? INT32_MAX : int(count) - 1);
  work(0);
  auto done = [&] {
    return pool.finished.load(std::memory_order_acquire) == count;
  };
  if (spin(done))
    return;
  pool.callerSleeps.store(1, std::memory_order_seq_cst);
  for (uint32_t now; (now = pool.finished.load()) != count;)
    futexWait(pool.finished, now);
  pool.callerSleeps.store(0, std::memory_order_relaxed);
}

} // namespace

int64_t availableCpus() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? online : 1;
}

} // namespace cornu::runtime

using namespace cornu::runtime;

extern "C" int64_t cornu_worker_count(void) {
  int64_t workers = pool.workers.load(std::memory_order_relaxed);
  if (workers == 0) {
    workers = availableCpus();
    workers = workers < kMaxWorkers ? workers : kMaxWorkers;
    pool.workers.store(workers, std::memory_order_relaxed);
  }
  return workers;
}

extern "C" void cornu_set_worker_count(int64_t workers) {
  workers = workers < 1 ? 1 : workers;
  pool.workers.store(workers < kMaxWorkers ? workers : kMaxWorkers,
                     std::memory_order_relaxed);
}

extern "C" void cornu_parallel_for(cornu_task task, void *context,
                                   int64_t count) {
  int64_t workers = cornu_worker_count();
  // Another thread of the program may be using the pool: then this one runs
  // its tasks alone, on worker 0 of its own scratch block.
  if (workers == 1 || count <= 1 ||
      pool.busy.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < count; ++i)
      task(context, i, 0);
    return;
  }
  if (pool.started < workers - 1)
    startThreads(workers);
  constexpr int64_t kMost = UINT32_MAX; // the ticket counts in 32 bits
  for (int64_t base = 0; base < count; base += kMost)
    runJob(task, context, base,
           uint32_t(count - base < kMost ? count - base : kMost));
  pool.busy.store(false, std::memory_order_release);
}
