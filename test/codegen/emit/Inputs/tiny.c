/* Links with the object alone. */
#include "tiny.h"
#include <stdio.h>

static CORNU_BLOCK unsigned char state[TINY_STATE_BYTES];
static CORNU_BLOCK unsigned char scratch[TINY_PREDICT_SCRATCH_BYTES(2)];

int main(void) {
  float x[2][8], y[2][8];
  const void *inputs[TINY_NUM_INPUTS];
  void *outputs[TINY_NUM_OUTPUTS];
  int i;
  for (i = 0; i < 16; ++i)
    x[i / 8][i % 8] = 1;
  inputs[0] = x;
  outputs[0] = y;
  if (tiny_initialize(state, 1) != CORNU_OK ||
      tiny_predict(state, inputs, 2, outputs, scratch) != CORNU_OK)
    return 1;
  printf("%f %f %f %f\n", y[0][0], y[0][1], y[1][2], y[1][3]);
  printf("batch 0: %d\n", tiny_predict(state, inputs, 0, outputs, scratch));
  printf("scratch for 10: %d\n", (int)TINY_PREDICT_SCRATCH_BYTES(10));
  return 0;
}
