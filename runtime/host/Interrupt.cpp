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
  static const int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  for (int number : kSignals) {
    struct sigaction action = {};
    if (sigaction(number, nullptr, &action) != 0 ||
        action.sa_handler == SIG_IGN)
      continue;
    action = {};
    action.sa_handler = noteInterrupt;
    action.sa_flags = SA_RESTART;
    // When a terminal closes, both the system and the shell may send SIGHUP.
    if (number != SIGHUP)
      action.sa_flags |= int(SA_RESETHAND);
    sigaction(number, &action, nullptr);
  }
  signal(SIGPIPE, SIG_IGN);
}

int pendingInterrupt() { return noted; }

void clearInterrupt() { noted = 0; }

} // namespace cornu::runtime
