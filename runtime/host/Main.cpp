//===- Main.cpp - The main of a compiled program --------------------------===//
//
// The compiler's object defines cornu_program; this file's main is linked in
// unless the program has its own.
//
//===----------------------------------------------------------------------===//
#include "runtime/host/Commands.h"

extern "C" const cornu_model cornu_program;

int main(int argc, char **argv) {
  return cornu::runtime::run(cornu_program, argc, argv);
}
