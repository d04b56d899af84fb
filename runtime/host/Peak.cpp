//===- Peak.cpp - What the machine could do -------------------------------===//
#include "runtime/host/Peak.h"
#include "runtime/host/Session.h"
#include "runtime/include/cornu/parallel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

namespace cornu::runtime {

double measureClock() {
  constexpr int kRounds = 200000, kChain = 16;
  double best = 0;
  uint64_t sum = 1, step = 3;
  // A number that the compiler, and the processor's renaming, cannot know.
  __asm__ volatile("" : "+r"(step));
  for (int attempt = 0; attempt < 5; ++attempt) {
    double start = now();
    for (int round = 0; round < kRounds; ++round)
#pragma clang loop unroll(full)
      for (int i = 0; i < kChain; ++i) {
        sum += step;
        __asm__ volatile("" : "+r"(sum)); // not kChain * step
      }
    double hertz = double(kRounds) * kChain / (now() - start);
    best = hertz > best ? hertz : best;
  }
  return best;
}

namespace {
struct Reading {
  const uint64_t *words;
  uint64_t wordsOfTask;
  uint64_t sums[64];
};
} // namespace

static void read(void *context, int64_t index, int64_t) {
  Reading &reading = *static_cast<Reading *>(context);
  const uint64_t *words = reading.words + uint64_t(index) * reading.wordsOfTask;
  // Eight sums: more loads are under way than one waits for.
  uint64_t sums[8] = {};
  for (uint64_t i = 0; i + 8 <= reading.wordsOfTask; i += 8)
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; ++j)
      sums[j] += words[i + j];
  for (uint64_t sum : sums)
    reading.sums[index] += sum;
}

double measureBandwidth() {
  constexpr uint64_t kBytes = 256 << 20;
  constexpr int64_t kTasks = 64;
  Block block;
  block.allocate(kBytes);
  memset(block.data(), 1, kBytes); // a page is there when it is written
  Reading reading = {static_cast<const uint64_t *>(block.data()),
                     kBytes / sizeof(uint64_t) / kTasks,
                     {}};
  double best = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    double start = now();
    cornu_parallel_for(read, &reading, kTasks);
    double rate = double(kBytes) / (now() - start);
    best = rate > best ? rate : best;
  }
  // The sums are wanted, so the reads are.
  __asm__ volatile("" : : "r"(reading.sums) : "memory");
  return best;
}

int64_t peakBytes() {
  // Not getrusage: what a process was before it became this program counts
  // there, too.
  int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return 0;
  char text[4096];
  ssize_t length = ::read(file, text, sizeof text - 1);
  close(file);
  text[length > 0 ? length : 0] = 0;
  const char *line = strstr(text, "VmHWM:");
  return line ? atoll(line + strlen("VmHWM:")) * 1024 : 0;
}

} // namespace cornu::runtime
