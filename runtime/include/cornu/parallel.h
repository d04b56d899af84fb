/* The one service that compiled code asks of its surroundings: running the
 * tasks of a kernel, on as many workers as there are.
 *
 * An object file carries a weak, serial definition of both functions, so that
 * it links alone; libcornu's definition with a thread pool takes their place.
 * Tasks are cut by the shapes of the kernel, never by the number of workers,
 * so that results do not depend on it.
 */
#ifndef CORNU_PARALLEL_H
#define CORNU_PARALLEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One task of a kernel: `index` in [0, count), `worker` in
 * [0, cornu_worker_count()). */
typedef void (*cornu_task)(void *context, int64_t index, int64_t worker);

/* Runs task(context, 0 .. count - 1, worker) in any order and returns when all
 * are done. Not called from within a task. */
void cornu_parallel_for(cornu_task task, void *context, int64_t count);

/* The number of workers that cornu_parallel_for may use, at least 1. */
int64_t cornu_worker_count(void);

/* Sets that number, for programs that link libcornu; at first it is the number
 * of CPUs that the process may use. Not while kernels run, and before the
 * scratch blocks are sized. Mentioning this function is also what makes a
 * linker take libcornu's pool and not the object's serial definitions. */
void cornu_set_worker_count(int64_t workers);

#ifdef __cplusplus
}
#endif
#endif /* CORNU_PARALLEL_H */
