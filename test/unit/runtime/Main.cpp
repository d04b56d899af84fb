// GoogleTest's main: libcornu.a has a main of its own, which is taken when a
// program has none.
#include <gtest/gtest.h>

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
