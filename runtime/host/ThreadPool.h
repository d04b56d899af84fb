//===- ThreadPool.h - Workers for the tasks of kernels --------------------===//
//
// Implements cornu_parallel_for, cornu_worker_count and
// cornu_set_worker_count of cornu/parallel.h. The caller is worker 0; the
// others are started at the first call with more than one task, spin for a
// moment after each job and then sleep.
//
//===----------------------------------------------------------------------===//
#ifndef CORNU_RUNTIME_HOST_THREADPOOL_H
#define CORNU_RUNTIME_HOST_THREADPOOL_H

#include "runtime/include/cornu/parallel.h"

namespace cornu::runtime {

/// CPUs that this process may run on, at least 1.
int64_t availableCpus();

constexpr int64_t kMaxWorkers = 1024;

} // namespace cornu::runtime

#endif // CORNU_RUNTIME_HOST_THREADPOOL_H
