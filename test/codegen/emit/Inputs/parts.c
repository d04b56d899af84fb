/* A batch of three in parts of one. */
#include "tiny.h"
#include <stdio.h>

static CORNU_BLOCK unsigned char state[TINY_STATE_BYTES];
static CORNU_BLOCK unsigned char scratch[TINY_PREDICT_SCRATCH_BYTES(3)];

int main(void) {
  float x[3][8], y[3][8];
  const void *inputs[TINY_NUM_INPUTS];
  void *outputs[TINY_NUM_OUTPUTS];
  int i;
  for (i = 0; i < 24; ++i)
    x[i / 8][i % 8] = (float)(i / 8);
  inputs[0] = x;
  outputs[0] = y;
  if (tiny_initialize(state, 1) != CORNU_OK ||
      tiny_predict(state, inputs, 3, outputs, scratch) != CORNU_OK)
    return 1;
  for (i = 0; i < 3; ++i)
    printf("%d: %f %f\n", i, y[i][0], y[i][1]);
  printf("scratch for 10: %d\n", (int)TINY_PREDICT_SCRATCH_BYTES(10));
  return 0;
}
