//===- Interrupt.h - Ctrl-C between two batches ---------------------------===//
#ifndef CORNU_RUNTIME_HOST_INTERRUPT_H
#define CORNU_RUNTIME_HOST_INTERRUPT_H

namespace cornu::runtime {

/// From now on the first SIGINT or SIGTERM is only noted, so that the batch
/// can be finished and files put in order; a second one ends the program.
void watchInterrupts();

/// The signal that was noted, or 0. The exit code is 128 plus it: 130 after
/// Ctrl-C.
int pendingInterrupt();

/// Forgets a noted signal (tests run several commands in one process).
void clearInterrupt();

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_INTERRUPT_H
