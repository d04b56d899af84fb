//===- Interrupt.cpp - Ctrl-C between two batches -------------------------===//
#include "runtime/host/Interrupt.h"

#include <signal.h>

namespace cornu::runtime {

static volatile sig_atomic_t noted = 0;

static void note(int signal) { noted = signal; }

void watchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = int(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int pendingInterrupt() { return noted; }

void clearInterrupt() { noted = 0; }

} // namespace cornu::runtime
