/* What a compiled model offers to a runtime: one constant descriptor with the
 * layout of its state, its memory needs and its entry points.
 *
 *   #include "mlp.h"    // declares mlp_model, which is in mlp.o
 *   void *state = aligned_alloc(64, mlp_model.state_bytes);
 *   mlp_model.initialize(state, 42);
 *   mlp_model.train_step(state, inputs, targets, 32, NULL, scratch);
 *
 * Self-contained C99 and C++. Strings are UTF-8 and live as long as the model.
 */
#ifndef CORNU_MODEL_H
#define CORNU_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CORNU_ABI_VERSION 6u
/* Every block that the caller provides starts at a multiple of this. */
#define CORNU_ALIGNMENT 64u

typedef enum cornu_dtype {
  CORNU_FLOAT32 = 0,
  CORNU_FLOAT64 = 1,
  CORNU_INT8 = 2,
  CORNU_UINT8 = 3,
  CORNU_INT32 = 4,
  CORNU_INT64 = 5,
  CORNU_BOOL = 6 /* one byte, 0 or 1 */
} cornu_dtype;

/* An input, an output or a target; row-major, the batch is the leading
 * dimension and not part of `shape`. */
typedef struct cornu_tensor {
  const char *name;
  cornu_dtype dtype;
  int32_t rank;         /* without the batch */
  const int64_t *shape; /* `rank` sizes */
  int64_t upper_bound;  /* not 0: classes or rows of an embedding, which must
                         * lie in [0, upper_bound); not checked here */
} cornu_tensor;

typedef enum cornu_variable_kind {
  CORNU_TRAINABLE = 0,     /* a weight that training changes */
  CORNU_NON_TRAINABLE = 1, /* a frozen weight or a moving statistic */
  CORNU_OPTIMIZER = 2,     /* a slot, the iteration or the learning rate */
  CORNU_METRIC = 3, /* a sum of a metric; zero at the start of an epoch */
  CORNU_RANDOM = 4  /* the seed and the step of the random numbers */
} cornu_variable_kind;

/* A convolution's kernel w as it is multiplied with by minimal filtering
 * (S. Winograd, 1980), in a program that only predicts. As a row-major
 * [taps][channels][columns] it gives, for panels of columns as in
 * cornu_variable, the last one filled up with zeros to a multiple of `width`,
 *
 *   u[point][panel][part][channel][column of the panel] =
 *       sum over taps of matrix[point * parts + part][tap] * w[tap] */
typedef struct cornu_filtering {
  int64_t points, parts, taps, width;
  const double *matrix;
} cornu_filtering;

/* A variable in the state block. */
typedef struct cornu_variable {
  const char *name; /* "dense/kernel", "optimizer/dense/kernel/momentum" */
  cornu_dtype dtype;
  int32_t rank;
  const int64_t *shape;
  uint64_t offset; /* bytes from the start of the state block */
  cornu_variable_kind kind;
  /* 0: row-major. Else a weight, or what an optimizer keeps for one, in the
   * order in which the weight is read: a matrix of `columns` (the product
   * of the last one or more dimensions) in groups of `panels` columns, the last
   * with what is left, and each group a row-major matrix, one after another.
   * Its gradient lies likewise. */
  int64_t panels, columns;
  const cornu_filtering *filtering; /* not NULL: transformed, and longer */
} cornu_variable;

/* A row of the model's summary. */
typedef struct cornu_layer {
  const char *name;         /* the layer's path */
  const char *class_name;   /* "Dense" */
  const char *output_shape; /* "(None, 64)" */
  int64_t parameters;
} cornu_layer;

/* A kernel: a function inside the model that does a part of its work. */
typedef struct cornu_kernel {
  const char *name;     /* "kernel_4" */
  const char *strategy; /* "contraction 6x16, packed": how it is computed */
  const char *layers;   /* "conv, pool": the layers it comes from */
} cornu_kernel;

/* A place in an entry that calls a kernel. Floating-point operations and bytes
 * moved by one call are fixed + per_sample * batch; zero where not known. */
typedef struct cornu_kernel_call {
  int32_t kernel;    /* a row of the kernels */
  const char *entry; /* "train_step" */
  int64_t flops, flops_per_sample;
  int64_t bytes, bytes_per_sample;
} cornu_kernel_call;

/* What a model compiled with --profile says while it runs: where *hook is not
 * null, it is called before each kernel, on the thread that called the entry,
 * with the row of the call. For all of the model's states. */
typedef struct cornu_profile {
  int32_t num_kernels, num_calls;
  const cornu_kernel *kernels;
  const cornu_kernel_call *calls;
  int64_t flops_per_cycle; /* of the multiply-adds of a core */
  void (**hook)(int32_t call);
} cornu_profile;

/* Bytes of scratch memory that an entry point needs:
 *   fixed + per_sample * samples + per_worker * workers
 * where workers is what cornu_worker_count() returns (1 without a pool), and
 * samples the batch or, if that is less and not zero, most_samples: a larger
 * batch is computed in parts. */
typedef struct cornu_scratch {
  uint64_t fixed;
  uint64_t per_sample;
  uint64_t per_worker;
  uint64_t most_samples;
} cornu_scratch;

/* Status codes of the entry points. */
enum {
  CORNU_OK = 0,
  CORNU_BAD_BATCH = 1,      /* batch < 1, or not the fixed batch */
  CORNU_UNSUPPORTED_CPU = 2 /* the CPU lacks an instruction set the code uses */
};

typedef struct cornu_model {
  uint32_t abi_version; /* CORNU_ABI_VERSION */
  const char *name;
  const char *compiled; /* JSON object: how it was compiled */

  int32_t num_inputs, num_outputs, num_targets, num_variables, num_metrics,
      num_layers;
  const cornu_tensor *inputs;
  const cornu_tensor *outputs;
  const cornu_tensor *targets;     /* one per output that has a loss */
  const cornu_variable *variables; /* in the order of their offsets */
  const char *const *metric_names; /* log keys; the first is "loss" */
  const cornu_layer *layers;

  int64_t fixed_batch; /* 0: any */
  uint64_t state_bytes;
  uint64_t metrics_offset, metrics_bytes; /* the metric variables, one range */
  cornu_scratch predict_scratch, evaluate_scratch, train_scratch;

  /* Fills the whole state block: weights from the model's file or their
   * initializers (seeded), optimizer slots, metrics zero. */
  int (*initialize)(void *state, uint64_t seed);
  /* Zeroes the metric variables. */
  int (*reset_metrics)(void *state);
  /* outputs[i] receives batch * prod(outputs[i].shape) elements. */
  int (*predict)(const void *state, const void *const *inputs, int64_t batch,
                 void *const *outputs, void *scratch);
  /* targets: num_targets arrays of true values, then num_targets arrays of
   * `batch` float32 sample weights, each of which may be NULL (all ones).
   * metrics: NULL, or receives num_metrics running results. Both are NULL
   * entries in a model compiled with --inference-only. The scratch block is
   * sized by evaluate_scratch or train_scratch, for this batch. */
  int (*evaluate_step)(void *state, const void *const *inputs,
                       const void *const *targets, int64_t batch,
                       float *metrics, void *scratch);
  int (*train_step)(void *state, const void *const *inputs,
                    const void *const *targets, int64_t batch, float *metrics,
                    void *scratch);
  /* The two halves of train_step, for callers that reduce gradients between
   * machines. The gradient block has the layout of the state block's
   * trainable variables: gradient_bytes, same offsets. Scratch: train_scratch,
   * for any batch in apply_gradients. */
  uint64_t gradient_bytes;
  int (*gradients)(void *state, const void *const *inputs,
                   const void *const *targets, int64_t batch, void *gradients,
                   float *metrics, void *scratch);
  int (*apply_gradients)(void *state, const void *gradients, void *scratch);
  /* Current results of the metrics, num_metrics floats. Scratch:
   * evaluate_scratch, for any batch. */
  int (*metric_results)(const void *state, float *metrics, void *scratch);

  const cornu_profile *profile; /* NULL unless compiled with --profile */
} cornu_model;

#ifdef __cplusplus
}
#endif
#endif /* CORNU_MODEL_H */
