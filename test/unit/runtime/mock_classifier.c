/* A hand-written model with two inputs and two outputs, integer data with a
 * range, and a fixed batch if MOCK_FIXED_BATCH is set. Its "training" only
 * records what it was given, which is what the tests look at:
 *
 *   ids   int32 (2,) in [0, 10)      label  int32 () in [0, 3)
 *   image float32 (2, 2, 1)          score  float32 (1,)
 *
 *   label_out[j] = ids[0] + j        score_out = the sum of the image
 *   loss: the mean of the weights of `label`; sum: the sum of all labels
 */
#include "cornu/model.h"

#include <stdlib.h>
#include <string.h>

#ifndef MOCK_FIXED_BATCH
#define MOCK_FIXED_BATCH 0
#endif
/* With one target, class weights make sense. */
#ifndef MOCK_TARGETS
#define MOCK_TARGETS 2
#endif
/* The image is rows of a table, as floats; others are refused. */
#ifndef MOCK_IMAGE_BOUND
#define MOCK_IMAGE_BOUND 0
#endif

typedef struct State {
  float weight[2];
  float total, count, sum;
  uint64_t seed;
} State;

#define OFFSET(member) offsetof(State, member)
static const int64_t shape_2[] = {2}, shape_221[] = {2, 2, 1}, shape_1[] = {1},
                     shape_3[] = {3};
static const cornu_tensor inputs[] = {
    {"ids", CORNU_INT32, 1, shape_2, 10},
    {"image", CORNU_FLOAT32, 3, shape_221, MOCK_IMAGE_BOUND}};
static const cornu_tensor outputs[] = {{"label", CORNU_FLOAT32, 1, shape_3, 0},
                                       {"score", CORNU_FLOAT32, 1, shape_1, 0}};
static const cornu_tensor targets[] = {{"label", CORNU_INT32, 0, NULL, 3},
                                       {"score", CORNU_FLOAT32, 1, shape_1, 0}};
static const cornu_variable variables[] = {
    {"weight", CORNU_FLOAT32, 1, shape_2, OFFSET(weight), CORNU_TRAINABLE, 0, 0,
     NULL},
    {"metrics/total", CORNU_FLOAT32, 0, NULL, OFFSET(total), CORNU_METRIC, 0, 0,
     NULL},
    {"metrics/count", CORNU_FLOAT32, 0, NULL, OFFSET(count), CORNU_METRIC, 0, 0,
     NULL},
    {"metrics/sum", CORNU_FLOAT32, 0, NULL, OFFSET(sum), CORNU_METRIC, 0, 0,
     NULL},
    {"random", CORNU_INT64, 0, NULL, OFFSET(seed), CORNU_RANDOM, 0, 0, NULL}};
static const char *const metric_names[] = {"loss", "sum", "accuracy"};

static int initialize(void *state, uint64_t seed) {
  State *s = (State *)state;
  /* The compiler's code asks the CPU; this model asks the environment. */
  if (getenv("MOCK_OLD_CPU"))
    return CORNU_UNSUPPORTED_CPU;
  memset(s, 0, sizeof(*s));
  s->seed = seed;
  return CORNU_OK;
}

static int predict(const void *state, const void *const *in, int64_t batch,
                   void *const *out, void *scratch) {
  const int32_t *ids = (const int32_t *)in[0];
  const float *image = (const float *)in[1];
  (void)state, (void)scratch;
  if (batch < 1 || (MOCK_FIXED_BATCH && batch != MOCK_FIXED_BATCH))
    return CORNU_BAD_BATCH;
  for (int64_t i = 0; MOCK_IMAGE_BOUND && i < 4 * batch; ++i)
    if (!(image[i] >= 0 && image[i] < MOCK_IMAGE_BOUND &&
          image[i] == (float)(int)image[i]))
      return CORNU_BAD_BATCH;
  for (int64_t i = 0; i < batch; ++i) {
    for (int j = 0; j < 3; ++j)
      ((float *)out[0])[3 * i + j] = (float)(ids[2 * i] + j);
    ((float *)out[1])[i] =
        image[4 * i] + image[4 * i + 1] + image[4 * i + 2] + image[4 * i + 3];
  }
  return CORNU_OK;
}

static int metric_results(const void *state, float *metrics, void *scratch) {
  const State *s = (const State *)state;
  (void)scratch;
  metrics[0] = s->count > 0 ? s->total / s->count : 0;
  metrics[1] = s->sum;
  metrics[2] = 0.5f;
  return CORNU_OK;
}

static int step(void *state, const void *const *in, const void *const *target,
                int64_t batch, float *metrics, void *scratch) {
  State *s = (State *)state;
  const int32_t *label = (const int32_t *)target[0];
  const float *weight = (const float *)target[MOCK_TARGETS];
  (void)in;
  if (MOCK_FIXED_BATCH && batch != MOCK_FIXED_BATCH)
    return CORNU_BAD_BATCH;
  for (int64_t i = 0; i < batch; ++i) {
    s->total += weight ? weight[i] : 1.0f;
    s->count += 1;
    s->sum += (float)label[i];
  }
  return metrics ? metric_results(state, metrics, scratch) : CORNU_OK;
}

#define COUNT(array) (int32_t)(sizeof(array) / sizeof(array[0]))

const cornu_model cornu_program = {CORNU_ABI_VERSION,
                                   "classifier",
                                   "{\"mcpu\": \"imaginary\"}",
                                   COUNT(inputs),
                                   COUNT(outputs),
                                   MOCK_TARGETS,
                                   COUNT(variables),
                                   COUNT(metric_names),
                                   0,
                                   inputs,
                                   outputs,
                                   targets,
                                   variables,
                                   metric_names,
                                   NULL,
                                   MOCK_FIXED_BATCH,
                                   sizeof(State),
                                   OFFSET(total),
                                   3 * sizeof(float),
                                   {.fixed = 0},
                                   {.fixed = 0},
                                   {.fixed = 0},
                                   initialize,
                                   NULL,
                                   predict,
                                   step,
                                   step,
                                   0,
                                   NULL,
                                   NULL,
                                   metric_results,
                                   NULL};
