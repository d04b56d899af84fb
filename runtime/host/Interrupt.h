//===- Interrupt.h - Ctrl-C between two batches ---------------------------===//
#ifndef CORNU_RUNTIME_HOST_INTERRUPT_H
#define CORNU_RUNTIME_HOST_INTERRUPT_H

namespace cornu::runtime {

/// From now on the first SIGINT, SIGTERM or SIGHUP is only noted, so that the
/// batch can be finished and files put in order; a second SIGINT or SIGTERM
/// ends the program. Those that are ignored stay so: SIGHUP under nohup, SIGINT
/// of `fit ... &` in a script. A pipe that nobody reads any more is noted, too:
/// whoever writes to it (`print`, the files) notes SIGPIPE.
void watchInterrupts();

/// Notes a signal, unless one was noted before.
void noteInterrupt(int signal);

/// The signal that was noted, or 0. The exit code is 128 plus it: 130 after
/// Ctrl-C, 141 when the reader of the output has gone.
int pendingInterrupt();

/// Forgets a noted signal (tests run several commands in one process).
void clearInterrupt();

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_INTERRUPT_H
