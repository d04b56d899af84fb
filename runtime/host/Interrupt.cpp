//===- Interrupt.cpp - Ctrl-C between two batches -------------------------===//
#include "runtime/host/Interrupt.h"

#include <signal.h>

namespace cornu::runtime {

static volatile sig_atomic_t noted = 0;

void noteInterrupt(int signal) {
  if (!noted)
    noted = signal;
}

void watchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = noteInterrupt;
  action.sa_flags = int(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  // When a terminal closes, both the system and the shell may send one.
  action.sa_flags = SA_RESTART;
  struct sigaction old = {};
  if (sigaction(SIGHUP, nullptr, &old) == 0 && old.sa_handler != SIG_IGN)
    sigaction(SIGHUP, &action, nullptr);
  signal(SIGPIPE, SIG_IGN);
}

int pendingInterrupt() { return noted; }

void clearInterrupt() { noted = 0; }

} // namespace cornu::runtime
