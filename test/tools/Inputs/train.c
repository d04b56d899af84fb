/* Trains with the object alone: the loss of a batch goes down. */
#include "net.h"
#include <stdio.h>

static CORNU_BLOCK unsigned char state[NET_STATE_BYTES];
static CORNU_BLOCK unsigned char scratch[NET_TRAIN_SCRATCH_BYTES(4)];
static CORNU_BLOCK unsigned char gradients[NET_GRADIENT_BYTES];

int main(void) {
  static float x[4][8][8], y[4][NET_OUTPUT_0_ELEMENTS];
  float first[NET_NUM_METRICS], last[NET_NUM_METRICS];
  const void *inputs[NET_NUM_INPUTS], *targets[2 * NET_NUM_TARGETS];
  int step, i;
  for (i = 0; i < 256; ++i)
    x[i / 64][i / 8 % 8][i % 8] = (float)((i * 37) % 11) / 11;
  for (i = 0; i < 4; ++i)
    y[i][i % NET_OUTPUT_0_ELEMENTS] = 1;
  inputs[0] = x;
  targets[0] = y;
  targets[1] = NULL; /* all weights are one */
  if (net_initialize(state, 7) ||
      net_evaluate_step(state, inputs, targets, 4, first, scratch))
    return 1;
  for (step = 0; step < 200; ++step)
    if (net_train_step(state, inputs, targets, 4, NULL, scratch))
      return 2;
  /* The halves of a step do the same. */
  if (net_gradients(state, inputs, targets, 4, gradients, NULL, scratch) ||
      net_apply_gradients(state, gradients, scratch))
    return 3;
  if (net_reset_metrics(state) ||
      net_evaluate_step(state, inputs, targets, 4, last, scratch))
    return 4;
  printf("%s: %s\n", NET_METRIC_0_NAME,
         last[0] < first[0] ? "down" : "not down");
  printf("variables: %d, first %s\n", (int)net_model.num_variables,
         net_model.variables[0].name);
  return 0;
}
