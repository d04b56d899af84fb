//===- Cold.h - Marks functions that need not be fast ---------------------===//
#ifndef CORNU_RUNTIME_HOST_COLD_H
#define CORNU_RUNTIME_HOST_COLD_H

/// Once per file, or on the way to an error: compiled to be small in the files
/// that are otherwise compiled to be fast.
#define CORNU_COLD __attribute__((cold))

#endif // CORNU_RUNTIME_HOST_COLD_H
