//===- Peak.h - What the machine could do, and the process took ----------===//
#ifndef CORNU_RUNTIME_HOST_PEAK_H
#define CORNU_RUNTIME_HOST_PEAK_H

#include <stdint.h>

namespace cornu::runtime {

/// Cycles a second of the core this runs on, measured in some milliseconds by
/// a chain of additions, of which each takes one.
double measureClock();

/// Bytes a second that all workers read from memory, measured in some tenths
/// of a second on a block that no cache holds.
double measureBandwidth();

/// The most bytes of memory that this process has had so far; 0 where the
/// system does not tell.
int64_t peakBytes();

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_PEAK_H
