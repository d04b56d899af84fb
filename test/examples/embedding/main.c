/* Trains the network of digits.json and counts what it reads right, with no
 * allocation and no library but libc.
 *
 *   cornu compile test/examples/digits/digits.json -c -o digits.o
 *   cc -I. main.c digits.o -lm -o embedded && ./embedded
 */
#include "digits.h"
#include <stdio.h>

#ifndef EPOCHS
#define EPOCHS 15
#endif

enum {
  IMAGE = DIGITS_INPUT_0_ELEMENTS,
  CLASSES = DIGITS_OUTPUT_0_ELEMENTS,
  BATCH = 32,
  MOST = 1440
};

static CORNU_BLOCK unsigned char state[DIGITS_STATE_BYTES];
static CORNU_BLOCK unsigned char scratch[DIGITS_TRAIN_SCRATCH_BYTES(BATCH)];
static unsigned char pixels[MOST * IMAGE], digits[MOST];
static float images[MOST][IMAGE];
static int32_t labels[MOST];

/* Reads the data of a .npy file of bytes; its header says how long it is. */
static size_t read_npy(const char *folder, const char *name,
                       unsigned char *data, size_t most) {
  char path[512];
  unsigned char head[10];
  size_t count = 0;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "rb");
  if (file && fread(head, 1, 10, file) == 10 &&
      fseek(file, head[8] + 256 * head[9], SEEK_CUR) == 0)
    count = fread(data, 1, most, file);
  if (file)
    fclose(file);
  return count;
}

static int64_t load(const char *folder, const char *x, const char *y) {
  size_t count = read_npy(folder, y, digits, sizeof digits);
  if (read_npy(folder, x, pixels, sizeof pixels) != count * IMAGE)
    return 0;
  for (size_t i = 0; i < count; ++i) {
    labels[i] = digits[i];
    for (size_t k = 0; k < IMAGE; ++k)
      images[i][k] = pixels[i * IMAGE + k];
  }
  return (int64_t)count;
}

int main(int argc, char **argv) {
  const char *folder = argc > 1 ? argv[1] : "test/examples/digits";
  int64_t count = load(folder, "x_train.npy", "y_train.npy");
  float metrics[DIGITS_NUM_METRICS] = {0};
  if (count == 0 || digits_initialize(state, 1) != CORNU_OK)
    return 1;
  for (int epoch = 0; epoch < EPOCHS; ++epoch) {
    digits_reset_metrics(state);
    for (int64_t i = 0; i < count; i += BATCH) {
      const void *inputs[] = {images[i]};
      const void *targets[] = {&labels[i], NULL}; /* no sample weights */
      int64_t batch = count - i < BATCH ? count - i : BATCH;
      if (digits_train_step(state, inputs, targets, batch, metrics, scratch) !=
          CORNU_OK)
        return 1;
    }
    printf("epoch %d: %s %.4f, %s %.4f\n", epoch + 1, DIGITS_METRIC_0_NAME,
           metrics[0], DIGITS_METRIC_1_NAME, metrics[1]);
  }

  int64_t tests = load(folder, "x_test.npy", "y_test.npy"), right = 0;
  for (int64_t i = 0; i < tests; ++i) {
    float probabilities[CLASSES];
    const void *inputs[] = {images[i]};
    void *outputs[] = {probabilities};
    if (digits_predict(state, inputs, 1, outputs, scratch) != CORNU_OK)
      return 1;
    int best = 0;
    for (int k = 1; k < CLASSES; ++k)
      if (probabilities[k] > probabilities[best])
        best = k;
    right += best == labels[i];
  }
  printf("%d of %d test images are read right\n", (int)right, (int)tests);
  return right * 100 >= tests * 95 ? 0 : 1;
}
