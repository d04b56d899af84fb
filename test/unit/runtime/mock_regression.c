/* A hand-written model in the form the compiler emits: linear regression on
 * three numbers, mean squared error, SGD, with a little noise on the inputs
 * while training so that resuming must restore the random key too.
 *
 *   y = x . kernel + bias          metrics: loss, mean_absolute_error
 */
#include "cornu/model.h"
#include "cornu/parallel.h"

#include <string.h>

typedef struct State {
  float kernel[3];
  float bias;
  float frozen[2]; /* moving statistics: the mean of the targets, and a count */
  float learning_rate;
  int32_t iteration;
  float momentum[4];
  float loss_total, loss_count, mae_total, mae_count;
  uint64_t random[2]; /* seed, step */
} State;

#define OFFSET(member) offsetof(State, member)

static const int64_t shape_3[] = {3}, shape_31[] = {3, 1}, shape_1[] = {1},
                     shape_2[] = {2}, shape_4[] = {4};

static const cornu_tensor inputs[] = {{"x", CORNU_FLOAT32, 1, shape_3, 0}};
static const cornu_tensor outputs[] = {{"dense", CORNU_FLOAT32, 1, shape_1, 0}};
static const cornu_tensor targets[] = {{"dense", CORNU_FLOAT32, 1, shape_1, 0}};
static const cornu_variable variables[] = {
    {"dense/kernel", CORNU_FLOAT32, 2, shape_31, OFFSET(kernel),
     CORNU_TRAINABLE, 0, 0, NULL},
    {"dense/bias", CORNU_FLOAT32, 1, shape_1, OFFSET(bias), CORNU_TRAINABLE, 0,
     0, NULL},
    {"norm/moving_mean", CORNU_FLOAT32, 1, shape_2, OFFSET(frozen),
     CORNU_NON_TRAINABLE, 0, 0, NULL},
    {"optimizer/learning_rate", CORNU_FLOAT32, 0, NULL, OFFSET(learning_rate),
     CORNU_OPTIMIZER, 0, 0, NULL},
    {"optimizer/iteration", CORNU_INT32, 0, NULL, OFFSET(iteration),
     CORNU_OPTIMIZER, 0, 0, NULL},
    {"optimizer/momentum", CORNU_FLOAT32, 1, shape_4, OFFSET(momentum),
     CORNU_OPTIMIZER, 0, 0, NULL},
    {"metrics/loss/total", CORNU_FLOAT32, 0, NULL, OFFSET(loss_total),
     CORNU_METRIC, 0, 0, NULL},
    {"metrics/loss/count", CORNU_FLOAT32, 0, NULL, OFFSET(loss_count),
     CORNU_METRIC, 0, 0, NULL},
    {"metrics/mean_absolute_error/total", CORNU_FLOAT32, 0, NULL,
     OFFSET(mae_total), CORNU_METRIC, 0, 0, NULL},
    {"metrics/mean_absolute_error/count", CORNU_FLOAT32, 0, NULL,
     OFFSET(mae_count), CORNU_METRIC, 0, 0, NULL},
    {"random/state", CORNU_INT64, 1, shape_2, OFFSET(random), CORNU_RANDOM, 0,
     0, NULL}};
static const char *const metric_names[] = {"loss", "mean_absolute_error"};
static const cornu_layer layers[] = {{"x", "InputLayer", "(None, 3)", 0},
                                     {"dense", "Dense", "(None, 1)", 4}};

static int initialize(void *state, uint64_t seed) {
  State *s = (State *)state;
  memset(s, 0, sizeof(*s));
  for (int i = 0; i < 3; ++i)
    s->kernel[i] = 0.1f * (float)(i + 1 + (int)(seed % 7));
  s->learning_rate = 0.01f;
  s->random[0] = seed * 2 + 1;
  return CORNU_OK;
}

static int reset_metrics(void *state) {
  memset((char *)state + OFFSET(loss_total), 0, 4 * sizeof(float));
  return CORNU_OK;
}

static int metric_results(const void *state, float *metrics, void *scratch) {
  const State *s = (const State *)state;
  (void)scratch;
  metrics[0] = s->loss_count > 0 ? s->loss_total / s->loss_count : 0;
  metrics[1] = s->mae_count > 0 ? s->mae_total / s->mae_count : 0;
  return CORNU_OK;
}

typedef struct Rows {
  const State *state;
  const float *x;
  float *y;
} Rows;

/* One task per sample, so that the thread pool has something to do. */
static void predict_row(void *context, int64_t row, int64_t worker) {
  const Rows *rows = (const Rows *)context;
  const float *x = rows->x + 3 * row, *w = rows->state->kernel;
  (void)worker;
  rows->y[row] = x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + rows->state->bias;
}

static int predict(const void *state, const void *const *in, int64_t batch,
                   void *const *out, void *scratch) {
  Rows rows = {(const State *)state, (const float *)in[0], (float *)out[0]};
  (void)scratch;
  if (batch < 1)
    return CORNU_BAD_BATCH;
  cornu_parallel_for(predict_row, &rows, batch);
  return CORNU_OK;
}

static float absolute(float x) { return x < 0 ? -x : x; }

static void count(State *s, float error, float weight) {
  s->loss_total += error * error * weight;
  s->loss_count += 1;
  s->mae_total += absolute(error);
  s->mae_count += 1;
}

static int evaluate_step(void *state, const void *const *in,
                         const void *const *target, int64_t batch,
                         float *metrics, void *scratch) {
  State *s = (State *)state;
  const float *y = (const float *)target[0], *w = (const float *)target[1];
  float *p = (float *)scratch;
  void *out[1];
  out[0] = p;
  predict(state, in, batch, out, NULL);
  for (int64_t i = 0; i < batch; ++i)
    count(s, p[i] - y[i], w ? w[i] : 1.0f);
  return metrics ? metric_results(state, metrics, scratch) : CORNU_OK;
}

static float noise(State *s) {
  uint64_t z = s->random[0] + 0x9E3779B97F4A7C15u * ++s->random[1];
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return (float)(z >> 40) * 1e-10f;
}

static int train_step(void *state, const void *const *in,
                      const void *const *target, int64_t batch, float *metrics,
                      void *scratch) {
  State *s = (State *)state;
  const float *x = (const float *)in[0], *y = (const float *)target[0];
  const float *w = (const float *)target[1];
  float gradient[4] = {0, 0, 0, 0};
  for (int64_t i = 0; i < batch; ++i) {
    float sample[3], p = s->bias;
    for (int j = 0; j < 3; ++j) {
      sample[j] = x[3 * i + j] + noise(s);
      p += sample[j] * s->kernel[j];
    }
    float error = p - y[i], weight = w ? w[i] : 1.0f;
    count(s, error, weight);
    for (int j = 0; j < 3; ++j)
      gradient[j] += 2 * error * weight * sample[j] / (float)batch;
    gradient[3] += 2 * error * weight / (float)batch;
    s->frozen[0] += 0.01f * (y[i] - s->frozen[0]);
    s->frozen[1] += 1;
  }
  for (int j = 0; j < 4; ++j) {
    s->momentum[j] = 0.9f * s->momentum[j] - s->learning_rate * gradient[j];
    *(j < 3 ? &s->kernel[j] : &s->bias) += s->momentum[j];
  }
  ++s->iteration;
  return metrics ? metric_results(state, metrics, scratch) : CORNU_OK;
}

#define COUNT(array) (int32_t)(sizeof(array) / sizeof(array[0]))

const cornu_model cornu_program = {CORNU_ABI_VERSION,
                                   "regression",
                                   "{\"mcpu\": \"any\"}",
                                   COUNT(inputs),
                                   COUNT(outputs),
                                   COUNT(targets),
                                   COUNT(variables),
                                   COUNT(metric_names),
                                   COUNT(layers),
                                   inputs,
                                   outputs,
                                   targets,
                                   variables,
                                   metric_names,
                                   layers,
                                   0,
                                   sizeof(State),
                                   OFFSET(loss_total),
                                   4 * sizeof(float),
                                   {.fixed = 0},
                                   {.per_sample = sizeof(float)},
                                   {.per_sample = sizeof(float)},
                                   initialize,
                                   reset_metrics,
                                   predict,
                                   evaluate_step,
                                   train_step,
                                   0,
                                   NULL,
                                   NULL,
                                   metric_results,
                                   NULL};
