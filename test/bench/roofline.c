// What this machine can do at most: single-precision FMA, and reading memory.
//
//   clang -O3 -march=native -ffp-contract=fast -pthread roofline.c -o roofline
//   ./roofline THREADS
//
// Prints one JSON object: "gflops" of all threads together, and "read_gbs",
// pairs of a working set in bytes and the rate at which the threads, each with
// its share of it, read it again and again. Small sets come from the caches, so
// a model's weights are judged by the rate of a set of their size. Each figure
// is the best of several, since a disturbance can only make it worse.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

// One vector register, and as many sums as hide the latency of an FMA (4 or 5
// cycles on two pipes) and leave room for the factors.
#if defined(__AVX512F__)
enum { kLanes = 16, kSums = 24 };
#define IN_REGISTER "+v"
#elif defined(__AVX__)
enum { kLanes = 8, kSums = 12 };
#define IN_REGISTER "+x"
#elif defined(__aarch64__)
enum { kLanes = 4, kSums = 24 };
#define IN_REGISTER "+w"
#else
enum { kLanes = 4, kSums = 12 };
#define IN_REGISTER "+x"
#endif
typedef float Vector __attribute__((vector_size(4 * kLanes)));

enum { kMaxThreads = 64, kStreams = 8 };
static const double kSeconds = 0.6; // of timings, for each figure
// A timing is short enough to lie in one slice of a busy machine's time.
static const long kFmaRounds = 100000;
static const size_t kReadBytes = (size_t)16 << 20; // at least, all threads
static const size_t kSets[] = {16 << 10, 64 << 10, 256 << 10, 1 << 20,
                               4 << 20,  16 << 20, 32 << 20,  128 << 20};

static pthread_barrier_t barrier;
static volatile float sink;
static int threads;
static size_t set; // 0: FMA
static Vector *data[kMaxThreads];
static double spans[kMaxThreads];

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float total(const Vector *sums, int count) {
  float sum = 0;
  for (int i = 0; i < count; i++)
    for (int lane = 0; lane < kLanes; lane++)
      sum += sums[i][lane];
  return sum;
}

static float multiplyAndAdd(void) {
  Vector sums[kSums], factor = {0}, term = {0};
  factor += 1.0000001f;
  term += 1e-9f;
  for (int i = 0; i < kSums; i++)
    sums[i] = term * (float)i;
  for (long n = 0; n < kFmaRounds; n++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; i++) {
      sums[i] = sums[i] * factor + term;
      __asm__ volatile("" : IN_REGISTER(sums[i])); // as written: one FMA each
    }
  }
  return total(sums, kSums);
}

static float readAll(const Vector *data, size_t vectors, size_t rounds) {
  Vector sums[kStreams] = {{0}};
  for (size_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < vectors; i += kStreams)
      for (int s = 0; s < kStreams; s++)
        sums[s] += data[i + s];
    __asm__ volatile("" ::: "memory"); // no round is the one before
  }
  return total(sums, kStreams);
}

static size_t roundsOf(size_t bytes) {
  return bytes == 0 ? 0 : bytes < kReadBytes ? kReadBytes / bytes : 1;
}

static void *worker(void *argument) {
  int id = (int)(intptr_t)argument;
  size_t bytes = set / (size_t)threads, rounds = roundsOf(set);
  pthread_barrier_wait(&barrier);
  double start = now();
  sink = set ? readAll(data[id], bytes / sizeof(Vector), rounds)
             : multiplyAndAdd();
  spans[id] = now() - start;
  return NULL;
}

/// The best of several timings of all threads at once: the slowest thread's
/// seconds.
static double best(void) {
  double least = 1e30, end = now() + kSeconds;
  while (now() < end) {
    pthread_t handles[kMaxThreads];
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++)
      pthread_create(&handles[i], NULL, worker, (void *)(intptr_t)i);
    double slowest = 0;
    for (int i = 0; i < threads; i++) {
      pthread_join(handles[i], NULL);
      if (spans[i] > slowest)
        slowest = spans[i];
    }
    pthread_barrier_destroy(&barrier);
    if (slowest < least)
      least = slowest;
  }
  return least;
}

int main(int argc, char **argv) {
  threads = argc > 1 ? atoi(argv[1]) : 1;
  if (threads < 1 || threads > kMaxThreads)
    return fprintf(stderr, "threads: 1 to %d\n", kMaxThreads), 2;
  size_t share = kSets[sizeof kSets / sizeof *kSets - 1] / (size_t)threads;
  for (int i = 0; i < threads; i++) {
    data[i] = aligned_alloc(4096, (share + 4095) / 4096 * 4096);
    if (!data[i])
      return fprintf(stderr, "out of memory\n"), 1;
    for (size_t k = 0; k < share / sizeof(Vector); k++)
      data[i][k] = (Vector){(float)(k & 7)};
  }
  double flops = 2.0 * kLanes * kSums * (double)kFmaRounds * threads;
  printf("{\"threads\": %d, \"gflops\": %.1f, \"read_gbs\": [", threads,
         flops / best() * 1e-9);
  for (size_t i = 0; i < sizeof kSets / sizeof *kSets; i++) {
    set = kSets[i];
    printf("%s[%zu, %.1f]", i ? ", " : "", set,
           (double)(set * roundsOf(set)) / best() * 1e-9);
  }
  printf("]}\n");
  return 0;
}
